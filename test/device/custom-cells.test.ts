/**
 * Custom cells: an LSTM and a GRU written as custom cells equal the built-in ones, in every strategy; wrong cells are
 * refused.
 */
import { describe, expect, it } from "vitest";
import {
  forward,
  GRU,
  gradients,
  LSTM,
  MinGRU,
  RnnError,
  verify,
  type Module,
  type Tensor,
  CustomRNN,
  defineCell,
  type CustomCell,
} from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, leaky, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

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
  stateOf([i, f, g, o], _hPrevious, cPrevious) {
    const c = f * cPrevious + i * g;
    return { h: o * Math.tanh(c), c };
  },
  wgsl: `
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> {
  let c = gates.f * cPrevious + gates.i * gates.g;
  return vec2(gates.o * safeTanh(c), c);
}
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
/** A MinGRU with a linear candidate. */
const minGruLike: CustomCell = {
  name: "minimal",
  gateNames: ["z", "n"],
  recurrence: "none",
  linearRecurrence: true,
  forward(x, _r, hPrevious) {
    const z = sigma(x[0]);
    return { gates: [z, x[1]], h: (1 - z) * hPrevious + z * x[1], c: 0 };
  },
  backward([z, n], hPrevious, _h, _cPrevious, _c, dh) {
    return { dGates: [dh * (n - hPrevious) * z * (1 - z), dh * z], dhPrevious: dh * (1 - z), dcPrevious: 0 };
  },
  wgsl: `
fn forward(x: Gates, r: Gates, hPrevious: f32, cPrevious: f32) -> CellForward {
  let z = sigmoid(x.z);
  return CellForward(Gates(z, x.n), (1.0 - z) * hPrevious + z * x.n, 0.0);
}
fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward {
  let d = Gates(dh * (gates.n - hPrevious) * gates.z * (1.0 - gates.z), dh * gates.z);
  return CellBackward(d, d, dh * (1.0 - gates.z), 0.0);
}`,
};
const growing: Pick<CustomCell, "forward" | "backward"> = {
  forward: (x, _r, hPrevious) => ({ gates: [x[0], x[1]], h: 2 * hPrevious + x[0], c: 0 }),
  backward: (_gates, _h0, _h, _c0, _c, dh) => ({ dGates: [dh, 0], dhPrevious: 2 * dh, dcPrevious: 0 }),
};
/** An LSTM without U. */
const noMatrix: CustomCell = { ...lstmLike, name: "no-matrix", recurrence: "none" };
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
  stateOf: ([, z, n], hPrevious) => ({ h: (1 - z) * n + z * hPrevious, c: 0 }),
  wgsl: `
fn stateOf(gates: Gates, hPrevious: f32, cPrevious: f32) -> vec2<f32> { return vec2((1.0 - gates.z) * gates.n + gates.z * hPrevious, 0.0); }
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

type Sums = { c: number; n: number };
/** Two states, no dRecurrent. */
const ratio: CustomCell<Sums> = {
  name: "ratio",
  gateNames: ["a", "b"],
  states: ["c", "n"],
  forward(x, r, _hPrevious, before) {
    const [a, b] = [sigma(x[0] + r[0]), Math.tanh(x[1] + r[1])];
    const c = a * before.c + b;
    const n = 0.5 * before.n + a;
    return { gates: [a, b], h: c / (1 + n * n), c: { c, n } };
  },
  backward([a, b], _hPrevious, _h, before, { c, n }, dh, d) {
    const below = 1 + n * n;
    const dc = d.c + dh / below;
    const dn = d.n - (2 * dh * c * n) / (below * below);
    const dGates = [(dc * before.c + dn) * a * (1 - a), dc * (1 - b * b)];
    return { dGates, dhPrevious: 0, dcPrevious: { c: dc * a, n: 0.5 * dn } };
  },
  wgsl: `
fn forward(x: Gates, r: Gates, hPrevious: f32, before: Memory) -> CellForward {
  let a = sigmoid(x.a + r.a);
  let b = safeTanh(x.b + r.b);
  let c = a * before.c + b;
  let n = 0.5 * before.n + a;
  return CellForward(Gates(a, b), c / (1.0 + n * n), Memory(c, n));
}
fn backward(gates: Gates, hPrevious: f32, h: f32, before: Memory, after: Memory, dh: f32, d: Memory) -> CellBackward {
  let below = 1.0 + after.n * after.n;
  let dc = d.c + dh / below;
  let dn = d.n - 2.0 * dh * after.c * after.n / (below * below);
  let dGates = Gates((dc * before.c + dn) * gates.a * (1.0 - gates.a), dc * (1.0 - gates.b * gates.b));
  return CellBackward(dGates, dGates, 0.0, Memory(dc * gates.a, 0.5 * dn));
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

const byStrategies = layers.flatMap((layer) => (["loop", "step", "wavefront"] as const).map((strategy) => [...layer, strategy] as const));

describe.each(kinds)("a cell of one's own on %s", (kind) => {
  it.each(sampledOn(kind, byStrategies, 1))("equals the built-in %s", async (_, cell, builtIn, strategy) => {
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
  });
});

describe("a cell of one's own", () => {
  it.each(
    sampled(
      [
        ["one gate", leaky],
        ["three gates", gruLike],
        ["four gates", lstmLike],
      ] as const,
      1,
    ),
  )("with %s is what its TypeScript says, in half precision too, and two of a name keep apart", async (_, cell) => {
    const layer = new CustomRNN(defineCell({ ...cell, name: "same" }), I, H, { seed: 1 });
    const on = await backend("webgpu");
    expect((await verify(layer, { input: tensor([T, B, I], 2) }, { backend: on })).passed).toBe(true);
    expect((await verify(layer, { input: tensor([T, B, I], 2) }, { backend: on, storage: "float16" })).passed).toBe(true);
  });

  it("with two states is what its TypeScript says, by steps, stacked and with both directions in one loop", async () => {
    const cell = defineCell(ratio);
    const on = await backend("webgpu");
    for (const [options, run] of [
      [{ numLayers: 2 }, { strategy: "wavefront" }],
      [{ bidirectional: true }, { strategy: "loop" }],
      [{}, { strategy: "step", recompute: true }],
    ] as const)
      expect(
        (await verify(new CustomRNN(cell, I, H, { seed: 1, ...options }), { input: tensor([T, B, I], 2) }, { backend: on, ...run })).passed,
      ).toBe(true);
  });

  it("without WGSL runs on the CPU, and says on WebGPU what is missing", async () => {
    const layer = (change: object): CustomRNN => new CustomRNN(defineCell({ ...ratio, ...change }), I, H, { seed: 1 });
    const input = { input: tensor([T, B, I], 2) };
    const expected = await forward(layer({}), input, { backend: await backend("cpu") });
    const found = await forward(layer({ wgsl: undefined }), input, { backend: await backend("cpu") });
    expectClose("output", found.output.data, expected.output.data);
    await expect(forward(layer({ wgsl: undefined }), input, { backend: await backend("webgpu") })).rejects.toThrow(
      'the cell "ratio" has no WGSL, which WebGPU needs: give defineCell its wgsl, or run it with createBackend("cpu")',
    );
  });

  it("whose WGSL says something else is found by verify", async () => {
    const cell = defineCell({ ...leaky, wgsl: leaky.wgsl!.replace("1.0 - gates.a * gates.a", "1.0 - gates.a") });
    expect(
      (await verify(new CustomRNN(cell, I, H, { seed: 1 }), { input: tensor([T, B, I], 2) }, { backend: await backend("webgpu") })).passed,
    ).toBe(false);
  });

  describe.each(kinds)("without a recurrent matrix, on %s", (kind) => {
    const cases = [minGruLike, { ...minGruLike, linearRecurrence: false }].flatMap((cell) =>
      ([undefined, ...(cell.linearRecurrence ? ["scan" as const] : []), "loop", "step"] as const).map(
        (strategy) => [cell, strategy] as const,
      ),
    );
    it.each(cases)("equals MinGRU: %o by %s", async (cell, strategy) => {
      const options = { numLayers: 2, bidirectional: true, seed: 3 };
      const [T, B, I, H] = [37, 3, 2, 5];
      const inputs = { input: tensor([T, B, I], 2), lengths: [T, 4, 0] };
      const cotangents = { output: tensor([T, B, 2 * H], 6) };
      const found = await gradients(new CustomRNN(defineCell(cell), I, H, options), inputs, cotangents, {
        backend: await backend(kind),
        strategy,
      });
      const expected = await gradients(new MinGRU(I, H, { ...options, candidate: "linear" }), inputs, cotangents, {
        backend: await backend("cpu", "float64"),
      });
      expectClose("output", found.output.data, expected.output.data);
      expect(Object.keys(found.gradients.parameters)).toEqual(Object.keys(expected.gradients.parameters));
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectClose(path, found.gradients.parameters[path].data, data);
    });

    it("with a memory is what single steps of its TypeScript say", async () => {
      const [T, B, I, H] = [6, 3, 2, 5];
      const layer = new CustomRNN(defineCell(noMatrix), I, H, { numLayers: 2, seed: 3 });
      const inputs = { input: tensor([T, B, I], 2), lengths: [T, 4, 0] };
      const cotangents = { output: tensor([T, B, H], 6) };
      const expected = await gradients(layer, inputs, cotangents, { backend: await backend("cpu", "float64"), strategy: "step" });
      for (const strategy of ["loop", "step"] as const) {
        const found = await gradients(layer, inputs, cotangents, { backend: await backend(kind), strategy });
        expectClose("output", found.output.data, expected.output.data);
        for (const [path, { data }] of Object.entries(expected.gradients.parameters))
          expectClose(path, found.gradients.parameters[path].data, data);
      }
    });
  });

  it("without a recurrent matrix, with zoneout or with a projection has the gradients of finite differences", async () => {
    const inputs = { input: tensor([4, 2, 3], 3), lengths: [4, 2] };
    await checkGradients(new CustomRNN(defineCell(minGruLike), 3, 4, { seed: 2 }), inputs);
    await checkGradients(new CustomRNN(defineCell(noMatrix), 3, 4, { seed: 2 }), inputs);
    await checkGradients(new CustomRNN(defineCell(gruLike), 3, 4, { seed: 2, zoneout: 0.3 }), inputs);
    await checkGradients(new CustomRNN(defineCell(gruLike), 3, 4, { seed: 2, zoneout: 0.3 }), inputs, true);
    await checkGradients(new CustomRNN(defineCell(lstmLike), 3, 4, { seed: 2, projSize: 2 }), inputs);
  });

  it.each(sampled(kinds, 1))("with zoneout or with a projection equals the built-in GRU and LSTM, on %s", async (kind) => {
    const on = await backend(kind);
    const [T, B, I, H] = [5, 3, 2, 6];
    const pairs: [Module, Module][] = [
      [new CustomRNN(defineCell(gruLike), I, H, { seed: 1, zoneout: 0.4 }), new GRU(I, H, { seed: 1, zoneout: 0.4 })],
      [
        new CustomRNN(defineCell(lstmLike), I, H, { seed: 1, zoneout: { h: 0.2, c: 0.4 } }),
        new LSTM(I, H, { seed: 1, zoneout: { h: 0.2, c: 0.4 } }),
      ],
      [new CustomRNN(defineCell(lstmLike), I, H, { seed: 1, projSize: 4 }), new LSTM(I, H, { seed: 1, projSize: 4 })],
    ];
    for (const [custom, builtIn] of pairs)
      for (const training of [false, true]) {
        const inputs = { input: tensor([T, B, I], 2) };
        const { output } = await forward(builtIn, inputs, { backend: await backend("cpu", "float64") });
        const cotangents = { output: tensor([...output.shape], 6) };
        const [found, expected] = await Promise.all(
          [custom, builtIn].map((layer) => gradients(layer, inputs, cotangents, { backend: on, training, seed: 4 })),
        );
        expectClose("output", found.output.data, expected.output.data);
        for (const [path, { data }] of Object.entries(expected.gradients.parameters))
          expectClose(path, found.gradients.parameters[path].data, data);
      }
  });

  const wrong = (changes: object): CustomCell => ({ ...leaky, ...changes });
  it.each<[string, () => unknown, string | RegExp]>([
    [
      "no name",
      () => defineCell(wrong({ name: "Leaky Unit" })),
      'defineCell: name must be of at most 60 lower-case letters, digits and hyphens, got "Leaky Unit"',
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
      /^defineCell: forward of "leaky" must give gates, a list of finite numbers, one for each gate \(2\); got \[/,
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
      "a state that is h",
      () => defineCell(wrong({ states: ["h"] })),
      'defineCell: states of "leaky" must be those besides h, which every cell has',
    ],
    [
      "four states",
      () => defineCell(wrong({ states: ["a", "b", "c", "d"] })),
      /^defineCell: states of "leaky" must be no to three different words, got /,
    ],
    [
      "a wrong derivative of one of two states",
      () =>
        defineCell({
          ...ratio,
          backward: (...args) => {
            const d = ratio.backward(...args);
            return { ...d, dcPrevious: { ...d.dcPrevious, n: d.dcPrevious.n + 0.1 } };
          },
        }),
      /^defineCell: backward of "ratio" must be the derivative of forward: dcPrevious n must be /,
    ],
    [
      "a state that forward leaves out",
      () => defineCell({ ...ratio, forward: (...args) => ({ ...ratio.forward(...args), c: { c: 1 } as Sums }) }),
      'defineCell: c of forward of "ratio" must give n, a finite number, got undefined',
    ],
    [
      "a linear recurrence that has a matrix",
      () => defineCell({ ...minGruLike, recurrence: "matrix" }),
      'defineCell: linearRecurrence of "minimal" needs recurrence: "none" and a cell without c, whose only state is h',
    ],
    [
      "a recurrence that is not linear",
      () =>
        defineCell({
          ...minGruLike,
          forward: (x, r, h) => ({ ...minGruLike.forward(x, r, Math.sin(h), 0), gates: minGruLike.forward(x, r, h, 0).gates }),
          backward: (gates, h, _h, _c0, _c, dh) => {
            const d = minGruLike.backward(gates, Math.sin(h), 0, 0, 0, dh, 0);
            return { ...d, dhPrevious: d.dhPrevious * Math.cos(h) };
          },
        }),
      /^defineCell: linearRecurrence of "minimal" needs h_t = a⊙h_{t-1} \+ b with gates, a and b that do not depend on h_{t-1}, which forward does not give/,
    ],
    [
      "a linear recurrence that grows",
      () => defineCell({ ...minGruLike, ...growing }),
      /^defineCell: linearRecurrence of "minimal" needs \|a\| of at most 1 in h_t = a⊙h_{t-1} \+ b, got 2.00/,
    ],
    [
      "a recurrent side that there is not",
      () => defineCell({ ...minGruLike, splitsRecurrentGradient: true }),
      'defineCell: "minimal" has recurrence: "none", so that there is no dRecurrent to split; leave out splitsRecurrentGradient',
    ],
    [
      "a recurrence of another kind",
      () => defineCell(wrong({ recurrence: "diagonal" })),
      /^defineCell: recurrence must be "matrix" or "none", got "diagonal"/,
    ],
    [
      "a stateOf of another state",
      () => defineCell({ ...gruLike, stateOf: () => ({ h: 0.5, c: 0 }) }),
      'defineCell: stateOf of "gated" must give the h of forward, from its gates and the state before',
    ],
    [
      "a stateOf that its WGSL lacks",
      () => defineCell({ ...gruLike, wgsl: gruLike.wgsl!.replace("fn stateOf", "fn other") }),
      'defineCell: wgsl of "gated" must have fn stateOf(…)',
    ],
    [
      "a stateOf of several states",
      () => defineCell({ ...ratio, stateOf: () => ({ h: 0, c: 0 }) }),
      'defineCell: stateOf of "ratio" is for zoneout, which takes cells with at most one state besides h; leave it out',
    ],
    [
      "zoneout without a recurrent matrix",
      () => new CustomRNN(defineCell(minGruLike), 2, 3, { zoneout: 0.1 }),
      'CustomRNN: zoneout acts on the recurrent matrix, and the cell has recurrence: "none"; leave it out',
    ],
    [
      "a projection of a cell that reads h",
      () => new CustomRNN(defineCell(gruLike), 2, 3, { projSize: 2 }),
      "CustomRNN: projSize needs a cell whose forward does not read hPrevious: a projected h has fewer numbers than there are units",
    ],
    [
      "a projection that is none",
      () => new CustomRNN(defineCell(lstmLike), 2, 3, { projSize: 3 }),
      "CustomRNN: projSize must be below hiddenSize, 3, got 3",
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
      'defineCell: forward of "leaky" must give gates, a list of finite numbers, one for each gate (1); got undefined',
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
