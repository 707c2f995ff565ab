/** Whatever reads a model while it trains sees the parameters of one step, and the training does not notice. */
import { describe, expect, it } from "vitest";
import {
  adam,
  createBackend,
  crossEntropy,
  Embedding,
  forward,
  generate,
  generateTokens,
  Linear,
  LSTM,
  Sequential,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Tensor,
  type TrainingData,
} from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import type { CpuBackend } from "../../src/backend/cpu/cpu-backend.ts";
import { inTurn } from "../../src/nn/turns.ts";
import { backend, kinds } from "./support.ts";

const data = TextData.from("It is not down in any map; true places never are. ".repeat(8), { batch: 2, steps: 4 });
const vocabulary = data.vocabulary.size;
const stepsOfRun = 10;

function trainerOn(on: Backend): Trainer {
  const model = new Sequential([new Embedding(vocabulary, 3), new LSTM(3, 4), new Linear(4, vocabulary)], { seed: 1 });
  return new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.03 }), strategy: "step" });
}

const key = (tensors: Record<string, Tensor>): string =>
  JSON.stringify(Object.entries(tensors).map(([name, t]) => [name, Array.from(t.data)]));

/** Numbers from 0 to 1 that repeat. */
function random(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

const probe = data.batch(0).input;
const asked = {
  stateDict: async ({ model }: Trainer) => key(await model.stateDict()),
  checkpoint: async (trainer: Trainer) => {
    const { tensors, metadata } = decodeSafetensors(await trainer.checkpoint());
    return `${metadata.step} ${key(tensors)}`;
  },
  forward: async ({ model, backend: on }: Trainer) =>
    key({ output: (await forward(model, probe, { backend: on, strategy: "step" })).output }),
  evaluate: async (trainer: Trainer) => String((await trainer.evaluate(undefined, { batches: 2 })).loss),
  generate: ({ model, backend: on }: Trainer) =>
    generate(model, { backend: on, vocabulary: data.vocabulary, prompt: "map", length: 40, seed: 3 }),
  "forward on the other backend": async ({ model, backend: on }: Trainer) =>
    key({ output: (await forward(model, probe, { backend: await other(on), strategy: "step" })).output }),
};

const other = (on: Backend): Promise<Backend> => backend(on.kind === "cpu" ? "webgpu" : "cpu");

/** The result of each call after each step, if nothing else runs. */
async function quietRun(on: Backend): Promise<{ after: Record<keyof typeof asked, string>[]; end: string }> {
  const trainer = trainerOn(on);
  const after = [];
  for (let step = 0; step <= stepsOfRun; step++) {
    const entry: Record<string, string> = {};
    for (const [name, ask] of Object.entries(asked)) entry[name] = await ask(trainer);
    after.push(entry);
    if (step < stepsOfRun) for await (const _ of trainer.run({ steps: 1 }));
  }
  return { after, end: await asked.checkpoint(trainer) };
}

describe.each(kinds)("while a training goes on, on %s", (kind) => {
  it("each reading sees one step, and the training ends like an undisturbed one", async () => {
    const on = await backend(kind);
    const quiet = await quietRun(on);
    for (let seed = 1; seed <= 4; seed++) {
      const next = random(seed);
      const trainer = trainerOn(on);
      const answers: Promise<[keyof typeof asked, string]>[] = [];
      const askAny = (): void => {
        const name = Object.keys(asked)[Math.floor(next() * Object.keys(asked).length)] as keyof typeof asked;
        answers.push(asked[name](trainer).then((answer) => [name, answer]));
      };
      let byTimer = 0;
      const timer = setInterval(() => byTimer++ < 8 && askAny(), 3);
      for await (const _ of trainer.run({ steps: stepsOfRun })) {
        for (let i = 0; i < 2; i++) if (next() < 0.4) askAny();
        if (next() < 0.3) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      clearInterval(timer);
      for (const [name, answer] of await Promise.all(answers))
        expect(
          quiet.after.findIndex((entry) => entry[name] === answer),
          `${name}, seed ${seed}`,
        ).toBeGreaterThanOrEqual(0);
      expect(await asked.checkpoint(trainer), `the end, seed ${seed}`).toBe(quiet.end);
    }
  }, 120_000);

  it("verify finds nothing wrong with a sound device", async () => {
    const trainer = trainerOn(await backend(kind));
    const reports = [];
    for await (const { step } of trainer.run({ steps: 12 }))
      if (step % 4 === 1) reports.push(verify(trainer.model, { input: probe }, { backend: trainer.backend, strategy: "step" }));
    expect((await Promise.all(reports)).map(({ passed }) => passed)).toEqual([true, true, true]);
  });
});

describe("values loaded while the device's own are being read", () => {
  it("stay", async () => {
    const trainer = trainerOn(await createBackend("cpu"));
    const first = await trainer.model.stateDict();
    for await (const _ of trainer.run({ steps: 3 }));
    const trained = trainer.model.stateDict();
    trainer.model.loadStateDict(first);
    expect(key(await trained)).not.toBe(key(first));
    expect(key(await trainer.model.stateDict())).toBe(key(first));
  });
});

describe.each(kinds)("parameters that a call reads, on %s", (kind) => {
  it("stay there when another call finds too little memory, and only then", async () => {
    const on = await createBackend(kind);
    const huge = { shape: [1, 600_000], data: new Uint32Array(600_000) };
    const model = (): Sequential => new Sequential([new Embedding(2, 2), new LSTM(2, 512), new Linear(512, 2)], { seed: 1 });
    const findsTooLittle = (one: Sequential) => expect(forward(one, huge, { backend: on })).rejects.toThrow(/smaller batch/);
    const [input, targets] = [
      [0, 1, 1, 0],
      [1, 0, 1, 1],
    ].map((ids) => ({ shape: [2, 2], data: Uint32Array.from(ids) }));
    const lossOf = async (one: Sequential, before: () => unknown): Promise<number> => {
      const late: TrainingData = {
        batches: 1,
        batch: async () => {
          await before();
          return { input, targets };
        },
      };
      return (await new Trainer(one, { backend: on, data: late, loss: crossEntropy(), optimizer: adam() }).evaluate()).loss;
    };
    const nothing = (): void => undefined;
    const quiet = model();
    const expected = await lossOf(quiet, nothing);
    quiet.dispose();
    expect(on.counters.bytes).toBe(0);
    const disturbed = model();
    expect(await lossOf(disturbed, () => findsTooLittle(disturbed))).toBe(expected);
    disturbed.dispose();
    // Without a recording nothing stays, and what comes next begins anew.
    const unused = model();
    for (const fails of [() => findsTooLittle(unused), () => lossOf(unused, () => Promise.reject(new Error("no batch")))]) {
      await Promise.allSettled([fails()]);
      expect(on.counters.bytes).toBe(0);
    }
    expect(await lossOf(unused, nothing)).toBe(expected);
    on.destroy();
  });
});

it("A model that ends while a call computes with its earlier parameters leaves the latest ones to those that share them", async () => {
  const on = (await createBackend("cpu", { threads: 1 })) as CpuBackend;
  const batch = { shape: [4, 2], data: Uint32Array.of(0, 1, 2, 3, 4, 5, 6, 0) };
  const batches: TrainingData = { batches: 9, batch: () => ({ input: batch, targets: batch }) };
  const made = () => {
    const embedding = new Embedding(7, 3, { seed: 1 });
    const model = new Sequential([embedding, new LSTM(3, 4, { seed: 2 }), new Linear(4, 7, { seed: 3 })]);
    return { embedding, model, trainer: new Trainer(model, { backend: on, data: batches, loss: crossEntropy(), optimizer: adam() }) };
  };
  const [quiet, { embedding, model, trainer }] = [made(), made()];
  await quiet.trainer.train({ steps: 2 });
  const sharer = new Sequential([embedding, new Linear(3, 2)]);
  await trainer.train({ steps: 1 });
  const tokens = generateTokens(model, [1, 2], { backend: on, length: 64 });
  await tokens.next();
  await trainer.train({ steps: 1 });
  let ends = 0;
  on.breath.isDue = () => ends === 0;
  on.breath.take = () => {
    ends++;
    model.dispose();
    return Promise.resolve();
  };
  await expect(tokens.next()).rejects.toThrow(/disposed of/);
  expect(ends).toBe(1);
  expect((await sharer.stateDict())["0.weight"]).toEqual((await quiet.model.stateDict())["0.weight"]);
  on.destroy();
});

describe("turns", () => {
  const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

  it("come in the order of the calls where acts have something in common, and do not wait where they have not", async () => {
    const [a, b, c] = [{}, {}, {}];
    const order: string[] = [];
    const act = (name: string, things: object[]): Promise<void> =>
      inTurn(things, async () => {
        order.push(`${name} begins`);
        await pause();
        order.push(`${name} ends`);
      });
    await Promise.all([act("1", [a, b]), act("2", [b, c]), act("3", [c, a]), act("4", [{}])]);
    expect(order.filter((entry) => !entry.startsWith("4"))).toEqual(["1 begins", "1 ends", "2 begins", "2 ends", "3 begins", "3 ends"]);
    expect(order.indexOf("4 begins")).toBeLessThan(order.indexOf("1 ends"));
  });

  it("begin in the call itself if there is no earlier turn, and continue after one that fails", async () => {
    const thing = {};
    let begun = false;
    const failing = inTurn([thing], async () => {
      begun = true;
      await pause();
      throw new Error("failed");
    });
    expect(begun).toBe(true);
    const next = inTurn([thing], () => "done");
    await expect(failing).rejects.toThrow("failed");
    expect(await next).toBe("done");
  });
});
