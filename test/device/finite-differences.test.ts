/** Gradients in float64 against central differences, for what no oracle covers: whole models, dropout, unused parameters. */
import { describe, expect, it } from "vitest";
import { Dropout, Embedding, forward, gradients, GRU, Linear, LSTM, RNN, Sequential, type Module, type ModelInputs, type Tensor } from "webgpu-rnn";
import { backend, numbers } from "./support.ts";

const sum = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((total, x, i) => total + x * b[i], 0);

/** Compares every third number's gradient with a difference quotient of fourth order, whose error is of order 1e-12. */
async function check(model: Module, inputs: ModelInputs, training = false): Promise<void> {
  const on = await backend("cpu", "float64");
  const options = { backend: on, training, seed: 5 };
  const dict = await model.stateDict();
  const exact = Object.fromEntries(Object.entries(dict).map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
  model.loadStateDict(exact);
  const { output, state } = await forward(model, inputs, options);
  const cotangent = Float64Array.from(numbers(output.data.length, 7));
  const stateCotangents: Record<string, Tensor> = Object.fromEntries(Object.entries(state).map(([path, { shape, data }], i) => [path, { shape, data: Float64Array.from(numbers(data.length, 11 + i)) }]));
  const loss = async (changed: ModelInputs): Promise<number> => {
    const result = await forward(model, changed, options);
    return sum(result.output.data, cotangent) + Object.entries(result.state).reduce((total, [path, { data }]) => total + sum(data, stateCotangents[path].data), 0);
  };
  const result = await gradients(model, inputs, { output: { shape: output.shape, data: cotangent }, state: stateCotangents }, options);
  const h = 1e-3;
  let compared = 0;
  const compare = async (what: string, values: Float64Array, gradient: ArrayLike<number>, evaluate: () => Promise<number>): Promise<void> => {
    for (let i = 0; i < values.length; i += 3) {
      const before = values[i];
      const at = async (offset: number): Promise<number> => {
        values[i] = before + offset;
        return evaluate();
      };
      const expected = (8 * (await at(h) - await at(-h)) - (await at(2 * h) - await at(-2 * h))) / (12 * h);
      values[i] = before;
      expect(Math.abs(gradient[i] - expected), `${what}[${i}]: ${gradient[i]} against ${expected}`).toBeLessThan(1e-10 + 1e-9 * Math.abs(expected));
      compared++;
    }
  };
  for (const [name, { data }] of Object.entries(exact)) {
    await compare(name, data, result.gradients.parameters[name].data, () => {
      model.loadStateDict(exact);
      return loss(inputs);
    });
  }
  model.loadStateDict(exact);
  if (result.gradients.input) {
    const values = Float64Array.from(inputs.input.data);
    const changed = { ...inputs, input: { shape: inputs.input.shape, data: values } };
    await compare("input", values, result.gradients.input.data, () => loss(changed));
  }
  for (const [path, { shape, data }] of Object.entries(inputs.state ?? {})) {
    const values = Float64Array.from(data);
    const changed = { ...inputs, state: { ...inputs.state, [path]: { shape, data: values } } };
    await compare(path, values, result.gradients.state[path].data, () => loss(changed));
  }
  expect(compared).toBeGreaterThan(15);
}

const input = (shape: number[]): Tensor => ({ shape, data: Float64Array.from(numbers(shape.reduce((a, b) => a * b), 3)) });

describe("gradients in float64 agree with finite differences", () => {
  it("LSTM, two layers, both directions, rows of different lengths, one of them empty", async () => {
    await check(new LSTM(2, 3, { numLayers: 2, bidirectional: true, seed: 1 }), { input: input([4, 3, 2]), lengths: [2, 4, 0], state: { h: input([4, 3, 3]), c: input([4, 3, 3]) } });
  });
  it("GRU, reset after", async () => {
    await check(new GRU(2, 4, { seed: 2 }), { input: input([4, 2, 2]), state: { h: input([1, 2, 4]) } });
  });
  it("GRU, reset before, both directions, different lengths", async () => {
    await check(new GRU(2, 3, { reset: "before", bidirectional: true, numLayers: 2, seed: 3 }), { input: input([4, 3, 2]), lengths: [4, 1, 0], state: { h: input([4, 3, 3]) } });
  });
  it("RNN with ReLU, batch first, no biases", async () => {
    await check(new RNN(3, 4, { nonlinearity: "relu", batchFirst: true, bias: false, seed: 4 }), { input: input([2, 3, 3]) });
  });
  it("a language model with dropout between layers and behind them", async () => {
    const model = new Sequential([new Embedding(5, 3), new LSTM(3, 4, { numLayers: 2, dropout: 0.3 }), new Dropout(0.4), new Linear(4, 5)], { seed: 6 });
    await check(model, { input: { shape: [4, 2], data: Uint32Array.of(0, 1, 2, 3, 4, 0, 2, 2) } }, true);
  });
});
