/** The projected LSTM: gradients, the recurrence written out, every strategy on both backends, rows of any length. */
import { describe, expect, it } from "vitest";
import { forward, gradients, LSTM, type ModelInputs, type Tensor } from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const [T, B, I, H, P] = [4, 3, 2, 5, 3];
const tensor = (shape: number[], seed: number): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b),
      seed,
    ),
  ),
});
const inputsOf = (lanes: number, lengths?: number[]): ModelInputs<Tensor> => ({
  input: tensor([T, B, I], 3),
  state: { h: tensor([lanes, B, P], 4), c: tensor([lanes, B, H], 5) },
  lengths,
});

const gradientCases = [
  ["one layer, from zeros", {}, { input: tensor([T, B, I], 3) }],
  ["two layers in both directions, from given states", { numLayers: 2, bidirectional: true }, inputsOf(4)],
  ["both directions, rows of different lengths, one of them of none", { bidirectional: true }, inputsOf(2, [2, 0, 4])],
  ["with peepholes and coupled gates, no biases", { peepholes: true, forgetGate: "coupled", bias: false }, inputsOf(1)],
] as const;

describe("gradients in float64 agree with finite differences", () => {
  it.each(sampled(gradientCases, 2))("%s", async (_, options, inputs) => {
    await checkGradients(new LSTM(I, H, { ...options, projSize: P, seed: 1 }), inputs);
  });
});

const sigma = (v: number): number => 1 / (1 + Math.exp(-v));

/** h_t = W_hr·(o⊙tanh(c_t)) of one row, step by step, with U on h [P] itself. */
function byHand(
  d: Record<string, Tensor>,
  suffix: string,
  xs: number[][],
  h: number[],
  c: number[],
): { outputs: number[][]; h: number[]; c: number[] } {
  const times = ({ shape: [rows, columns], data }: Tensor, v: readonly number[]): number[] =>
    Array.from({ length: rows }, (_, r) => v.reduce((sum, x, k) => sum + x * data[r * columns + k], 0));
  const outputs = xs.map((x) => {
    const [ofX, ofH] = [times(d[`weight_ih_${suffix}`], x), times(d[`weight_hh_${suffix}`], h)];
    const a = ofX.map((v, i) => v + ofH[i] + d[`bias_ih_${suffix}`].data[i] + d[`bias_hh_${suffix}`].data[i]);
    c = c.map((before, u) => sigma(a[H + u]) * before + sigma(a[u]) * Math.tanh(a[2 * H + u]));
    h = times(
      d[`weight_hr_${suffix}`],
      c.map((v, u) => sigma(a[3 * H + u]) * Math.tanh(v)),
    );
    return h;
  });
  return { outputs, h, c };
}

describe("the recurrence, written out", () => {
  const lengths = [2, 0, 4];
  it.each([undefined, lengths])("both directions, rows of lengths %s", async (given) => {
    const model = new LSTM(I, H, { bidirectional: true, projSize: P, seed: 2 });
    const d = await model.stateDict();
    const inputs = inputsOf(2, given);
    const { output, state } = await forward(model, inputs, { backend: await backend("cpu", "float64") });
    expect(output.shape).toEqual([T, B, 2 * P]);
    expect([state.h.shape, state.c.shape]).toEqual([
      [2, B, P],
      [2, B, H],
    ]);
    for (let b = 0; b < B; b++) {
      const steps = given?.[b] ?? T;
      const xs = Array.from({ length: steps }, (_, t) => Array.from(inputs.input.data.slice((t * B + b) * I, (t * B + b + 1) * I)));
      ["l0", "l0_reverse"].forEach((suffix, n) => {
        const start = (name: string, size: number): number[] =>
          Array.from(inputs.state![name].data.slice((n * B + b) * size, (n * B + b + 1) * size));
        const found = byHand(d, suffix, n === 0 ? xs : [...xs].reverse(), start("h", P), start("c", H));
        const expected = Array.from({ length: T }, (_, t) =>
          t < steps ? found.outputs[n === 0 ? t : steps - 1 - t] : new Array<number>(P).fill(0),
        );
        expected.forEach((row, t) =>
          expectClose(
            `row ${b} ${suffix} step ${t}`,
            output.data.slice((t * B + b) * 2 * P + n * P, (t * B + b) * 2 * P + n * P + P),
            row,
            { atol: 1e-12, rtol: 0 },
          ),
        );
        expectClose(`row ${b} ${suffix} h`, state.h.data.slice((n * B + b) * P, (n * B + b + 1) * P), found.h, { atol: 1e-12, rtol: 0 });
        expectClose(`row ${b} ${suffix} c`, state.c.data.slice((n * B + b) * H, (n * B + b + 1) * H), found.c, { atol: 1e-12, rtol: 0 });
      });
    }
  });
});

describe.each(kinds)("on %s", (kind) => {
  it.each(sampledOn(kind, ["loop", "step", "wavefront"] as const, 2))("gives the float64 values by %s", async (strategy) => {
    const model = new LSTM(I, H, { numLayers: 2, projSize: P, seed: 3 });
    const inputs = inputsOf(2, [4, 2, 3]);
    const cotangents = { output: tensor([T, B, P], 6), state: { h: tensor([2, B, P], 7) } };
    const expected = await gradients(model, inputs, cotangents, { backend: await backend("cpu", "float64") });
    const found = await gradients(model, inputs, cotangents, { backend: await backend(kind), strategy });
    expectClose("output", found.output.data, expected.output.data);
    for (const [path, { data }] of Object.entries(expected.gradients.parameters))
      expectClose(`d.${path}`, found.gradients.parameters[path].data, data);
    for (const [path, { data }] of Object.entries(expected.gradients.state))
      expectClose(`d.${path}`, found.gradients.state[path].data, data);
  });
});
