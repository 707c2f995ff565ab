/** Gradients in float64 against central differences, for what no oracle covers: whole models, dropout, unused parameters. */
import { describe, it } from "vitest";
import { Dropout, Embedding, GRU, Linear, LSTM, RNN, Sequential, type Tensor } from "webgpu-rnn";
import { checkGradients as check } from "./gradient-check.ts";
import { numbers } from "./support.ts";

const input = (shape: number[]): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b),
      3,
    ),
  ),
});

describe("gradients in float64 agree with finite differences", () => {
  it("LSTM, two layers, both directions, rows of different lengths, one of them empty", async () => {
    await check(new LSTM(2, 3, { numLayers: 2, bidirectional: true, seed: 1 }), {
      input: input([4, 3, 2]),
      lengths: [2, 4, 0],
      state: { h: input([4, 3, 3]), c: input([4, 3, 3]) },
    });
  });
  it("GRU, reset after", async () => {
    await check(new GRU(2, 4, { seed: 2 }), { input: input([4, 2, 2]), state: { h: input([1, 2, 4]) } });
  });
  it("GRU, reset before, both directions, different lengths", async () => {
    await check(new GRU(2, 3, { reset: "before", bidirectional: true, numLayers: 2, seed: 3 }), {
      input: input([4, 3, 2]),
      lengths: [4, 1, 0],
      state: { h: input([4, 3, 3]) },
    });
  });
  it("RNN with ReLU, batch first, no biases", async () => {
    await check(new RNN(3, 4, { nonlinearity: "relu", batchFirst: true, bias: false, seed: 4 }), { input: input([2, 3, 3]) });
  });
  it("a language model with dropout between layers and behind them", async () => {
    const model = new Sequential(
      [new Embedding(5, 3), new LSTM(3, 4, { numLayers: 2, dropout: 0.3 }), new Dropout(0.4), new Linear(4, 5)],
      { seed: 6 },
    );
    await check(model, { input: { shape: [4, 2], data: Uint32Array.of(0, 1, 2, 3, 4, 0, 2, 2) } }, true);
  });
});
