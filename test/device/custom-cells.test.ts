/**
 * Custom cells: an LSTM and a GRU written as custom cells equal the built-in ones, in every strategy; wrong cells are
 * refused.
 */
import { describe, expect, it } from "vitest";
import { GRU, gradients, LSTM, RnnError, verify, type Module, type Tensor, CustomRNN, defineCell, type CustomCell } from "webgpu-rnn";
import { backend, expectClose, kinds, leaky, numbers } from "./support.ts";

const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
const lstmLike: CustomCell = {
  name: "long-memory",
  gateNames: ["i", "f", "g", "o"],
  states: ["c"],
  forward(x, r, _hPrevious, cPrevious) {
    const [i, f, g, o] = [sigma(x[0] + r[0]), sigma(x[1] + r[1]), Math.tanh(x[2] + r[2]), sigma(x[3] + r[3])];
    const c = f * cPrevious + i * g;
    return { gates: [i, f, g, o], h: o * Math.tanh(c), c };
  },
  backward([i, f, g, o], _hPrevious, _h, cPrevious, c, dh, dc) {
    const total = dc + dh * o * (1 - Math.tanh(c) ** 2);
    const d = [total * g * i * (1 - i), total * cPrevious * f * (1 - f), total * i * (1 - g * g), dh * Math.tanh(c) * o * (1 - o)];
    return { dGates: d, dRecurrent: d, dhPrevious: 0, dcPrevious: total * f };
  },
  wgsl: `
fn forward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32) -> CellForward {
  let i = sigmoid(x.i + r.i);
  let f = sigmoid(x.f + r.f);
  let g = safeTanh(x.g + r.g);
  let o = sigmoid(x.o + r.o);
  let c = f * cPrevious + i * g;
  return CellForward(Gates(i, f, g, o), o * safeTanh(c), c);
}
fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward {
  let t = safeTanh(c);
  let total = dc + dh * gates.o * (1.0 - t * t);
  let d = Gates(total * gates.g * gates.i * (1.0 - gates.i), total * cPrevious * gates.f * (1.0 - gates.f), total * gates.i * (1.0 - gates.g * gates.g), dh * t * gates.o * (1.0 - gates.o));
  return CellBackward(d, d, 0.0, total * gates.f);
}`,
};
const gruLike: CustomCell = {
  name: "gated",
  gateNames: ["r", "z", "n"],
  usesC: true,
  splitsRecurrentGradient: true,
  forward(x, m, hPrevious) {
    const [r, z] = [sigma(x[0] + m[0]), sigma(x[1] + m[1])];
    const n = Math.tanh(x[2] + r * m[2]);
    return { gates: [r, z, n], h: (1 - z) * n + z * hPrevious, c: m[2] };
  },
  backward([r, z, n], hPrevious, _h, _cPrevious, m, dh) {
    const dn = dh * (1 - z) * (1 - n * n);
    const [dr, dz] = [dn * m * r * (1 - r), dh * (hPrevious - n) * z * (1 - z)];
    return { dGates: [dr, dz, dn], dRecurrent: [dr, dz, dn * r], dhPrevious: dh * z, dcPrevious: 0 };
  },
  wgsl: `
fn forward(x: Gates, m: Gates, hPrevious: f32, cPrevious: f32) -> CellForward {
  let r = sigmoid(x.r + m.r);
  let z = sigmoid(x.z + m.z);
  let n = safeTanh(x.n + r * m.n);
  return CellForward(Gates(r, z, n), (1.0 - z) * n + z * hPrevious, m.n);
}
fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, m: f32, dh: f32, dc: f32) -> CellBackward {
  let dn = dh * (1.0 - gates.z) * (1.0 - gates.n * gates.n);
  let dr = dn * m * gates.r * (1.0 - gates.r);
  let dz = dh * (hPrevious - gates.n) * gates.z * (1.0 - gates.z);
  return CellBackward(Gates(dr, dz, dn), Gates(dr, dz, dn * gates.r), dh * gates.z, 0.0);
}`,
};

const [T, B, I, H] = [5, 3, 2, 4];
const tensor = (shape: number[], seed: number): Tensor => ({
  shape,
  data: numbers(
    shape.reduce((a, b) => a * b),
    seed,
  ),
});
const layers: [string, CustomCell, () => Module][] = [
  ["LSTM", defineCell(lstmLike), () => new LSTM(I, H, { numLayers: 2, seed: 1 })],
  ["GRU", defineCell(gruLike), () => new GRU(I, H, { numLayers: 2, seed: 1 })],
];

describe.each(kinds)("a cell of one's own on %s", (kind) => {
  it.each(layers.flatMap((layer) => (["loop", "step", "wavefront"] as const).map((strategy) => [...layer, strategy] as const)))(
    "equals the built-in %s",
    async (_, cell, builtIn, strategy) => {
      const model = builtIn();
      const custom = new CustomRNN(cell, I, H, { numLayers: 2 });
      custom.loadStateDict(await model.stateDict());
      const inputs = { input: tensor([T, B, I], 2), lengths: [5, 2, 4] };
      const cotangents = { output: tensor([T, B, H], 3), state: { h: tensor([2, B, H], 4) } };
      const expected = await gradients(model, inputs, cotangents, { backend: await backend("cpu", "float64") });
      const found = await gradients(custom, inputs, cotangents, { backend: await backend(kind), strategy });
      expectClose("output", found.output.data, expected.output.data);
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectClose(path, found.gradients.parameters[path].data, data);
    },
  );
});

describe("a cell of one's own", () => {
  it.each([
    ["one gate", leaky],
    ["three gates", gruLike],
    ["four gates", lstmLike],
  ] as const)("with %s is what its TypeScript says, in half precision too, and two of a name keep apart", async (_, cell) => {
    const layer = new CustomRNN(defineCell({ ...cell, name: "same" }), I, H, { seed: 1 });
    const on = await backend("webgpu");
    expect((await verify(layer, { input: tensor([T, B, I], 2) }, { backend: on })).passed).toBe(true);
    expect((await verify(layer, { input: tensor([T, B, I], 2) }, { backend: on, storage: "float16" })).passed).toBe(true);
  });

  it("whose WGSL says something else is found by verify", async () => {
    const cell = defineCell({ ...leaky, wgsl: leaky.wgsl!.replace("1.0 - gates.a * gates.a", "1.0 - gates.a") });
    expect(
      (await verify(new CustomRNN(cell, I, H, { seed: 1 }), { input: tensor([T, B, I], 2) }, { backend: await backend("webgpu") })).passed,
    ).toBe(false);
  });

  const wrong = (changes: object): CustomCell => ({ ...leaky, ...changes });
  it.each<[string, () => unknown, string | RegExp]>([
    [
      "no name",
      () => defineCell(wrong({ name: "Leaky Unit" })),
      'defineCell: name must be of lower-case letters, digits and hyphens, got "Leaky Unit"',
    ],
    [
      "five gates",
      () => defineCell(wrong({ gateNames: ["a", "b", "c", "d", "e"] })),
      /^defineCell: gateNames of "leaky" must be one to four different words, got /,
    ],
    [
      "a gate twice",
      () => defineCell(wrong({ gateNames: ["a", "a"] })),
      /^defineCell: gateNames of "leaky" must be one to four different words, got /,
    ],
    ["WGSL without backward", () => defineCell(wrong({ wgsl: "fn forward() {}" })), 'defineCell: wgsl of "leaky" must have fn backward(…)'],
    ["no forward", () => defineCell(wrong({ forward: undefined })), /^defineCell: forward must be a function, got undefined/],
    [
      "a memory that is not c",
      () => defineCell(wrong({ states: ["c"], usesC: false })),
      'defineCell: "leaky" has states, which are in c; usesC must not be false',
    ],
    [
      "too few gates",
      () => defineCell(wrong({ gateNames: ["a", "b"] })),
      /^defineCell: forward of "leaky" must give gates, 2 finite numbers, as it has names of gates; got \[/,
    ],
    [
      "a wrong derivative",
      () =>
        defineCell(wrong({ backward: (...args: Parameters<CustomCell["backward"]>) => ({ ...leaky.backward(...args), dhPrevious: 0.7 }) })),
      'defineCell: backward of "leaky" must be the derivative of forward: dhPrevious must be 0.350000, got 0.7',
    ],
    [
      "a recurrent side that is not declared",
      () => defineCell({ ...gruLike, splitsRecurrentGradient: false }),
      'defineCell: "gated" has a dRecurrent that differs from dGates, and needs splitsRecurrentGradient: true',
    ],
    [
      "a wrong recurrent side",
      () =>
        defineCell(
          wrong({ backward: (...args: Parameters<CustomCell["backward"]>) => ({ ...leaky.backward(...args), dRecurrent: [42] }) }),
        ),
      /^defineCell: backward of "leaky" must be the derivative of forward: dRecurrent a must be .*, got 42$/,
    ],
    [
      "a c of the step before that is no state",
      () =>
        defineCell(
          wrong({
            usesC: true,
            forward: (...args: Parameters<CustomCell["forward"]>) => {
              const out = leaky.forward(...args);
              return { ...out, h: out.h + args[3], c: 1 };
            },
          }),
        ),
      'defineCell: forward of "leaky" must not read cPrevious, which is no state; name it in states',
    ],
    [
      "no result",
      () => defineCell(wrong({ forward: () => undefined })),
      'defineCell: forward of "leaky" must give gates, 1 finite numbers, as it has names of gates; got undefined',
    ],
    [
      "a state that is no number",
      () => defineCell(wrong({ forward: () => ({ gates: [1], h: NaN, c: 0 }) })),
      'defineCell: forward of "leaky" must give h, a finite number, got NaN',
    ],
    [
      "a derivative without one of its parts",
      () => defineCell(wrong({ backward: () => ({ dGates: [1], dRecurrent: [1] }) })),
      'defineCell: backward of "leaky" must give dhPrevious, a finite number, got undefined',
    ],
    ["nothing at all", () => defineCell(undefined as unknown as CustomCell), /^defineCell: /],
    ["a cell that was not defined", () => new CustomRNN({ ...leaky }, I, H), /^CustomRNN: cell must be what defineCell gave, got /],
  ])("is refused with %s", (_, make, message) => {
    let error: unknown;
    try {
      make();
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(RnnError);
    if (typeof message === "string") expect((error as RnnError).message).toBe(message);
    else expect((error as RnnError).message).toMatch(message);
  });
});
