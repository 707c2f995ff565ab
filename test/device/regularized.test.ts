/** Normalisation, zoneout and recurrent dropout in the layers: gradients, every strategy on both backends, equations, statistics. */
import { describe, expect, it } from "vitest";
import {
  forward,
  gradients,
  GRU,
  LSTM,
  RNN,
  type ModelInputs,
  type Module,
  type RegularizationOptions,
  type StrategyName,
  type Tensor,
} from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { itThoroughly, sampled, usuallyIf } from "../thorough.ts";

/** `few` units for finite differences, whose number is that of the weights. */
const [T, B, I, few] = [3, 4, 2, 4];
const tensor = (shape: number[], seed: number): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b),
      seed,
    ),
  ),
});

type Options = { numLayers?: number; bidirectional?: boolean; seed?: number };
interface Variant {
  readonly make: (options: Options, H: number) => Module;
  readonly training: boolean;
  readonly strategies: readonly StrategyName[];
}
const both = ["loop", "step"] as const;
const variant = (
  make: Variant["make"],
  { training = false, strategies = both }: { training?: boolean; strategies?: readonly StrategyName[] } = {},
): Variant => ({ make, training, strategies });
const batch: RegularizationOptions = { normalization: "batch", normalizedSteps: 3 };
const step = { strategies: ["step"] as const };

const variants: Record<string, Variant> = {
  "LSTM with layer normalisation": variant((o, H) => new LSTM(I, H, { ...o, normalization: "layer" })),
  "LSTM with coupled gates, layer normalisation and no biases": variant(
    (o, H) => new LSTM(I, H, { ...o, forgetGate: "coupled", normalization: "layer", bias: false }),
  ),
  "GRU with layer normalisation": variant((o, H) => new GRU(I, H, { ...o, normalization: "layer" })),
  "GRU without a reset, with layer normalisation and zoneout": variant(
    (o, H) => new GRU(I, H, { ...o, reset: "none", normalization: "layer", zoneout: 0.3 }),
    { training: true },
  ),
  "RNN with layer normalisation": variant((o, H) => new RNN(I, H, { ...o, normalization: "layer" })),
  "LSTM with batch normalisation, in training": variant((o, H) => new LSTM(I, H, { ...o, ...batch }), { training: true, ...step }),
  "LSTM with batch normalisation, in inference": variant((o, H) => new LSTM(I, H, { ...o, ...batch }), step),
  "GRU with batch normalisation, in training": variant((o, H) => new GRU(I, H, { ...o, ...batch }), { training: true, ...step }),
  "LSTM with zoneout, in training": variant((o, H) => new LSTM(I, H, { ...o, zoneout: { h: 0.4, c: 0.3 } }), { training: true }),
  "LSTM with zoneout, in inference": variant((o, H) => new LSTM(I, H, { ...o, zoneout: { h: 0.4, c: 0.3 } })),
  "LSTM with peepholes and zoneout": variant((o, H) => new LSTM(I, H, { ...o, peepholes: true, zoneout: { h: 0.2 } }), { training: true }),
  "RNN with zoneout, in training": variant((o, H) => new RNN(I, H, { ...o, nonlinearity: "relu", zoneout: 0.4 }), { training: true }),
  "LSTM with recurrent dropout": variant((o, H) => new LSTM(I, H, { ...o, recurrentDropout: 0.4 }), { training: true }),
  "GRU with recurrent dropout and layer normalisation": variant(
    (o, H) => new GRU(I, H, { ...o, recurrentDropout: 0.4, normalization: "layer" }),
    { training: true },
  ),
  "LSTM with batch normalisation, zoneout and recurrent dropout": variant(
    (o, H) => new LSTM(I, H, { ...o, ...batch, zoneout: 0.2, recurrentDropout: 0.3 }),
    { training: true, ...step },
  ),
};
const names = Object.keys(variants);

/** States of `lanes` layers or directions. */
function inputsOf(model: string, lanes: number, H: number, lengths?: number[]): ModelInputs<Tensor> {
  const state: Record<string, Tensor> = { h: tensor([lanes, B, H], 4) };
  if (model.startsWith("LSTM")) state.c = tensor([lanes, B, H], 5);
  return { input: tensor([T, B, I], 3), state, lengths };
}

/** Rows that end early, but never so many that a batch's statistics are those of two. */
const lengthsOf = (name: string): number[] => (name.includes("batch") ? [3, 2, 3, 3] : [2, 3, 1, 3]);

/** Gains, statistics and biases that are not all alike. */
async function stirred(model: Module): Promise<Module> {
  const dict = await model.stateDict();
  model.loadStateDict(
    Object.fromEntries(
      Object.entries(dict).map(([name, { shape, data }], n) => [
        name,
        { shape, data: /gain|running|bias/.test(name) ? data.map((v, i) => v + 0.3 * Math.abs(Math.sin(n + 2.3 * i))) : data },
      ]),
    ),
  );
  return model;
}

const float64 = { atol: 1e-12, rtol: 1e-10 };

describe("gradients in float64 agree with finite differences", () => {
  it.each(sampled(names, 4))("%s, rows of different lengths", async (name) => {
    const { make, training, strategies } = variants[name];
    const model = await stirred(make({ seed: 1 }, few));
    await checkGradients(model, inputsOf(name, 1, few, lengthsOf(name)), training, { strategy: strategies[0], bends: true });
  });

  itThoroughly.each(["LSTM with layer normalisation", "LSTM with batch normalisation, zoneout and recurrent dropout"])(
    "two layers in both directions: %s",
    async (name) => {
      const { make, training } = variants[name];
      const model = await stirred(make({ numLayers: 2, bidirectional: true, seed: 1 }, 2));
      await checkGradients(model, inputsOf(name, 4, 2, lengthsOf(name)), training, { bends: true });
    },
  );

  it.each(names.filter((name) => variants[name].strategies.length > 1))("and are the same by each strategy: %s", async (name) => {
    const { make, training, strategies } = variants[name];
    const model = await stirred(make({ bidirectional: true, seed: 1 }, few));
    const inputs = inputsOf(name, 2, few, lengthsOf(name));
    const cotangents = { output: tensor([T, B, 2 * few], 6), state: { h: tensor([2, B, few], 7) } };
    const on = await backend("cpu", "float64");
    const [one, other] = await Promise.all(
      strategies.map((strategy) => gradients(model, inputs, cotangents, { backend: on, training, seed: 5, strategy })),
    );
    expectClose("output", other.output.data, one.output.data, float64);
    expectClose("d.input", other.gradients.input!.data, one.gradients.input!.data, float64);
    for (const [path, { data }] of Object.entries(one.gradients.parameters))
      expectClose(`d.${path}`, other.gradients.parameters[path].data, data, float64);
  });
});

/** Between them every option; each is another pipeline for each pass, and the kernels' own tests have all branches. */
const forDevice = [
  "LSTM with layer normalisation",
  "GRU with recurrent dropout and layer normalisation",
  "RNN with zoneout, in training",
  "LSTM with batch normalisation, zoneout and recurrent dropout",
];

const byStrategies = (some: readonly string[]) =>
  some.flatMap((name) => variants[name].strategies.map((strategy) => [name, strategy] as const));

describe.each(kinds)("on %s", (kind) => {
  // A norm over five numbers makes forty times more of what float32 rounds than one over these.
  const H = 32;
  it.each(kind === "cpu" ? byStrategies(names) : sampled(byStrategies(forDevice), 2))(
    "%s gives the float64 values by %s",
    async (name, strategy) => {
      const { make, training } = variants[name];
      const model = await stirred(make({ numLayers: 2, bidirectional: name.includes("layer"), seed: 2 }, H));
      const lanes = name.includes("layer") ? 4 : 2;
      const inputs = inputsOf(name, lanes, H, lengthsOf(name));
      const options = { training, seed: 9 };
      const cotangents = { output: tensor([T, B, (H * lanes) / 2], 6), state: { h: tensor([lanes, B, H], 7) } };
      const start = await model.stateDict();
      const expected = await gradients(model, inputs, cotangents, {
        ...options,
        backend: await backend("cpu", "float64"),
        strategy: "step",
      });
      const statistics = await model.stateDict();
      model.loadStateDict(start);
      const found = await gradients(model, inputs, cotangents, { ...options, backend: await backend(kind), strategy });
      expectClose("output", found.output.data, expected.output.data);
      // A norm's gradient subtracts numbers as large as the array's largest, so the tolerance of small numbers follows
      // the largest.
      const expectGradient = (what: string, actual: ArrayLike<number>, wanted: ArrayLike<number>): void =>
        expectClose(what, actual, wanted, {
          atol: 1e-5 + 3e-5 * Array.from(wanted).reduce((most, v) => Math.max(most, Math.abs(v)), 0),
          rtol: 1e-4,
        });
      expectGradient("d.input", found.gradients.input!.data, expected.gradients.input!.data);
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectGradient(`d.${path}`, found.gradients.parameters[path].data, data);
      for (const [path, { data }] of Object.entries(expected.state)) expectClose(path, found.state[path].data, data);
      for (const [path, { data }] of Object.entries(await model.stateDict())) expectClose(path, data, statistics[path].data);
    },
  );

  usuallyIf(kind === "cpu")("gates computed again give the same bits", async () => {
    const model = new LSTM(I, H, { normalization: "layer", zoneout: 0.2, recurrentDropout: 0.3, seed: 3 });
    const inputs = { input: tensor([20, B, I], 3) };
    const options = { backend: await backend(kind), training: true, seed: 4 };
    const cotangents = { output: tensor([20, B, H], 6) };
    const [kept, again] = [
      await gradients(model, inputs, cotangents, options),
      await gradients(model, inputs, cotangents, { ...options, recompute: true }),
    ];
    expect(again.output).toEqual(kept.output);
    for (const [path, { data }] of Object.entries(kept.gradients.parameters))
      expectClose(path, again.gradients.parameters[path].data, data);
  });
});

const sigma = (v: number): number => 1 / (1 + Math.exp(-v));
/** (v - mean) / √(variance + 1e-5). */
function normalized(v: readonly number[]): number[] {
  const mean = v.reduce((a, b) => a + b, 0) / v.length;
  const variance = v.reduce((a, b) => a + (b - mean) ** 2, 0) / v.length;
  return v.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
}

describe("the equations, written out", () => {
  /** weight [rows, columns] · vector. */
  const times = ({ shape: [rows, columns], data }: Tensor, v: readonly number[]): number[] =>
    Array.from({ length: rows }, (_, r) => v.reduce((sum, x, c) => sum + x * data[r * columns + c], 0));

  it("of an LSTM with layer normalisation (Ba et al. 2016)", async () => {
    const model = await stirred(new LSTM(I, few, { normalization: "layer", seed: 5 }));
    const d = await model.stateDict();
    const x = tensor([T, 1, I], 3);
    let h = new Array<number>(few).fill(0);
    let c = h;
    const outputs: number[] = [];
    for (let t = 0; t < T; t++) {
      const [ofX, ofH] = [
        normalized(times(d.weight_ih_l0, Array.from(x.data).slice(t * I, (t + 1) * I))),
        normalized(times(d.weight_hh_l0, h)),
      ];
      const a = ofX.map((v, i) => v * d.gain_ih_l0.data[i] + d.bias_ih_l0.data[i] + ofH[i] * d.gain_hh_l0.data[i] + d.bias_hh_l0.data[i]);
      c = c.map((before, u) => sigma(a[few + u]) * before + sigma(a[u]) * Math.tanh(a[2 * few + u]));
      h = normalized(c).map((v, u) => sigma(a[3 * few + u]) * Math.tanh(v * d.gain_c_l0.data[u] + d.bias_c_l0.data[u]));
      outputs.push(...h);
    }
    expectClose("h", (await forward(model, x, { backend: await backend("cpu", "float64") })).output.data, outputs, {
      atol: 1e-12,
      rtol: 0,
    });
  });

  it("of an RNN with batch normalisation, and its running statistics (Cooijmans et al. 2017)", async () => {
    const model = await stirred(new RNN(I, few, { normalization: "batch", normalizedSteps: 2, seed: 6 }));
    const d = await model.stateDict();
    const x = tensor([T, B, I], 3);
    let h = Array.from({ length: B }, () => new Array<number>(few).fill(0));
    const outputs: number[] = [];
    const running = Array.from(d.running_l0.data);
    for (let t = 0; t < T; t++) {
      const sides = [
        h.map((_, b) => times(d.weight_ih_l0, Array.from(x.data).slice((t * B + b) * I, (t * B + b + 1) * I))),
        h.map((row) => times(d.weight_hh_l0, row)),
      ];
      // Rows of the statistics: mean and variance of W·x, then of U·h.
      sides.forEach((side, s) =>
        Array.from({ length: few }, (_, u) => {
          const column = side.map((row) => row[u]);
          const mean = column.reduce((a, b) => a + b, 0) / B;
          const unbiased = column.reduce((a, b) => a + (b - mean) ** 2, 0) / (B - 1);
          [mean, unbiased].forEach((value, n) => {
            const at = (Math.min(t, 1) * 4 + 2 * s + n) * few + u;
            running[at] += 0.1 * (value - running[at]);
          });
        }),
      );
      const [ofX, ofH] = sides.map((side) => Array.from({ length: few }, (_, u) => normalized(side.map((row) => row[u]))));
      h = h.map((row, b) =>
        row.map((_, u) =>
          Math.tanh(ofX[u][b] * d.gain_ih_l0.data[u] + d.bias_ih_l0.data[u] + ofH[u][b] * d.gain_hh_l0.data[u] + d.bias_hh_l0.data[u]),
        ),
      );
      outputs.push(...h.flat());
    }
    const { output } = await forward(model, x, { backend: await backend("cpu", "float64"), training: true });
    expectClose("h", output.data, outputs, { atol: 1e-12, rtol: 0 });
    expectClose("running", (await model.stateDict()).running_l0.data, running, { atol: 1e-7, rtol: 1e-7 });
  });
});
