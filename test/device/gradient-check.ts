/** Gradients in float64 against central differences, number by number. */
import { expect } from "vitest";
import { forward, gradients, type Module, type ModelInputs, type StrategyName, type Tensor } from "webgpu-rnn";
import { backend, numbers } from "./support.ts";

const sum = (a: ArrayLike<number>, b: ArrayLike<number>): number => Array.from(a).reduce((total, x, i) => total + x * b[i], 0);

/** Weights of f(x - 2h), f(x - h), f(x + h), f(x + 2h) in the derivative: of fourth order, and of second. */
const fourth = { step: 1e-3, weights: new Map([[-2, 1 / 12], [-1, -2 / 3], [1, 2 / 3], [2, -1 / 12]]) }; // prettier-ignore
const second = { step: 2e-6, weights: new Map([[-1, -1 / 2], [1, 1 / 2]]) }; // prettier-ignore

/**
 * Compares every number's gradient with a difference quotient of fourth order over steps of 1e-3, whose error is of order
 * 1e-12. Norms over a few numbers bend more (`bends`): their steps are of 2e-6, and what rounding leaves is of order 1e-9.
 */
export async function checkGradients(
  model: Module,
  inputs: ModelInputs<Tensor>,
  training = false,
  { strategy, bends = false }: { strategy?: StrategyName; bends?: boolean } = {},
): Promise<void> {
  const on = await backend("cpu", "float64");
  const options = { backend: on, training, seed: 5, strategy };
  const dict = await model.stateDict();
  const exact = Object.fromEntries(Object.entries(dict).map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
  model.loadStateDict(exact);
  const { output, state } = await forward(model, inputs, options);
  const cotangent = Float64Array.from(numbers(output.data.length, 7));
  const stateCotangents: Record<string, Tensor> = Object.fromEntries(
    Object.entries(state).map(([path, { shape, data }], i) => [path, { shape, data: Float64Array.from(numbers(data.length, 11 + i)) }]),
  );
  const loss = async (changed: ModelInputs<Tensor>): Promise<number> => {
    const result = await forward(model, changed, options);
    return (
      sum(result.output.data, cotangent) +
      Object.entries(result.state).reduce((total, [path, { data }]) => total + sum(data, stateCotangents[path].data), 0)
    );
  };
  const result = await gradients(model, inputs, { output: { shape: output.shape, data: cotangent }, state: stateCotangents }, options);
  const { step: h, weights } = bends ? second : fourth;
  const [atol, rtol] = bends ? [1e-8, 1e-8] : [1e-10, 1e-9];
  let compared = 0;
  const compare = async (
    what: string,
    values: Float64Array,
    gradient: ArrayLike<number>,
    evaluate: () => Promise<number>,
  ): Promise<void> => {
    for (let i = 0; i < values.length; i++) {
      const before = values[i];
      let expected = 0;
      for (const [steps, weight] of weights) {
        values[i] = before + steps * h;
        expected += (weight / h) * (await evaluate());
      }
      values[i] = before;
      expect(Math.abs(gradient[i] - expected), `${what}[${i}]: ${gradient[i]} against ${expected}`).toBeLessThan(
        atol + rtol * Math.abs(expected),
      );
      compared++;
    }
  };
  // Running statistics have no gradient.
  for (const [name, { data }] of Object.entries(exact).filter(([name]) => model.namedParameters().get(name)!.trainable)) {
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
  expect(compared, "numbers compared").toBeGreaterThan(2);
}
