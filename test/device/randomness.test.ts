// Each training step draws different masks, from the seed and the number of the step.
import { describe, expect, it } from "vitest";
import { Dropout, GRU, Linear, LSTM, RNN, Sequential, sgd, squaredError, Trainer, type Module, type TrainerOptions } from "webgpu-rnn";
import { randomWords } from "../../src/session/run-context.ts";
import { backend, kinds, numbers } from "./support.ts";

const steps = 12;
const models: Record<string, () => Module> = {
  dropout: () => new Sequential([new Dropout(0.5), new Linear(6, 4)], { seed: 1 }),
  "variational dropout": () => new Sequential([new Dropout(0.5, { variational: true }), new Linear(6, 4)], { seed: 1 }),
  "dropout between layers": () => new RNN(6, 4, { numLayers: 2, dropout: 0.5, seed: 1 }),
  "variational dropout between layers": () => new GRU(6, 4, { numLayers: 2, dropout: 0.5, variational: true, seed: 1 }),
  zoneout: () => new LSTM(6, 4, { zoneout: 0.5, seed: 1 }),
  "recurrent dropout": () => new GRU(6, 4, { recurrentDropout: 0.5, seed: 1 }),
};

describe.each(kinds)("in training on %s", (kind) => {
  /** Of a model that learns nothing, on the same batch at every step: they differ by what is drawn. */
  async function losses(make: () => Module, options: Partial<TrainerOptions> = {}, from = 0): Promise<number[]> {
    const input = { shape: [5, 4, 6], data: numbers(120, 2) };
    const targets = { shape: [5, 4, 4], data: numbers(80, 3) };
    const trainer = new Trainer(make(), {
      backend: await backend(kind),
      data: { batches: 1, batch: () => ({ input, targets, startsSequence: true }) },
      loss: squaredError(),
      optimizer: sgd({ learningRate: 0 }),
      seed: 4,
      strategy: "step",
      ...options,
    });
    if (from > 0) {
      await trainer.train({ steps: from });
      await trainer.restore(await trainer.checkpoint());
    }
    return (await trainer.train({ steps: steps - from })).losses;
  }

  it.each(Object.entries(models))(
    "each step has masks of its own, other seeds others, and a step the same ones wherever a run began: %s",
    async (_, make) => {
      const drawn = await losses(make);
      expect(new Set(drawn).size).toBe(steps);
      const other = await losses(make, { seed: 5 });
      expect(new Set([...drawn, ...other]).size).toBe(2 * steps);
      expect(await losses(make, {}, 7)).toEqual(drawn.slice(7));
    },
  );

  it("each of the seed's 53 bits makes other masks", async () => {
    const make = models.dropout;
    const seeds = [0, 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1, 2 ** 52];
    const runs: number[][] = [];
    for (const seed of seeds) runs.push(await losses(make, { seed }));
    for (const [i, one] of runs.entries())
      for (const [j, other] of runs.entries()) {
        const equal = one.filter((loss, step) => loss === other[step]).length;
        // Losses of two masks may round to the same number, but not step after step.
        if (i < j) expect(equal, `seeds ${seeds[i]} and ${seeds[j]}`).toBeLessThanOrEqual(1);
      }
  });
});

it("seed and step are the generator's key and counter, in two words each", () => {
  const words = [
    [0, 0],
    [1, 2],
    [2 ** 32 - 1, 2 ** 32],
    [2 ** 52 + 3, 2 ** 40 + 5],
  ].map(([seed, step]) => [...randomWords(seed, step)]);
  expect(words).toEqual([
    [0, 0, 0, 0],
    [1, 0, 2, 0],
    [2 ** 32 - 1, 0, 0, 1],
    [3, 2 ** 20, 5, 2 ** 8],
  ]);
});
