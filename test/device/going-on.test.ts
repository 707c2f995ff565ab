// How a trainer continues: after a restore, after a step that is not finite, after parameters were loaded between runs.
import { describe, expect, it } from "vitest";
import {
  adam,
  GRU,
  Linear,
  LSTM,
  rmsprop,
  RNN,
  Sequential,
  sgd,
  squaredError,
  Trainer,
  type Module,
  type Optimizer,
  type Schedule,
  type StateDict,
  type TrainingData,
} from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { backend, kinds, numbers } from "./support.ts";

const layers: Record<string, () => Module> = {
  rnn: () => new RNN(2, 3),
  relu: () => new RNN(2, 3, { nonlinearity: "relu" }),
  lstm: () => new LSTM(2, 3, { numLayers: 2 }),
  gru: () => new GRU(2, 3, { reset: "before" }),
};
const modelOf = (layer: string, seed = 1): Module => new Sequential({ layer: layers[layer](), out: new Linear(3, 1) }, { seed });

/** Batches that continue each other, with different numbers at each step; `bad` is the target in one of them. */
const sequence = (bad: { step?: number } = {}): TrainingData => ({
  batches: 100,
  batch: (step) => {
    const targets = numbers(6, step + 50);
    if (step === bad.step) targets[4] = 3e38;
    return { input: { shape: [3, 2, 2], data: numbers(12, step + 7) }, targets: { shape: [3, 2, 1], data: targets } };
  },
});

const optimizers: Record<string, (learningRate: Schedule) => Optimizer> = {
  sgd: (learningRate) => sgd({ learningRate, momentum: 0.9 }),
  adam: (learningRate) => adam({ learningRate }),
  rmsprop: (learningRate) => rmsprop({ learningRate, centered: true, momentum: 0.5 }),
};

interface Setting {
  readonly data?: TrainingData;
  readonly optimizer?: string;
  readonly learningRate?: Schedule;
}

describe.each(kinds)("a trainer on %s", (kind) => {
  const make = async (
    layer: string,
    { data = sequence(), optimizer = "adam", learningRate = () => 0.02 }: Setting = {},
  ): Promise<Trainer> =>
    new Trainer(modelOf(layer), {
      backend: await backend(kind),
      data,
      loss: squaredError(),
      optimizer: optimizers[optimizer](learningRate),
      strategy: "step",
    });
  const losses = async (trainer: Trainer, steps: number): Promise<number[]> => (await trainer.train({ steps })).losses;

  it.each(Object.keys(layers))(
    "that has gone on is back, states and all, where a checkpoint was taken, before its first step too: %s",
    async (layer) => {
      const trainer = await make(layer);
      const files = [await trainer.checkpoint()];
      const straight: number[] = [];
      for (let step = 0; step < 6; step++) {
        straight.push(...(await losses(trainer, 1)));
        files.push(await trainer.checkpoint());
      }
      for (const step of [3, 0, 5, 1, 0, 4, 2]) {
        await trainer.restore(files[step]);
        expect(trainer.step).toBe(step);
        expect(await trainer.checkpoint()).toEqual(files[step]);
        expect(await losses(trainer, 6 - step), `from step ${step}`).toEqual(straight.slice(step));
      }
    },
  );

  // The rules of the optimisers are the same on a device, which takes many times the time.
  const tried = kind === "webgpu" ? ["rmsprop"] : Object.keys(optimizers);
  it.each(Object.keys(layers).flatMap((layer) => tried.map((optimizer) => [layer, optimizer])))(
    "has finite parameters and states after a step that is not finite, and goes on with finite losses: %s, %s",
    async (layer, optimizer) => {
      const finite = (what: string, values: ArrayLike<number>): void =>
        expect(Array.from(values).every(Number.isFinite), `${what}: ${Array.from(values).join()}`).toBe(true);
      // A target that squares to infinity spoils the loss alone; an absurd learning rate spoils the states that follow, too.
      for (const spoils of ["target", "states"]) {
        for (let at = 0; at < 5; at++) {
          const bad: { step?: number } = { step: at };
          const learningRate = (step: number): number => (spoils === "states" && step === bad.step ? 3e38 : 0.05);
          const trainer = await make(layer, { data: sequence(spoils === "target" ? bad : {}), optimizer, learningRate });
          await expect(trainer.train({ steps: 9 }), `${spoils} of step ${at}`).rejects.toThrow(/gave loss/);
          bad.step = undefined;
          for (const [name, { data }] of Object.entries(decodeSafetensors(await trainer.checkpoint()).tensors))
            finite(`${name} after step ${at}`, data);
          const rest = await losses(trainer, 4);
          expect(rest.length).toBe(4);
          finite(`losses after step ${at}`, rest);
        }
      }
    },
  );

  it("falls back on parameters that were there when a run began, not on those of an earlier run or on zeros", async () => {
    const listed = (dict: StateDict): unknown => Object.entries(dict).map(([name, { data }]) => [name, [...data]]);
    for (let earlier = 0; earlier < 4; earlier++) {
      const bad: { step?: number } = {};
      const trainer = await make("rnn", { data: sequence(bad) });
      if (earlier > 0) await losses(trainer, earlier);
      const loaded = await modelOf("rnn", earlier + 20).stateDict();
      trainer.model.loadStateDict(loaded);
      bad.step = earlier;
      await expect(trainer.train({ steps: 3 })).rejects.toThrow(/gave loss Infinity/);
      expect(listed(await trainer.model.stateDict())).toEqual(listed(loaded));
      expect(trainer.step).toBe(earlier);
    }
  });
});
