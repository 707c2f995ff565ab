/** How runs of trainers begin and end, beside one another and one after the other. */
import { describe, expect, it } from "vitest";
import {
  adam,
  crossEntropy,
  Embedding,
  GRU,
  Linear,
  LSTM,
  Sequential,
  squaredError,
  TextData,
  Trainer,
  type Batch,
  type Progress,
  type TrainerOptions,
  type TrainingData,
} from "webgpu-rnn";
import { backend, kinds, numbers } from "./support.ts";

const text = TextData.from("It is not down in any map; true places never are. ".repeat(8), { batch: 2, steps: 4 });
const vocabulary = text.vocabulary.size;
const modelOf = (): Sequential => new Sequential([new Embedding(vocabulary, 3), new LSTM(3, 4), new Linear(4, vocabulary)], { seed: 1 });
const pause = (milliseconds = 1): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));
const lossesOf = async (trainer: Trainer, steps: number): Promise<number[]> => (await trainer.train({ steps })).losses;

describe.each(kinds)("a trainer on %s", (kind) => {
  const trainerOf = async (
    options: Partial<TrainerOptions> = {},
    model: TrainerOptions extends never ? never : ConstructorParameters<typeof Trainer>[0] = modelOf(),
  ): Promise<Trainer> => {
    return new Trainer(model, {
      backend: await backend(kind),
      data: text,
      loss: crossEntropy(),
      optimizer: adam({ learningRate: 0.03 }),
      strategy: "step",
      ...options,
    });
  };

  it("trains by one call that can be awaited, and tells each step", async () => {
    const told: Progress[] = [];
    const summary = await (await trainerOf()).train({ steps: 5, onProgress: (progress) => told.push(progress) });
    const looped: number[] = [];
    for await (const { loss } of (await trainerOf()).run({ steps: 5 })) looped.push(loss);
    expect(summary).toMatchObject({ steps: 5, losses: looped });
    expect(told.map(({ step, loss }) => [step, loss])).toEqual(looped.map((loss, i) => [i + 1, loss]));
    expect(summary.seconds).toBeGreaterThan(0);
    expect(summary.tokensPerSecond).toBe(told[4].tokensPerSecond);
  });

  it("waits for onProgress, ends when it throws, and goes on afterwards", async () => {
    const trainer = await trainerOf();
    let open = 0;
    await trainer.train({
      steps: 4,
      onProgress: async () => {
        expect(++open).toBe(1);
        await pause();
        open--;
      },
    });
    await expect(
      trainer.train({
        steps: 9,
        onProgress: ({ step }) => {
          if (step === 6) throw new Error("enough");
        },
      }),
    ).rejects.toThrow("enough");
    expect(await lossesOf(trainer, 1)).toHaveLength(1);
    await expect(trainer.train({ steps: 1, onProgress: "loud" as never })).rejects.toMatchObject({
      kind: "option",
      message: 'Trainer: onProgress must be a function, got "loud"',
    });
  });

  it("ends a call when its signal aborts, and says how many steps it made", async () => {
    const stop = new AbortController();
    const trainer = await trainerOf();
    const { steps } = await trainer.train({ steps: 1000, signal: stop.signal, onProgress: ({ step }) => step === 3 && stop.abort() });
    expect(steps).toBe(trainer.step);
    expect(steps).toBeLessThan(10);
  });

  it("refuses wrong options in the call, before anything is iterated", async () => {
    const trainer = await trainerOf();
    expect(() => trainer.run({ steps: -1 })).toThrow("Trainer: steps must be an integer of at least 0, got -1");
  });

  it.each([
    ["a break", false],
    ["a return that nobody waits for", true],
  ])("goes on after %s as if nothing had been", async (_, forgets) => {
    const want = await lossesOf(await trainerOf(), 30);
    const trainer = await trainerOf();
    const got: number[] = [];
    while (trainer.step < 20) {
      const run = trainer.run({ steps: 10 });
      for (let i = 0; i < 3; i++) {
        const { value } = await run.next();
        if (value) got[value.step - 1] = value.loss;
      }
      const end = run.return();
      if (!forgets) await end;
    }
    for await (const { step, loss } of trainer.run({ steps: 30 - trainer.step })) got[step - 1] = loss;
    expect(trainer.step).toBe(30);
    // None is missing: those in flight when a loop was left came first in the next.
    expect(Array.from(got)).toEqual(want);
  });

  it("reports the steps in flight when a loop was left, once each and in order, and does not count them as the next run's", async () => {
    for (const leftAfter of [1, 2, 5]) {
      const trainer = await trainerOf();
      const told: number[] = [];
      for await (const { step } of trainer.run({ steps: 20 })) {
        told.push(step);
        if (step === leftAfter) break;
      }
      const made = trainer.step;
      const { steps, losses } = await trainer.train({ steps: 4, onProgress: ({ step }) => told.push(step) });
      expect([steps, losses.length, trainer.step]).toEqual([4, 4, made + 4]);
      expect(told).toEqual(Array.from({ length: made + 4 }, (_, i) => i + 1));
    }
    // Steps before the restored one are not reported again.
    const trainer = await trainerOf();
    const start = await trainer.checkpoint();
    for await (const _ of trainer.run({ steps: 20 })) break;
    await trainer.restore(start);
    const told: number[] = [];
    await trainer.train({ steps: 2, onProgress: ({ step }) => told.push(step) });
    expect(told).toEqual([1, 2]);
  });

  it("reports all steps before an error of its data, and continues when the data does", async () => {
    for (const rejects of [false, true]) {
      for (const bad of [0, 1, 4, 7]) {
        let broken = true;
        const data: TrainingData = {
          batches: text.batches,
          batch: (step) => {
            if (step !== bad || !broken) return rejects ? pause(0).then(() => text.batch(step)) : text.batch(step);
            if (rejects) return Promise.reject(new Error("no such row"));
            throw new Error("no such row");
          },
        };
        const trainer = await trainerOf({ data });
        const seen: number[] = [];
        await expect(
          (async () => {
            for await (const { step } of trainer.run({ steps: 12 })) seen.push(step);
          })(),
        ).rejects.toThrow("no such row");
        expect(seen).toEqual(Array.from({ length: bad }, (_, i) => i + 1));
        expect(trainer.step).toBe(bad);
        broken = false;
        const rest = await lossesOf(trainer, 12 - bad);
        expect(rest).toEqual((await lossesOf(await trainerOf(), 12)).slice(bad));
      }
    }
  });

  it("takes batches that come as promises, and asks for the next one while it computes", async () => {
    const want = await trainerOf();
    const losses = await lossesOf(want, 9);
    const asked: number[] = [];
    const data: TrainingData = {
      batches: text.batches,
      batch: async (step, batchFirst) => {
        asked.push(step);
        await pause(step % 3);
        return text.batch(step, batchFirst);
      },
    };
    const trainer = await trainerOf({ data });
    const ahead: number[] = [];
    const got: number[] = [];
    for await (const { step, loss } of trainer.run({ steps: 9 })) {
      got.push(loss);
      ahead.push(asked.length - step);
    }
    expect(got).toEqual(losses);
    expect(
      ahead.slice(0, -1).every((n) => n >= 1),
      ahead.join(),
    ).toBe(true);
    expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect((await trainer.evaluate(undefined, { batches: 3 })).loss).toBe((await want.evaluate(undefined, { batches: 3 })).loss);
    expect(await trainer.plannedMemory()).toEqual(await want.plannedMemory());
    const resumed = await trainerOf({ data });
    await resumed.restore(await trainer.checkpoint());
    expect(await lossesOf(resumed, 3)).toEqual(await lossesOf(want, 3));
  });

  it("says whether carried states fit batches that come as promises", async () => {
    const file = await (async () => {
      const trainer = await trainerOf();
      await trainer.train({ steps: 2 });
      return trainer.checkpoint();
    })();
    const wider = TextData.from("It is not down in any map; true places never are. ".repeat(8), { batch: 3, steps: 4 });
    const trainer = await trainerOf({ data: { batches: 9, batch: (step) => Promise.resolve(wider.batch(step)) } });
    await expect(trainer.restore(file)).rejects.toMatchObject({
      kind: "format",
      message: '"checkpoint: "carried.1.h" must hold 12 numbers for this trainer\'s batches, got 8; keep the batch size'.slice(1),
    });
  });

  it("goes on from a checkpoint before any batch, also one that starts sequences with another number of rows", async () => {
    const texts = [2, 3, 1].map((rows) =>
      TextData.from("It is not down in any map; true places never are. ".repeat(8), { batch: rows, steps: 4 }),
    );
    // Two batches of each number of rows: the second goes on from the first.
    const batch = (step: number): Batch => ({ ...texts[Math.floor(step / 2) % 3].batch(step % 2), startsSequence: step % 2 === 0 });
    const data = { batches: 6, batch };
    const losses = await lossesOf(await trainerOf({ data }), 6);
    for (let step = 1; step < 6; step++) {
      const trainer = await trainerOf({ data });
      await trainer.train({ steps: step });
      const resumed = await trainerOf({ data });
      await resumed.restore(await trainer.checkpoint());
      expect(await lossesOf(resumed, 6 - step)).toEqual(losses.slice(step));
    }
  });

  it("restores a file as it is at the moment of the call", async () => {
    const trainer = await trainerOf();
    await trainer.train({ steps: 2 });
    const file = await trainer.checkpoint();
    for (let time = 0; time < 2; time++) {
      const resumed = await trainerOf();
      const given = file.slice();
      const restoring = resumed.restore(given);
      given.fill(0);
      await restoring;
      expect(resumed.step).toBe(2);
      expect(await resumed.checkpoint()).toEqual(file);
    }
  });

  it("stops waiting for a batch when its signal aborts, having told all steps before", async () => {
    const stop = new AbortController();
    const data: TrainingData = {
      batches: 9,
      batch: (step) => (step < 3 ? Promise.resolve(text.batch(step)) : new Promise<Batch>(() => undefined)),
    };
    const { steps } = await (
      await trainerOf({ data })
    ).train({
      steps: 9,
      signal: stop.signal,
      onProgress: ({ step }) => {
        if (step === 3) setTimeout(() => stop.abort(), 5);
      },
    });
    expect(steps).toBe(3);
  });

  it("refuses a second trainer on the same parameters while one runs, and no other", async () => {
    const shared = new LSTM(3, 4, { seed: 2 });
    const one = new Sequential([new Embedding(vocabulary, 3), shared, new Linear(4, vocabulary)], { seed: 1 });
    const other = new Sequential([new Embedding(vocabulary, 3), shared, new Linear(4, vocabulary)], { seed: 3 });
    const first = await trainerOf({}, one);
    for await (const { step } of first.run({ steps: 3 })) {
      await expect((await trainerOf({}, one)).train({ steps: 1 })).rejects.toMatchObject({
        kind: "option",
        message: 'Trainer: another trainer is running on this model, or on one that shares "0.weight" with it; end its loop first',
      });
      await expect((await trainerOf({}, other)).train({ steps: 1 })).rejects.toMatchObject({
        kind: "option",
        message: /shares "1\.weight_ih_l0"/,
      });
      await expect(first.train({ steps: 1 })).rejects.toMatchObject({ message: "Trainer: is running already; leave the other loop first" });
      expect(await lossesOf(await trainerOf(), 1), `beside step ${step}`).toHaveLength(1);
    }
    expect(await lossesOf(await trainerOf({}, other), 2)).toHaveLength(2);
  });

  it("reports the learning rate that a step was made with", async () => {
    let rate = 0.1;
    const used: number[] = [];
    const trainer = await trainerOf({ optimizer: adam({ learningRate: (step) => (used[step] = rate) }) });
    const said: number[] = [];
    for await (const { step, learningRate } of trainer.run({ steps: 10 })) {
      said.push(learningRate);
      if (step % 3 === 0) rate /= 2;
    }
    expect(said).toEqual(used);
    expect(new Set(said).size).toBeGreaterThan(1);
  });

  it("takes a batch of other rows that starts its sequences, and no other", async () => {
    const layer = (): GRU => new GRU(3, 4, { seed: 1 });
    const dataOf = (rows: readonly number[], starts: (step: number) => boolean): TrainingData => ({
      batches: rows.length,
      batch: (step) => {
        const n = rows[step % rows.length];
        return {
          input: { shape: [4, n, 3], data: numbers(12 * n, step + 1) },
          targets: { shape: [4, n, 4], data: numbers(16 * n, step + 50) },
          startsSequence: starts(step),
        };
      },
    });
    const run = async (rows: readonly number[], starts: (step: number) => boolean, carryState = true): Promise<number[]> =>
      lossesOf(await trainerOf({ data: dataOf(rows, starts), loss: squaredError(), carryState }, layer()), 8);
    // Where every batch starts its sequences, carrying makes no difference.
    expect(await run([3, 3, 2], () => true)).toEqual(await run([3, 3, 2], () => true, false));
    // 20 sizes are more than are kept.
    const sizes = Array.from({ length: 20 }, (_, i) => 1 + i);
    const many = await trainerOf({ data: dataOf(sizes, () => true), loss: squaredError() }, layer());
    expect(await lossesOf(many, 40)).toEqual(
      await lossesOf(await trainerOf({ data: dataOf(sizes, () => true), loss: squaredError(), carryState: false }, layer()), 40),
    );
    const wrong = run([3, 2], (step) => step === 0);
    await expect(wrong).rejects.toMatchObject({
      kind: "shape",
      message:
        "carried.h: carries 12 numbers, but this batch needs 8; keep the number of rows, or let a batch of another one start its sequences (startsSequence: true)",
    });
    const evaluated = await (await trainerOf({ data: dataOf([2, 2, 1], () => true), loss: squaredError() }, layer())).evaluate();
    expect(evaluated.loss).toBe(
      (await (await trainerOf({ data: dataOf([2, 2, 1], () => true), loss: squaredError(), carryState: false }, layer())).evaluate()).loss,
    );
  });
});
