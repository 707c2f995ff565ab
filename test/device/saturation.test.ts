/** Functions and gates far from 0, where float32 loses digits first. */
import { describe, expect, it } from "vitest";
import { createBackend, forward, gradients, GRU, LSTM, RNN, Sigmoid, Tanh, type Backend } from "webgpu-rnn";
import { backend, numbers } from "./support.ts";

const backends: readonly [string, () => Promise<Backend>][] = [
  ["WebAssembly", () => backend("cpu")],
  ["JavaScript", () => createBackend("cpu", { wasm: false })],
  ["WebGPU", () => backend("webgpu")],
  ["float64", () => backend("cpu", "float64")],
];

const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
/** Fails unless every number is within a relative error of 1e-5 (or `digits`) of the right one. */
function expectRelative(what: string, at: ArrayLike<number>, actual: ArrayLike<number>, right: (x: number) => number, most = 1e-5): void {
  for (let i = 0; i < at.length; i++) {
    const error = Math.abs(actual[i] - right(at[i]));
    if (!(error <= most * Math.abs(right(at[i])))) expect.fail(`${what}(${at[i]}) is ${actual[i]}, expected ${right(at[i])}`);
  }
}

/** -80 to 80, every number a float32 that is no round one. */
const wide = Float32Array.from({ length: 160 * 97 + 1 }, (_, i) => i / 97 - 80);
/** Powers of 2 from 2^-100 up to 32, both signs, in steps of 1/32. */
const small = Float32Array.from({ length: 2 * 105 * 32 }, (_, i) => (i % 2 ? 1 : -1) * 2 ** (Math.floor(i / 2) / 32 - 100));

describe.each(backends)("on %s", (_, make) => {
  it("σ keeps its relative error from -80 to 80", async () => {
    const { output } = await forward(new Sigmoid(), { shape: [1, wide.length], data: wide }, { backend: await make() });
    expectRelative("σ", wide, output.data, sigma);
  });

  it("tanh keeps its relative error from 2^-100 to 32", async () => {
    const x = Float32Array.from([...small, ...wide]);
    const { output } = await forward(new Tanh(), { shape: [1, x.length], data: x }, { backend: await make() });
    expectRelative("tanh", x, output.data, Math.tanh);
    expect(output.data.every((v) => Math.abs(v) <= 1)).toBe(true);
  });

  it.each(["loop", "step"] as const)("an LSTM's gates are as closed as their sums say, and so are gradients (%s)", async (strategy) => {
    const H = 161;
    const b = Float32Array.from({ length: H }, (_, i) => i - 80.3);
    const zero = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((x, y) => x * y)) });
    const layer = new LSTM(1, H, { seed: 1 });
    const bias = new Float32Array(4 * H);
    // i closed, g 0, o open.
    bias.fill(-100, 0, H).set(b, H);
    bias.fill(100, 3 * H);
    layer.loadStateDict({
      weight_ih_l0: zero(4 * H, 1),
      weight_hh_l0: zero(4 * H, H),
      bias_ih_l0: { shape: [4 * H], data: bias },
      bias_hh_l0: zero(4 * H),
    });
    const memory = 1e4;
    const inputs = { input: zero(1, 1, 1), state: { c: { shape: [1, 1, H], data: new Float32Array(H).fill(memory) } } };
    const cotangents = { state: { c: { shape: [1, 1, H], data: new Float32Array(H).fill(1) } } };
    const { state, gradients: d } = await gradients(layer, inputs, cotangents, { backend: await make(), strategy });
    expectRelative("c of σ", b, state.c.data, (x) => memory * sigma(x));
    expectRelative("∂c/∂c₀ of σ", b, d.state.c.data, sigma);
    const dBias = d.parameters.bias_ih_l0.data.subarray(H, 2 * H);
    b.forEach((x, i) => {
      // Saved gates are float32, which has 1.2e-7 beside 1.
      const right = memory * sigma(x) * sigma(-x);
      const most = 1e-5 * right + memory * 1.2e-7 * sigma(x) ** 2;
      if (!(Math.abs(dBias[i] - right) <= most)) expect.fail(`∂c/∂b_f at ${x} is ${dBias[i]}, expected ${right}`);
    });
  });
});

/** Greatest error of a result beside the greatest number of that kind. */
function errors(result: Awaited<ReturnType<typeof gradients>>, right: Awaited<ReturnType<typeof gradients>>): Record<string, number> {
  const all = ({ output, gradients: g }: typeof result) => ({ output, input: g.input!, ...g.parameters });
  const [values, expected] = [all(result), all(right)] as Record<string, { data: ArrayLike<number> }>[];
  return Object.fromEntries(
    Object.entries(expected).map(([name, { data }]) => {
      let most = 0;
      let error = 0;
      for (let i = 0; i < data.length; i++) {
        most = Math.max(most, Math.abs(data[i]));
        error = Math.max(error, Math.abs(values[name].data[i] - data[i]));
      }
      return [name, error / most];
    }),
  );
}

/** Twins add up in float64. In float32 a sum of 20 products of up to 11 is off by some units of 2^-21. */
const leastRounding = 2 ** -21;

describe.each([
  ["LSTM", () => new LSTM(3, 20, { seed: 2 })],
  ["GRU", () => new GRU(3, 20, { seed: 2 })],
  ["GRU with the reset before the product", () => new GRU(3, 20, { seed: 2, reset: "before" })],
  ["RNN", () => new RNN(3, 20, { seed: 2 })],
])("a %s with weights times 50", (_, make) => {
  it("agrees with float64 within ten times what rounding to float32 costs", async () => {
    const layer = make();
    const dict = await layer.stateDict();
    layer.loadStateDict(
      Object.fromEntries(
        Object.entries(dict).map(([name, { shape, data }]) => [name, { shape, data: data.map((w) => Math.fround(w * 50)) }]),
      ),
    );
    const [input, output] = [
      { shape: [4, 3, 3], data: numbers(36, 5) },
      { shape: [4, 3, 20], data: numbers(240, 6) },
    ];
    const run = async (on: Backend, strategy: "loop" | "step") => gradients(layer, { input }, { output }, { backend: on, strategy });
    const right = await run(await backend("cpu", "float64"), "loop");
    const rounding = errors(await run(await createBackend("cpu", { wasm: false }), "loop"), right);
    for (const on of [await backend("cpu"), await backend("webgpu")]) {
      for (const strategy of ["loop", "step"] as const) {
        const found = errors(await run(on, strategy), right);
        for (const [name, error] of Object.entries(found))
          expect(error, `${on.adapter} ${strategy} ${name}; float32 alone is ${rounding[name]} off`).toBeLessThanOrEqual(
            10 * Math.max(rounding[name], leastRounding),
          );
      }
    }
  });
});
