/** Disposed objects free their memory at once, and later calls with them get an error that says so. */
import { describe, expect, it } from "vitest";
import {
  adam,
  compose,
  crossEntropy,
  Embedding,
  forward,
  generate,
  generateTokens,
  gradients,
  Linear,
  LSTM,
  plannedMemory,
  rmsprop,
  RnnError,
  Sequential,
  sgd,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Module,
} from "webgpu-rnn";
import { gradientFlow, jacobian } from "webgpu-rnn/inspect";
import { logProbability } from "webgpu-rnn/language";
import type { Fill } from "../../src/backend/backend.ts";
import { disposeSymbol } from "../../src/disposable.ts";
import { Recording } from "../../src/recording/recording.ts";
import { backend, kinds, numbers, ownBackend } from "./support.ts";
import { sampled } from "../thorough.ts";

const data = TextData.from("the quick brown fox jumps over the lazy dog. ".repeat(20), { batch: 2, steps: 4 });
const V = data.vocabulary.size;
const { input, targets } = data.batch(0);
const makeModel = (seed = 1): Sequential => new Sequential([new Embedding(V, 4), new LSTM(4, 8), new Linear(8, V)], { seed });
const trainerOf = (model: Module, on: Backend, optimizer = adam()): Trainer =>
  new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer, strategy: "step" });

async function train(trainer: Trainer, steps = 2): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of trainer.run({ steps })) losses.push(loss);
  return losses;
}

const run = (model: Module, on: Backend) => forward(model, input, { backend: on, strategy: "step" });
/** Lets everything that has been started come to its end. */
const quiet = async (on: Backend): Promise<void> => {
  const last = on.createBuffer("last", "f32", 1);
  await on.read(last);
  on.free(last);
  await new Promise((resolve) => setTimeout(resolve, 10));
};
const gone = { name: "RnnError", kind: "option", message: expect.stringMatching(/disposed of/) as string };

describe.each(kinds)("on %s", (kind) => {
  it("a trainer, then its model, give back all that they have taken", async () => {
    const on = await ownBackend(kind);
    for (const optimizer of [adam(), rmsprop({ momentum: 0.5, centered: true }), sgd({ momentum: 0.9 })]) {
      const model = makeModel();
      await run(model, on);
      const alone = on.counters.bytes;
      const trainers = [trainerOf(model, on, optimizer), trainerOf(model, on, optimizer)];
      for (const trainer of trainers) {
        await train(trainer);
        await trainer.evaluate(data, { batches: 1 });
      }
      expect(on.counters.bytes).toBeGreaterThan(alone);
      trainers[0].dispose();
      await train(trainers[1]);
      for (const trainer of trainers) trainer[disposeSymbol]();
      expect(on.counters.bytes).toBe(alone);
      model.dispose();
      model.dispose();
      expect(on.counters.bytes).toBe(0);
    }
    on[disposeSymbol]();
    on.dispose();
    expect(on.ended).toBe("destroyed");
  });

  it("a model takes its trainers with it", async () => {
    const on = await ownBackend(kind);
    const model = makeModel();
    const trainer = trainerOf(model, on);
    await train(trainer);
    model.dispose();
    expect(on.counters.bytes).toBe(0);
    await expect(train(trainer)).rejects.toMatchObject(gone);
    on.destroy();
  });

  it("the model of a trainer that is disposed of keeps what it has learnt", async () => {
    const on = await backend(kind);
    const [one, other] = [makeModel(), makeModel()];
    const [trainer, quietTrainer] = [trainerOf(one, on), trainerOf(other, on)];
    await train(trainer);
    await train(quietTrainer);
    trainer.dispose();
    expect(await one.stateDict()).toEqual(await other.stateDict());
    const again = trainerOf(one, on);
    expect(await train(again, 1)).toHaveLength(1);
    for (const model of [one, other]) model.dispose();
  });

  it("every call with a disposed model, trainer or backend is refused by name", async () => {
    const on = await ownBackend(kind);
    const model = makeModel();
    const trainer = trainerOf(model, on);
    await train(trainer);
    const file = await trainer.checkpoint();
    trainer.dispose();
    const ofTrainer: [string, () => unknown][] = [
      ["run", () => train(trainer)],
      ["evaluate", () => trainer.evaluate()],
      ["checkpoint", () => trainer.checkpoint()],
      ["restore", () => trainer.restore(file)],
      ["plannedMemory", () => trainer.plannedMemory()],
    ];
    const weights = await model.stateDict();
    const living = trainerOf(model, on);
    model.dispose();
    const ofModel: [string, () => unknown][] = [
      ["forward", () => run(model, on)],
      ["gradients", () => gradients(model, input, {}, { backend: on })],
      ["plannedMemory", () => plannedMemory(model, input, { backend: on })],
      ["stateDict", () => model.stateDict()],
      ["loadStateDict", () => model.loadStateDict(weights)],
      ["initialize", () => model.initialize(1)],
      ["parameterCount", () => model.parameterCount],
      ["generate", () => generate(model, { backend: on, vocabulary: data.vocabulary })],
      ["generateTokens", () => generateTokens(model, [1], { backend: on }).next()],
      ["verify", () => verify(model, { input }, { backend: on })],
      ["Trainer", () => trainerOf(model, on)],
      ["its trainer", () => train(living)],
      ["its trainer's checkpoint", () => living.checkpoint()],
      ["a part of another", () => new Sequential([model])],
      ["jacobian", () => jacobian(model, input, { backend: on })],
      ["gradientFlow", () => gradientFlow(model, { input, targets }, { backend: on, loss: crossEntropy() })],
      ["logProbability", () => logProbability(model, data.batch(0), { backend: on })],
      ["on another backend", async () => run(model, await backend("cpu"))],
    ];
    for (const [name, call] of [...ofTrainer, ...ofModel]) await expect((async () => await call())(), name).rejects.toMatchObject(gone);
    on.destroy();
    const other = makeModel();
    const ofBackend: [string, () => unknown][] = [
      ["forward", () => run(other, on)],
      ["gradients", () => gradients(other, input, { output: { shape: [4, 2, V], data: numbers(8 * V) } }, { backend: on })],
      ["train", () => train(trainerOf(other, on))],
      ["generate", () => generate(other, { backend: on, vocabulary: data.vocabulary })],
      ["verify", () => verify(other, { input }, { backend: on })],
      ["createBuffer", () => on.createBuffer("some", "f32", 4)],
    ];
    for (const [name, call] of ofBackend)
      await expect((async () => await call())(), name).rejects.toMatchObject({
        name: "RnnError",
        kind: "device",
        message: expect.stringMatching(/destroyed/) as string,
      });
    expect(on.counters.bytes).toBe(0);
    // The model was never at fault.
    expect((await run(other, await backend("cpu"))).output.shape).toEqual([4, 2, V]);
  });

  it("a part of two models outlives the first of them, with what it has learnt", async () => {
    const on = await ownBackend(kind);
    for (const learns of [false, true]) {
      const rnn = new LSTM(4, 8, { seed: 3 });
      const embedding = new Embedding(V, 4, { seed: 2 });
      const first = new Sequential({ embedding, rnn, out: new Linear(8, V, { seed: 4 }) });
      const second = compose({ embedding, rnn }, ({ embedding: embed, rnn: recur }, x) => recur(embed(x)));
      if (learns) await train(trainerOf(first, on));
      const expected = (await run(second, on)).output;
      if (learns) await train(trainerOf(first, on));
      const trained = learns ? await first.stateDict() : undefined;
      // Once more, so that the newest values are on the device.
      if (learns) await train(trainerOf(first, on), 1);
      first.dispose();
      const after = await run(second, on);
      if (!learns) expect(after.output).toEqual(expected);
      else expect((await second.stateDict())["rnn.weight_hh_l0"].data).not.toEqual(trained!["rnn.weight_hh_l0"].data);
      expect((await run(second, await backend("cpu"))).output.data.every(Number.isFinite)).toBe(true);
      await expect(run(first, on)).rejects.toMatchObject(gone);
      second.dispose();
      expect(on.counters.bytes).toBe(0);
      await expect(run(rnn, on)).rejects.toMatchObject(gone);
    }
    on.destroy();
  });

  it("a part that is disposed of by itself is named by the whole", async () => {
    const on = await backend(kind);
    const rnn = new LSTM(4, 8, { seed: 3 });
    const model = new Sequential({ embedding: new Embedding(V, 4), rnn });
    await run(model, on);
    rnn.dispose();
    await expect(run(model, on)).rejects.toMatchObject({
      ...gone,
      message: 'LSTM: the part "rnn" of this model has been disposed of; make a new one',
    });
    model.dispose();
  });
});

describe.each(kinds)("what a run does first, on %s", (kind) => {
  it("copies from and to buffers that are there, and is refused for others", async () => {
    const on = await ownBackend(kind);
    const recording = new Recording();
    const x = recording.buffer("x", [2], "external");
    recording.download("x", x);
    recording.close();
    const [to, from, freed] = ["to", "from", "freed"].map((label) => on.createBuffer(label, "f32", 2, [5, 7]));
    const program = await on.prepare(recording, new Map([[x.buffer, to]]));
    const after = async (fill: Fill) => Array.from((await (await program.run({}, { first: [fill] })).downloads).x);
    expect(await after({ to })).toEqual([0, 0]);
    expect(await after({ to, from })).toEqual([5, 7]);
    on.free(freed);
    await expect(after({ to, from: freed })).rejects.toMatchObject(gone);
    await expect(after({ to: freed, from })).rejects.toMatchObject(gone);
    expect(await after({ to, from })).toEqual([5, 7]);
    on.destroy();
  });
});

describe.each(kinds)("disposing at any moment, on %s", (kind) => {
  const acts = {
    forward: (model: Module, _: Trainer, on: Backend) => run(model, on),
    gradients: (model: Module, _: Trainer, on: Backend) =>
      gradients(model, input, { output: { shape: [4, 2, V], data: numbers(8 * V) } }, { backend: on, strategy: "step" }),
    train: (_: Module, trainer: Trainer) => train(trainer, 6),
    evaluate: (_: Module, trainer: Trainer) => trainer.evaluate(data, { batches: 3 }),
    checkpoint: (_: Module, trainer: Trainer) => trainer.checkpoint(),
    stateDict: (model: Module) => model.stateDict(),
    generate: (model: Module, _: Trainer, on: Backend) => generate(model, { backend: on, vocabulary: data.vocabulary, length: 70 }),
  };
  const ends = {
    trainer: (_: Module, trainer: Trainer) => trainer.dispose(),
    model: (model: Module) => model.dispose(),
    backend: (_: Module, __: Trainer, on: Backend) => on.destroy(),
  };

  it.each(Object.keys(ends) as (keyof typeof ends)[])(
    "ends what is under way with a result or a typed error, and leaves no memory: %s",
    async (ended) => {
      const unhandled: unknown[] = [];
      const listen = (reason: unknown): void => void unhandled.push(reason);
      const { process } = globalThis as {
        process?: { on(name: string, listen: (reason: unknown) => void): void; off(name: string, listen: (reason: unknown) => void): void };
      };
      process?.on("unhandledRejection", listen);
      let on = await ownBackend(kind);
      const other = makeModel(2);
      const expected = (await run(other, on)).output;
      let rejected = 0;
      const moments = Array.from({ length: 24 }, (_, i) => i);
      for (const moment of sampled(moments, 4)) {
        if (on.ended) {
          on = await ownBackend(kind);
          await run(other, on);
        }
        const before = on.counters.bytes;
        const model = makeModel();
        const trainer = trainerOf(model, on);
        await train(trainer, 1);
        const pending = Object.entries(acts).map(
          ([name, act]) =>
            [
              name,
              act(model, trainer, on).then(
                () => "result",
                (error: unknown) => error,
              ),
            ] as const,
        );
        if (moment < 12) for (let i = 0; i < moment ** 2; i++) await Promise.resolve();
        else await new Promise((resolve) => setTimeout(resolve, 2 * (moment - 12)));
        ends[ended](model, trainer, on);
        for (const [name, end] of pending) {
          const result = await end;
          if (result === "result") continue;
          rejected++;
          expect(result, name).toBeInstanceOf(RnnError);
          expect((result as RnnError).kind, `${name}: ${String(result)}`).toBe(ended === "backend" ? "device" : "option");
        }
        if (ended !== "backend") {
          // The rest of the device is as it was.
          trainer.dispose();
          model.dispose();
          await quiet(on);
          expect((await run(other, on)).output).toEqual(expected);
          expect(on.counters.bytes).toBe(before);
        } else expect(on.counters.bytes).toBe(0);
      }
      expect(rejected).toBeGreaterThan(0);
      await new Promise((resolve) => setTimeout(resolve, 20));
      process?.off("unhandledRejection", listen);
      expect(unhandled).toEqual([]);
      on.destroy();
    },
  );
});
