/** Frozen parameters stay as they are, and learn again after unfreeze. */
import { describe, expect, it } from "vitest";
import {
  adam,
  adamw,
  crossEntropy,
  Embedding,
  forward,
  gradients,
  GRU,
  Linear,
  LSTM,
  Sequential,
  sgd,
  TextData,
  Trainer,
  type Module,
  type Optimizer,
  type TrainerOptions,
} from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { backend, kinds, numbers } from "./support.ts";

const text = TextData.from("hello world, how are you? ".repeat(20), { batch: 2, steps: 4 });
const vocabulary = text.vocabulary.size;
const modelOf = (): Sequential =>
  new Sequential({ embedding: new Embedding(vocabulary, 3), rnn: new GRU(3, 4), out: new Linear(4, vocabulary) }, { seed: 1 });
const names = [...modelOf().namedParameters().keys()];
const valuesOf = async (model: Module): Promise<Record<string, number[]>> =>
  Object.fromEntries(Object.entries(await model.stateDict()).map(([name, { data }]) => [name, [...data]]));
const optimizers: Readonly<Record<string, () => Optimizer>> = {
  "sgd with momentum and decay": () => sgd({ learningRate: 0.1, momentum: 0.9, weightDecay: 0.1 }),
  adamw: () => adamw({ learningRate: 0.02, weightDecay: 0.1 }),
};

describe.each(kinds)("on %s", (kind) => {
  const trainerOf = async (model: Module, options: Partial<TrainerOptions> = {}): Promise<Trainer> => {
    return new Trainer(model, {
      backend: await backend(kind),
      data: text,
      loss: crossEntropy(),
      optimizer: adam({ learningRate: 0.02 }),
      strategy: "step",
      ...options,
    });
  };
  const changedBy = async (trainer: Trainer, steps = 2): Promise<string[]> => {
    const before = await valuesOf(trainer.model);
    await trainer.train({ steps });
    const after = await valuesOf(trainer.model);
    return names.filter((name) => after[name].join() !== before[name].join());
  };

  it.each(Object.entries(optimizers))(
    "training changes only parameters that are not frozen, whenever others were frozen: %s",
    async (_, optimizer) => {
      const patterns: (string | RegExp)[] = ["embedding", "rnn.weight_hh_l0", /bias/, "*.weight*", "out"];
      for (const first of [0, 2]) {
        const model = modelOf();
        const trainer = await trainerOf(model, { optimizer: optimizer(), clipNorm: 0.5 });
        if (first > 0) await trainer.train({ steps: first });
        for (const pattern of patterns) {
          const frozen = model.freeze(pattern);
          expect(await changedBy(trainer), String(pattern)).toEqual(names.filter((name) => !frozen.includes(name)));
          expect(model.unfreeze()).toEqual(names);
        }
        expect(await changedBy(trainer)).toEqual(names);
      }
    },
  );

  it("a change within a run holds from the next step on", async () => {
    const model = modelOf();
    const trainer = await trainerOf(model);
    let frozen: Record<string, number[]> | undefined;
    for await (const { step } of trainer.run({ steps: 16 })) {
      if (step === 3) {
        model.freeze("rnn");
        // Steps in flight are made with what held before.
        await trainer.checkpoint();
      }
      if (step === 9) frozen = await valuesOf(model);
      if (step === 10) {
        const now = await valuesOf(model);
        for (const name of names) expect(now[name].join() === frozen![name].join(), name).toBe(name.startsWith("rnn"));
        model.unfreeze();
      }
    }
    const end = await valuesOf(model);
    for (const name of names) expect(end[name]).not.toEqual(frozen![name]);
  });

  it("the gradient's norm, and so clipping, leaves out frozen parameters; gradients does not return them", async () => {
    const model = modelOf();
    const on = await backend(kind);
    const input = { shape: [3, 2], data: Uint32Array.of(1, 2, 0, 3, 1, 4) };
    const cotangent = { output: { shape: [3, 2, vocabulary], data: numbers(6 * vocabulary, 2) } };
    const all = (await gradients(model, { input }, cotangent, { backend: on, strategy: "step" })).gradients.parameters;
    model.freeze("rnn");
    const some = (await gradients(model, { input }, cotangent, { backend: on, strategy: "step" })).gradients.parameters;
    expect(Object.keys(some)).toEqual(names.filter((name) => !name.startsWith("rnn")));
    for (const [name, { data }] of Object.entries(some)) expect([...data]).toEqual([...all[name].data]);
    const norms: number[] = [];
    const trainer = await trainerOf(model, { optimizer: sgd({ learningRate: 0 }) });
    for (const thaw of [undefined, "rnn"]) {
      if (thaw) model.unfreeze(thaw);
      await trainer.restore(await (await trainerOf(model, { optimizer: sgd({ learningRate: 0 }) })).checkpoint());
      for await (const { gradientNorm } of trainer.run({ steps: 1 })) norms.push(gradientNorm);
    }
    expect(norms[0]).toBeGreaterThan(0);
    expect(norms[0]).toBeLessThan(norms[1]);
  });

  it("what was frozen from the start has its first update when it is let, as in PyTorch: corrections are its own, in a checkpoint too", async () => {
    // Adam's first update is learningRate · sign(gradient) of each element.
    const learningRate = 0.01;
    const model = modelOf();
    const trainer = await trainerOf(model, { optimizer: adam({ learningRate }) });
    model.freeze("out");
    await trainer.train({ steps: 5 });
    const resumed = await trainerOf(modelOf(), { optimizer: adam({ learningRate }) });
    await resumed.restore(await trainer.checkpoint());
    model.unfreeze();
    for (const one of [trainer, resumed]) {
      const before = await valuesOf(one.model);
      await one.train({ steps: 1 });
      const after = await valuesOf(one.model);
      after["out.bias"].forEach((value, i) => expect(Math.abs(value - before["out.bias"][i])).toBeCloseTo(learningRate, 4));
    }
    expect(await valuesOf(resumed.model)).toEqual(await valuesOf(model));
  });

  it("a step that fails after a change gives back a moment of before or after it, not both", async () => {
    for (const bad of [3, 4, 5, 6]) {
      const shape = [2, 2, 1];
      const data = {
        batches: 99,
        batch: (step: number) => ({
          input: { shape, data: numbers(4, step) },
          targets: { shape, data: step === bad ? [1e30, 0, 0, 0] : numbers(4, step + 7) },
          startsSequence: false,
        }),
      };
      const make = (): Sequential => new Sequential({ rnn: new LSTM(1, 3), out: new Linear(3, 1) }, { seed: 1 });
      const { squaredError } = await import("webgpu-rnn");
      const of = async (): Promise<Trainer> =>
        new Trainer(make(), {
          backend: await backend(kind),
          data,
          loss: squaredError(),
          optimizer: adam({ learningRate: 0.05 }),
          strategy: "step",
        });
      const contents = async (trainer: Trainer): Promise<unknown> =>
        Object.entries(decodeSafetensors(await trainer.checkpoint()).tensors).map(([name, tensor]) => [name, ...tensor.data]);
      const trainer = await of();
      let at = -1;
      await expect(
        (async () => {
          for await (const { step } of trainer.run({ steps: 12 })) {
            if (step !== 2) continue;
            trainer.model.freeze("rnn");
            // As many steps as were in flight have been made with all parameters.
            at = trainer.step;
          }
        })(),
      ).rejects.toMatchObject({ kind: "numeric" });
      const quiet = await of();
      const first = Math.min(at, trainer.step);
      await quiet.train({ steps: first });
      quiet.model.freeze("rnn");
      if (trainer.step > first) await quiet.train({ steps: trainer.step - first });
      expect(await contents(trainer), `bad step ${bad}`).toEqual(await contents(quiet));
    }
  });

  it("refuses to train when everything is frozen, and continues when something is unfrozen", async () => {
    const model = modelOf();
    const trainer = await trainerOf(model);
    model.freeze();
    await expect(trainer.train({ steps: 2 })).rejects.toMatchObject({
      kind: "option",
      message: "Trainer: every parameter of the model is frozen; unfreeze those that are to be learnt",
    });
    model.unfreeze("out.bias");
    expect(await changedBy(trainer)).toEqual(["out.bias"]);
  });

  it("running statistics are updated beside frozen parameters", async () => {
    const model = new Sequential(
      { rnn: new LSTM(3, 4, { normalization: "batch", normalizedSteps: 4 }), out: new Linear(4, 2) },
      { seed: 2 },
    );
    const on = await backend(kind);
    const run = (): ReturnType<typeof forward> =>
      forward(model, { shape: [4, 2, 3], data: numbers(24, 3) }, { backend: on, training: true, strategy: "step" });
    model.freeze("rnn");
    const before = await valuesOf(model);
    await run();
    const after = await valuesOf(model);
    expect(Object.keys(after).filter((name) => after[name].join() !== before[name].join())).toEqual(["rnn.running_l0"]);
    expect(model.freeze()).not.toContain("rnn.running_l0");
    expect(() => {
      model.namedParameters().get("rnn.running_l0")!.trainable = true;
    }).toThrow("Parameter: running statistics are not learnt: trainable must stay false");
  });
});

describe("a pattern", () => {
  it.each<[string, string | RegExp, RegExp]>([
    ["a path", "out.bias", /^out\.bias$/],
    ["a module", "rnn", /^rnn\./],
    ["any letters", "*bias*", /bias/],
    ["a layer's end", "rnn.*_l0", /^rnn/],
    ["a RegExp with a memory", /weight/g, /weight/],
    ["all", "*", /./],
  ])("may be %s", (_, pattern, want) => {
    const model = modelOf();
    expect(model.freeze(pattern)).toEqual(names.filter((name) => want.test(name)));
    expect([...model.namedParameters()].filter(([, { trainable }]) => !trainable).map(([name]) => name)).toEqual(
      names.filter((name) => want.test(name)),
    );
  });

  it.each([
    ["nn", 'freeze: "nn" names no parameter; there are "embedding.weight",'],
    ["rnn.", "freeze: "],
    [5, "freeze: pattern must be a path, the start of one, or a RegExp, got 5"],
    [null, "freeze: pattern must be"],
    ["", "freeze: pattern must be"],
  ])("that names nothing is refused: %s", (pattern, message) => {
    expect(() => modelOf().freeze(pattern as string)).toThrow(message);
  });

  it("layers ask for it by name", () => {
    expect(() => new GRU(2, 3, { trainable: false } as object)).toThrow("freeze and unfreeze of the model say what is learnt, at any time");
  });
});
