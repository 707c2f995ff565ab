/** Steps that change nothing: those whose loss is not finite, and those of which no target counts. */
import { describe, expect, it } from "vitest";
import {
  adam,
  adamw,
  createBackend,
  crossEntropy,
  Embedding,
  GRU,
  Linear,
  LSTM,
  nadam,
  rmsprop,
  RnnError,
  Sequential,
  sgd,
  squaredError,
  Trainer,
  type BatchLike,
  type Optimizer,
  type TrainerOptions,
  type TrainingData,
} from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { lossAndGradient, optimizerSteps } from "webgpu-rnn/inspect";
import { backend, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const optimizers: Readonly<Record<string, () => Optimizer>> = {
  sgd: () => sgd({ learningRate: 0.05 }),
  "sgd with momentum": () => sgd({ learningRate: 0.02, momentum: 0.9 }),
  rmsprop: () => rmsprop({ learningRate: 0.01 }),
  "rmsprop, centred, with momentum": () => rmsprop({ learningRate: 0.01, centered: true, momentum: 0.5 }),
  adam: () => adam({ learningRate: 0.02 }),
  adamw: () => adamw({ learningRate: 0.02 }),
  nadam: () => nadam({ learningRate: 0.02 }),
};

const [T, B] = [3, 2];
const shape = [T, B, 1];
/** Batches that continue where the ones before ended, except every fourth. */
const batchOf = (step: number, target?: number): BatchLike => {
  const targets = numbers(T * B, step + 50);
  if (target !== undefined) targets[1] = target;
  return { input: { shape, data: numbers(T * B, step) }, targets: { shape, data: targets }, startsSequence: step % 4 === 0 };
};
const clean: TrainingData = { batches: 100, batch: (step) => batchOf(step) };
/** Running statistics and carried states are both there. */
const statefulModel = (): Sequential =>
  new Sequential([new LSTM(1, 3, { normalization: "batch", normalizedSteps: T }), new GRU(3, 4), new Linear(4, 1)], { seed: 3 });

const contentsOf = async (trainer: Trainer): Promise<unknown> => {
  const { tensors, metadata } = decodeSafetensors(await trainer.checkpoint());
  return { metadata, tensors: Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, [...data]])) };
};

it("a device that says of itself that a step failed, when none did, is an error and no endless wait", async () => {
  const on = await createBackend("cpu");
  const trainer = new Trainer(statefulModel(), { backend: on, data: clean, loss: squaredError(), optimizer: adam() });
  await trainer.train({ steps: 2 });
  const read = on.read.bind(on);
  on.read = async (buffer, offset, length) => (await read(buffer, offset, length)).map((value) => (buffer.label === "norm" ? 0 : value));
  await expect(trainer.checkpoint()).rejects.toMatchObject({ kind: "device" });
  on.destroy();
});

describe.each(kinds)("on %s, a step that is not finite", (kind) => {
  const trainerOf = async (options: Partial<TrainerOptions>): Promise<Trainer> => {
    return new Trainer(statefulModel(), {
      backend: await backend(kind),
      data: clean,
      loss: squaredError(),
      optimizer: adam(),
      seed: 5,
      strategy: "step",
      ...options,
    });
  };

  it.each(sampledOn(kind, Object.entries(optimizers), 3))(
    "leaves everything as it was after the step that `step` says, whichever step it is: %s",
    async (name, optimizer) => {
      const moments: unknown[] = [];
      const quiet = await trainerOf({ optimizer: optimizer() });
      for (let step = 0; step < 8; step++) {
        moments.push(await contentsOf(quiet));
        await quiet.train({ steps: 1 });
      }
      // 1e30 squared is infinite; the loss of 1e18 is finite, but its gradient would fill slots for thousands of steps.
      const badSteps = [
        [0, 1e30],
        [1, 1e18],
        [2, 1e30],
        [7, 1e30],
        [5, 1e18],
      ] as const;
      for (const [bad, target] of sampled(badSteps, 2)) {
        let broken = true;
        const data: TrainingData = { batches: 100, batch: (step) => batchOf(step, step === bad && broken ? target : undefined) };
        const trainer = await trainerOf({ optimizer: optimizer(), data });
        const told: number[] = [];
        await expect(trainer.train({ steps: 12, onProgress: ({ step }) => told.push(step) })).rejects.toMatchObject({ kind: "numeric" });
        expect(told).toEqual(Array.from({ length: bad }, (_, i) => i + 1));
        expect(trainer.step).toBe(Math.max(0, bad - 1));
        expect(await contentsOf(trainer), `${name}, bad step ${bad}`).toEqual(moments[trainer.step]);
        broken = false;
        // And it continues from there as if nothing had happened.
        await trainer.train({ steps: 7 - trainer.step });
        expect(await contentsOf(trainer), `${name}, on from bad step ${bad}`).toEqual(moments[7]);
      }
    },
  );

  it("leaves a checkpoint that somebody takes before it is told right", async () => {
    const moments: unknown[] = [];
    const quiet = await trainerOf({});
    for (let step = 0; step < 8; step++) {
      moments.push(await contentsOf(quiet));
      await quiet.train({ steps: 1 });
    }
    for (const bad of sampled([1, 3, 4, 6], 2)) {
      const trainer = await trainerOf({ data: { batches: 100, batch: (step) => batchOf(step, step === bad ? 1e30 : undefined) } });
      const seen: { step: number; contents: Record<string, unknown> }[] = [];
      await expect(
        (async () => {
          for await (const { step } of trainer.run({ steps: 12 })) {
            const contents = (await contentsOf(trainer)) as { metadata: { step: string } };
            seen.push({ step, contents });
            expect(contents).toEqual(moments[Number(contents.metadata.step)]);
          }
        })(),
      ).rejects.toMatchObject({ kind: "numeric" });
      expect(seen.map(({ step }) => step)).toEqual(Array.from({ length: bad }, (_, i) => i + 1));
    }
  });

  it("gives the states of batches of another size back", async () => {
    const rows = (step: number): number => (step % 3 === 2 ? 1 : 2);
    const sized = (step: number, target?: number): BatchLike => {
      const size = [T, rows(step), 1];
      const targets = numbers(T * rows(step), step + 9);
      if (target !== undefined) targets[0] = target;
      return {
        input: { shape: size, data: numbers(T * rows(step), step) },
        targets: { shape: size, data: targets },
        startsSequence: step % 3 !== 1,
      };
    };
    const model = (): Sequential => new Sequential([new GRU(1, 4), new Linear(4, 1)], { seed: 1 });
    const make = async (data: TrainingData): Promise<Trainer> =>
      new Trainer(model(), { backend: await backend(kind), data, loss: squaredError(), optimizer: adam(), strategy: "step" });
    const quiet = await make({ batches: 9, batch: (step) => sized(step) });
    const moments: unknown[] = [];
    for (let step = 0; step < 8; step++) {
      moments.push(await contentsOf(quiet));
      await quiet.train({ steps: 1 });
    }
    for (const bad of sampled([0, 1, 2, 3, 4, 5, 6, 7], 3)) {
      const trainer = await make({ batches: 9, batch: (step) => sized(step, step === bad ? 1e30 : undefined) });
      await expect(trainer.train({ steps: 12 })).rejects.toMatchObject({ kind: "numeric" });
      expect(await contentsOf(trainer), `bad step ${bad}`).toEqual(moments[Math.max(0, bad - 1)]);
    }
  });
});

describe.each(kinds)("on %s, a step of which no target counts", (kind) => {
  const vocabulary = 5;
  const ids = (step: number): BatchLike => ({
    input: { shape: [2, 2], data: [1, 2, step % 5, 3] },
    targets: { shape: [2, 2], data: [2, step % 5, 0, 1] },
    startsSequence: false,
  });
  const ignored = { shape: [2, 2], data: [-100, -100, -100, -100] };
  const zeros = { shape: [2, 2], data: [0, 0, 0, 0] };
  const make = async (data: TrainingData, optimizer = adamw({ learningRate: 0.05 })): Promise<Trainer> => {
    const model = new Sequential([new Embedding(vocabulary, 3), new GRU(3, 4), new Linear(4, vocabulary)], { seed: 1 });
    return new Trainer(model, { backend: await backend(kind), data, loss: crossEntropy(), optimizer, clipNorm: 1, strategy: "step" });
  };
  const parametersOf = async (trainer: Trainer): Promise<number[]> =>
    Object.values(await trainer.model.stateDict()).flatMap(({ data }) => [...data]);

  it.each(sampledOn(kind, Object.entries(optimizers), 3))(
    "changes no parameter and no slot, has loss 0 and is counted: %s",
    async (name, optimizer) => {
      for (const empty of sampled([[0], [1], [3], [0, 1, 2], [2, 3]], 2)) {
        const data: TrainingData = {
          batches: 9,
          batch: (step) => (empty.includes(step) ? { ...ids(step), ...(step % 2 ? { targets: ignored } : { mask: zeros }) } : ids(step)),
        };
        const trainer = await make(data, optimizer());
        for (let step = 0; step < 5; step++) {
          const [before, slots] = [await parametersOf(trainer), await slotsOf(trainer)];
          for await (const { loss, gradientNorm, targets } of trainer.run({ steps: 1 })) {
            if (empty.includes(step)) expect([loss, gradientNorm, targets]).toEqual([0, 0, 0]);
            else expect(targets).toBe(4);
          }
          expect(trainer.step).toBe(step + 1);
          if (empty.includes(step))
            expect([await parametersOf(trainer), await slotsOf(trainer)], `${name}, step ${step}`).toEqual([before, slots]);
          else expect(await parametersOf(trainer)).not.toEqual(before);
        }
      }
    },
  );

  it("does not count in the optimiser's corrections, from a checkpoint neither", async () => {
    // Steps 0 to 2 are empty: from zero states, step 3 is a first update.
    const startsAt = (first: number): TrainingData => ({
      batches: 9,
      batch: (step) => ({ ...ids(3), startsSequence: true, ...(step < first && { targets: ignored }) }),
    });
    const want = await make(startsAt(0));
    await want.train({ steps: 1 });
    const got = await make(startsAt(3));
    await got.train({ steps: 4 });
    expect(await parametersOf(got)).toEqual(await parametersOf(want));
    const resumed = await make(startsAt(3));
    await resumed.restore(await got.checkpoint());
    for (const trainer of [want, got, resumed]) await trainer.train({ steps: 3 });
    expect(await parametersOf(got)).toEqual(await parametersOf(want));
    expect(await parametersOf(resumed)).toEqual(await parametersOf(want));
  });

  it("carries states on all the same", async () => {
    const want = await make({ batches: 9, batch: ids }, sgd({ learningRate: 0 }));
    const got = await make(
      { batches: 9, batch: (step) => ({ ...ids(step), ...(step < 3 && { targets: ignored }) }) },
      sgd({ learningRate: 0 }),
    );
    const losses = await Promise.all([want, got].map(async (trainer) => (await trainer.train({ steps: 5 })).losses.slice(3)));
    expect(losses[1]).toEqual(losses[0]);
  });

  it("is nothing to evaluate: the loss is 0, and in a mean over others it does not count", async () => {
    const trainer = await make({ batches: 9, batch: ids });
    const nothing = await trainer.evaluate({ batches: 2, batch: () => ({ ...ids(1), targets: ignored }) });
    expect(nothing).toEqual({ loss: 0, bitsPerCharacter: 0, perplexity: 1, targets: 0 });
    const starting = (step: number): BatchLike => ({ ...ids(step), startsSequence: true });
    const want = await trainer.evaluate({ batches: 2, batch: starting });
    const got = await trainer.evaluate({
      batches: 4,
      batch: (step) => (step % 2 ? { ...starting(step), mask: zeros } : starting(step / 2)),
    });
    expect(got).toEqual(want);
    expect(want.targets).toBe(8);
  });

  it("has no gradient in lossAndGradient either", async () => {
    const on = await backend(kind);
    for (const reduction of ["mean", "sum"] as const) {
      const { loss, gradient, targets } = await lossAndGradient(
        crossEntropy({ reduction }),
        { prediction: { shape: [2, 2, 3], data: numbers(12, 1) }, targets: ignored },
        { backend: on },
      );
      expect([loss, targets, ...gradient.data]).toEqual(new Array(14).fill(0));
    }
  });

  const slotsOf = async (trainer: Trainer): Promise<unknown> =>
    Object.entries(decodeSafetensors(await trainer.checkpoint()).tensors)
      .filter(([name]) => name.startsWith("optimizer."))
      .map(([name, { data }]) => [name, ...data]);
});

describe.each(kinds)("on %s", (kind) => {
  it("evaluate reports the sum of a loss that is a sum", async () => {
    const on = await backend(kind);
    const model = new Linear(2, 1, { seed: 1 });
    const data: TrainingData = {
      batches: 3,
      batch: (step) => ({ input: { shape: [2, 2], data: numbers(4, step) }, targets: { shape: [2, 1], data: numbers(2, step + 5) } }),
    };
    const of = async (reduction: "mean" | "sum" | "halfSum"): Promise<number> =>
      (await new Trainer(model, { backend: on, data, loss: squaredError({ reduction }), optimizer: sgd() }).evaluate()).loss;
    const mean = await of("mean");
    expect(await of("sum")).toBeCloseTo(6 * mean, 5);
    expect(await of("halfSum")).toBeCloseTo(3 * mean, 5);
  });

  it("optimizerSteps refuses gradients whose norm is too large for a step, unless they are clipped", async () => {
    const on = await backend(kind);
    const parameters = { w: { shape: [2], data: [1, 2] } };
    const gradients = [{ w: { shape: [2], data: [1, 1] } }, { w: { shape: [2], data: [3e16, 1] } }];
    await expect(optimizerSteps(adam(), parameters, gradients, { backend: on })).rejects.toThrow(RnnError);
    const steps = await optimizerSteps(sgd({ learningRate: 1 }), parameters, gradients, { backend: on, clipNorm: 1 });
    expect(steps[1].w.data[0]).toBeCloseTo(steps[0].w.data[0] - 1, 5);
  });
});
