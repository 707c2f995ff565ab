/** The sLSTM against the paper's equations (Beck et al. 2024), written down here in float64, without and with the stabiliser. */
import { describe, expect, it } from "vitest";
import { forward, gradients, SLSTM, verify, type Tensor } from "webgpu-rnn";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const [T, B, I, H] = [6, 3, 2, 6];
const gates = ["i", "f", "z", "o"];
const names = ["h", "c", "n", "m"] as const;
const tensor = (shape: number[], seed: number): Tensor => ({
  shape,
  data: numbers(
    shape.reduce((a, b) => a * b),
    seed,
  ),
});
const sigma = (x: number): number => 1 / (1 + Math.exp(-x));

interface Weights {
  readonly W: ArrayLike<number>;
  readonly U: ArrayLike<number>;
  readonly b: ArrayLike<number>;
}

/** h of all steps by equations (8) to (14) of the paper; with `stabilised` by (15) to (17) besides. Zeros at first. */
function paper(x: Tensor, { W, U, b }: Weights, heads: number, exponential: boolean, stabilised: boolean): number[] {
  const block = H / heads;
  const y: number[] = [];
  let [h, c, n, m] = [0, 1, 2, 3].map(() => new Array<number>(B * H).fill(0));
  for (let t = 0; t < T; t++) {
    const next = { h: [...h], c: [...c], n: [...n], m: [...m] };
    for (let row = 0; row < B; row++) {
      for (let j = 0; j < H; j++) {
        const at = row * H + j;
        const first = Math.floor(j / block) * block;
        const sum = (gate: string): number => {
          const r = gates.indexOf(gate) * H + j;
          let v = b[r];
          for (let k = 0; k < I; k++) v += W[r * I + k] * x.data[(t * B + row) * I + k];
          for (let k = 0; k < block; k++) v += U[r * block + k] * h[row * H + first + k];
          return v;
        };
        const [z, o] = [Math.tanh(sum("z")), sigma(sum("o"))];
        const [i, f] = [Math.exp(sum("i")), exponential ? Math.exp(sum("f")) : sigma(sum("f"))];
        const scale = stabilised ? (next.m[at] = t === 0 ? Math.log(i) : Math.max(Math.log(f) + m[at], Math.log(i))) : 0;
        const [ii, ff] = stabilised ? [Math.exp(Math.log(i) - scale), Math.exp(Math.log(f) + m[at] - scale)] : [i, f];
        next.c[at] = ff * c[at] + ii * z;
        next.n[at] = ff * n[at] + ii;
        next.h[at] = (o * next.c[at]) / next.n[at];
      }
    }
    ({ h, c, n, m } = next);
    y.push(...h);
  }
  return y;
}

async function weightsOf(model: SLSTM): Promise<Weights> {
  const all = await model.stateDict();
  const of = (name: string): number[] => Array.from(all[name].data);
  const [first, second] = [of("bias_ih_l0"), of("bias_hh_l0")];
  return { W: of("weight_ih_l0"), U: of("weight_hh_l0"), b: first.map((v, i) => v + second[i]) };
}

const variants = [
  [1, "sigmoid"],
  [3, "sigmoid"],
  [2, "exponential"],
] as const;

describe.each(variants)("an sLSTM of %i heads with a forget gate that is %s", (heads, forgetGate) => {
  const exponential = forgetGate === "exponential";
  const model = (): SLSTM => new SLSTM(I, H, { heads, forgetGate, seed: 1 });
  const input = tensor([T, B, I], 2);

  it("is what the paper's equations say, which the stabiliser does not change", async () => {
    const weights = await weightsOf(model());
    const expected = paper(input, weights, heads, exponential, false);
    paper(input, weights, heads, exponential, true).forEach((v, i) => expect(Math.abs(v - expected[i])).toBeLessThan(1e-12));
    const { output } = await forward(model(), { input }, { backend: await backend("cpu", "float64") });
    expectClose("h", output.data, Float64Array.from(expected), { atol: 1e-9, rtol: 1e-9 });
  });

  const state: Record<string, Tensor> = Object.fromEntries(
    names.map((name, s) => {
      const { shape, data } = tensor([1, B, H], 3 + s);
      return [name, { shape, data: Float64Array.from(data, (v) => (name === "n" ? 1 + v / 2 : v)) }];
    }),
  );
  const inputs = { input, lengths: [T, 2, 4], state };
  const cotangents = { output: tensor([T, B, H], 8), state: Object.fromEntries(names.map((name, s) => [name, tensor([1, B, H], 9 + s)])) };

  it("has the gradients of finite differences, of every element of weights, input and states", async () => {
    const on = await backend("cpu", "float64");
    const layer = model();
    const found = await gradients(layer, inputs, cotangents, { backend: on });
    const lossOf = async (given: typeof inputs): Promise<number> => {
      const out = await forward(layer, given, { backend: on });
      const dot = (a: Tensor, b: Tensor): number => Array.from(a.data).reduce((sum, v, i) => sum + v * b.data[i], 0);
      return dot(out.output, cotangents.output) + names.reduce((sum, name) => sum + dot(out.state[name], cotangents.state[name]), 0);
    };
    const step = 1e-5;
    const slope = async (moved: (shift: number) => Promise<number>): Promise<number> =>
      ((await moved(step)) - (await moved(-step))) / (2 * step);
    const shifted = ({ shape, data }: Tensor, i: number, shift: number): Tensor => ({
      shape,
      data: Float64Array.from(data, (v, k) => (k === i ? v + shift : v)),
    });
    const near = (what: string, got: number, expected: number): void =>
      expect(Math.abs(got - expected), `${what}: ${got}, finite differences give ${expected}`).toBeLessThan(
        1e-4 + 1e-4 * Math.abs(expected),
      );
    for (let i = 0; i < input.data.length; i++)
      near(`input ${i}`, found.gradients.input!.data[i], await slope((shift) => lossOf({ ...inputs, input: shifted(input, i, shift) })));
    for (const name of names)
      for (let i = 0; i < B * H; i++)
        near(
          `${name} ${i}`,
          found.gradients.state[name].data[i],
          await slope((shift) => lossOf({ ...inputs, state: { ...state, [name]: shifted(state[name], i, shift) } })),
        );
    const all = await layer.stateDict();
    for (const [path, values] of Object.entries(all)) {
      for (let i = 0; i < values.data.length; i++) {
        // Parameters are float32: a step that they can take.
        const moved = async (shift: number): Promise<number> => {
          layer.loadStateDict({ ...all, [path]: shifted(values, i, shift) });
          return lossOf(inputs);
        };
        const [more, less] = [Math.fround(values.data[i] + 1e-3), Math.fround(values.data[i] - 1e-3)];
        const expected = ((await moved(more - values.data[i])) - (await moved(less - values.data[i]))) / (more - less);
        near(`${path} ${i}`, found.gradients.parameters[path].data[i], expected);
      }
    }
    layer.loadStateDict(all);
  });

  it.each(kinds.flatMap((kind) => sampledOn(kind, ["loop", "step"] as const, 1).map((strategy) => [kind, strategy] as const)))(
    "gives the same on %s by %s",
    async (kind, strategy) => {
      const expected = await gradients(model(), inputs, cotangents, { backend: await backend("cpu", "float64") });
      const found = await gradients(model(), inputs, cotangents, { backend: await backend(kind), strategy });
      expectClose("output", found.output.data, expected.output.data);
      for (const name of names) expectClose(name, found.state[name].data, expected.state[name].data);
      for (const name of names) expectClose(`d${name}`, found.gradients.state[name].data, expected.gradients.state[name].data);
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectClose(path, found.gradients.parameters[path].data, data);
    },
  );
});

it("stays finite where the paper's equations without a stabiliser do not", async () => {
  const model = new SLSTM(1, 1, { seed: 1 });
  const all = await model.stateDict();
  for (const [path, { shape, data }] of Object.entries(all))
    all[path] = { shape, data: Float32Array.from(data, (_, i) => (i === 0 ? 200 : 1)) };
  model.loadStateDict(all);
  const { output } = await forward(
    model,
    { input: { shape: [4, 1, 1], data: Float32Array.of(1, -1, 1, 1) } },
    { backend: await backend("cpu") },
  );
  expect(Array.from(output.data).every((v) => Number.isFinite(v) && Math.abs(v) <= 1)).toBe(true);
});

it("passes verify, stacked too and in half precision", async () => {
  const on = await backend("webgpu");
  const model = new SLSTM(I, H, { numLayers: 2, heads: 2, seed: 1 });
  const input = tensor([T, B, I], 2);
  for (const options of sampled([{ strategy: "wavefront" }, { storage: "float16" }, {}] as const, 1))
    expect((await verify(model, { input }, { backend: on, ...options })).passed).toBe(true);
});

it.each([
  ["heads that do not divide the units", { heads: 4 }, "SLSTM: hiddenSize must be a multiple of heads, 4, got 6"],
  ["no heads", { heads: 0 }, "SLSTM: heads must be an integer of at least 1, got 0"],
  ["zoneout", { zoneout: 0.1 }, "SLSTM: zoneout needs a cell with at most one state besides h, got c, n, m"],
])("is refused with %s", (_, options, message) => expect(() => new SLSTM(I, H, options)).toThrow(message));
