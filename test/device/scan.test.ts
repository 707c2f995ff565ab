/** MinGRU and MinLSTM, and the scan that computes their steps: long sequences, both directions, lengths, states, gradients. */
import { describe, expect, it } from "vitest";
import {
  forward,
  gradients,
  GRU,
  Linear,
  LSTM,
  MinGRU,
  MinLSTM,
  RNN,
  Sequential,
  verify,
  type Module,
  type StateDict,
  type StrategyName,
  type Tensor,
  LastStep,
} from "webgpu-rnn";
import { prepareCase } from "../../src/backend/self-test/kernel-check.ts";
import { twinOf } from "../../src/backend/all-twins.ts";
import { minGru } from "../../src/recurrent/cells/min-gru.ts";
import { scanForward } from "../../src/recurrent/strategies/scan.ts";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

/** Sums of -log(1 + e^x) and of logs lose digits as they grow: the scan by logarithms (Feng et al. 2024, appendix B), in float32. */
function scanByLogarithms(x: Float32Array, T: number, units: number): Float64Array {
  const { fround } = Math;
  const softplus = (v: number): number => fround(Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v))));
  const logOfPositive = (v: number): number => (v >= 0 ? fround(Math.log(v + 0.5)) : fround(-softplus(-v)));
  const h = new Float64Array(T * units);
  for (let unit = 0; unit < units; unit++) {
    let decay = 0;
    // log Σ exp of what has been written, each as if it had been written before the first step.
    let written = -Infinity;
    for (let t = 0; t < T; t++) {
      const [z, n] = [x[(t * units + unit) * 2], x[(t * units + unit) * 2 + 1]];
      decay = fround(decay - softplus(z));
      const value = fround(fround(logOfPositive(n) - softplus(-z)) - decay);
      const [high, low] = [Math.max(written, value), Math.min(written, value)];
      written = fround(high + Math.log1p(Math.exp(low - high)));
      h[t * units + unit] = fround(Math.exp(fround(decay + written)));
    }
  }
  return h;
}

describe("numbers of a scan over 4,096 steps", () => {
  const [T, units] = [4096, 8];
  const x = numbers(T * units * 2, 3, 3);
  const segment = { lanes: 1, T, B: 1, H: units, reverse: 0, hBase: 0, first: 0, steps: T };
  const lengths = Uint32Array.of(T);
  const exact = new Float64Array((T + 1) * units);
  twinOf(scanForward(minGru))({ gates: Float64Array.from(x), h: exact, lengths }, segment);
  /** The greatest relative error; all states are above 0. */
  const errorOf = (h: ArrayLike<number>): number =>
    Math.max(...Array.from({ length: T * units }, (_, i) => Math.abs(h[i] / exact[units + i] - 1)));

  it("are as near to float64 as single steps are, and nearer than a scan by logarithms", async () => {
    const kernel = scanForward(minGru);
    const arrays = { gates: x.slice(), h: new Float32Array((T + 1) * units), lengths };
    const prepared = await prepareCase(await backend("webgpu"), kernel, { params: segment, arrays });
    const { h } = await (await prepared.submit()).results;
    prepared.free();
    const steps = new Float32Array((T + 1) * units);
    twinOf(kernel)({ gates: x.slice(), h: steps, lengths }, segment);
    const [scan, oneByOne, logarithms] = [
      errorOf(h.subarray(units)),
      errorOf(steps.subarray(units)),
      errorOf(scanByLogarithms(x, T, units)),
    ];
    expect(scan).toBeLessThan(2e-6);
    expect(oneByOne).toBeLessThan(2e-6);
    expect(logarithms).toBeGreaterThan(10 * scan);
  });
});

type Options = ConstructorParameters<typeof MinGRU>[2];
const layers: Record<string, (inputs: number, units: number, options: Options) => Module> = {
  MinGRU: (inputs, units, options) => new MinGRU(inputs, units, options),
  "MinGRU with a linear candidate": (inputs, units, options) => new MinGRU(inputs, units, { ...options, candidate: "linear" }),
  MinLSTM: (inputs, units, options) => new MinLSTM(inputs, units, options),
  "MinLSTM with a linear candidate": (inputs, units, options) => new MinLSTM(inputs, units, { ...options, candidate: "linear" }),
};
const names = Object.keys(layers);
const tensor = (shape: number[], seed: number, scale = 1): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b),
      seed,
      scale,
    ),
  ),
});

describe("gradients in float64 agree with finite differences", () => {
  it.each(names)("%s, two layers, both directions, rows of different lengths, initial states", async (name) => {
    const inputs = { input: tensor([4, 3, 2], 3), lengths: [2, 4, 0], state: { h: tensor([4, 3, 3], 4) } };
    // g bends at 0: the small steps, which no argument of a candidate reaches across here.
    await checkGradients(layers[name](2, 3, { numLayers: 2, bidirectional: true, seed: 2 }), inputs, false, { bends: true });
  });
});

/** h after each step by the equations, for one layer that goes forwards. @param weights, biases in the order of the files */
function byEquations(name: string, H: number, { shape: [T, B, I], data: x }: Tensor, dict: StateDict, h0: ArrayLike<number>): Float64Array {
  const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));
  const g = (a: number): number => (name.includes("linear") ? a : a >= 0 ? a + 0.5 : sigmoid(a));
  const { weight_ih_l0: weight, bias_ih_l0: bias } = dict;
  const y = new Float64Array(T * B * H);
  for (let row = 0; row < B; row++) {
    for (let unit = 0; unit < H; unit++) {
      let h = h0[row * H + unit];
      for (let t = 0; t < T; t++) {
        const gate = (n: number): number => {
          let sum = bias.data[n * H + unit];
          for (let i = 0; i < I; i++) sum += weight.data[(n * H + unit) * I + i] * x[(t * B + row) * I + i];
          return sum;
        };
        if (name.startsWith("MinGRU")) {
          const z = sigmoid(gate(0));
          h = (1 - z) * h + z * g(gate(1));
        } else {
          const [f, i] = [sigmoid(gate(0)), sigmoid(gate(1))];
          h = (f / (f + i)) * h + (i / (f + i)) * g(gate(2));
        }
        y[(t * B + row) * H + unit] = h;
      }
    }
  }
  return y;
}

const byLength = [1, 33, 4096].flatMap((T) => names.map((name) => [name, T] as const));

describe.each(kinds)("on %s", (kind) => {
  it.each(sampledOn(kind, names, 1))("%s computes its equations over 4,096 steps", async (name) => {
    const [T, B, I, H] = [4096, 2, 3, 5];
    const model = layers[name](I, H, { seed: 2 });
    const [input, h0] = [tensor([T, B, I], 3, 3), tensor([1, B, H], 4)];
    const { output } = await forward(model, { input, state: { h: h0 } }, { backend: await backend(kind) });
    expectClose("output", output.data, byEquations(name, H, input, await model.stateDict(), h0.data), { atol: 1e-5, rtol: 1e-5 });
  });

  it.each(sampled(byLength, kind === "cpu" ? 6 : 3))(
    "%s gives the gradients of float64 over %i steps: both directions, lengths, states",
    async (name, T) => {
      const [B, I, H] = [3, 2, 5];
      const model = layers[name](I, H, { numLayers: 2, bidirectional: true, seed: 2 });
      const lengths = [T, Math.ceil(T / 3), 0];
      const inputs = { input: tensor([T, B, I], 3), lengths, state: { h: tensor([4, B, H], 4) } };
      const cotangents = { output: tensor([T, B, 2 * H], 6), state: { h: tensor([4, B, H], 7) } };
      const expected = await gradients(model, inputs, cotangents, { backend: await backend("cpu", "float64") });
      const found = await gradients(model, inputs, cotangents, { backend: await backend(kind) });
      expectClose("output", found.output.data, expected.output.data);
      expectClose("h", found.state.h.data, expected.state.h.data);
      expectClose("d.input", found.gradients.input!.data, expected.gradients.input!.data);
      expectClose("d.h", found.gradients.state.h.data, expected.gradients.state.h.data);
      // Sums over all steps: each term has the error of one.
      const sums = { atol: 1e-5 * Math.sqrt(T), rtol: 1e-4 };
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectClose(`d.${path}`, found.gradients.parameters[path].data, data, sums);
    },
  );

  it.each(sampledOn(kind, names, 1))("%s goes on from the state that a first part has left", async (name) => {
    const [T, B, I, H] = [45, 2, 3, 9];
    const model = layers[name](I, H, { numLayers: 2, seed: 3 });
    const input = tensor([T, B, I], 5);
    const part = (from: number, to: number): Tensor => ({ shape: [to - from, B, I], data: input.data.slice(from * B * I, to * B * I) });
    const options = { backend: await backend(kind) };
    const whole = await forward(model, { input }, options);
    const first = await forward(model, { input: part(0, 17) }, options);
    const second = await forward(model, { input: part(17, T), state: first.state }, options);
    expectClose("output", [...first.output.data, ...second.output.data], whole.output.data);
    expectClose("h", second.state.h.data, whole.state.h.data);
    for (const strategy of ["loop", "step"] as const) {
      const third = await forward(model, { input: part(17, T), state: first.state }, { ...options, strategy });
      expectClose(`output by ${strategy}`, third.output.data, second.output.data);
      expectClose(`h by ${strategy}`, third.state.h.data, second.state.h.data);
    }
  });

  // By the number of steps, rows and units; around a scan's 32 parts, a thread's four rows and a workgroup's 64 units.
  const shapes: readonly (readonly [T: number, B: number, H: number])[] = [
    [1, 1, 1],
    [2, 5, 3],
    [31, 4, 64],
    [33, 1, 65],
    [64, 3, 130],
    [4096, 2, 5],
    [97, 9, 7],
  ];
  it.each(
    (["loop", "step"] as const).flatMap((strategy) =>
      ["MinGRU", "MinLSTM"].flatMap((name) => sampled(shapes, 2).map((shape) => [name, strategy, ...shape] as const)),
    ),
  )("%s gives by %s what it gives by the scan, at T %i, B %i, H %i", async (name, strategy, T, B, H) => {
    const model = layers[name](2, H, { bidirectional: true, seed: 2 });
    const lengths = Array.from({ length: B }, (_, row) => Math.ceil((T * (B - row)) / B));
    const inputs = { input: tensor([T, B, 2], 3), lengths, state: { h: tensor([2, B, H], 4) } };
    const cotangents = { output: tensor([T, B, 2 * H], 6), state: { h: tensor([2, B, H], 7) } };
    const on = await backend(kind);
    const [byScan, found] = await Promise.all(
      (["scan", strategy] as const).map((one) => gradients(model, inputs, cotangents, { backend: on, strategy: one })),
    );
    const near = { atol: 1e-5, rtol: 1e-5 };
    expectClose("output", found.output.data, byScan.output.data, near);
    expectClose("h", found.state.h.data, byScan.state.h.data, near);
    expectClose("d.input", found.gradients.input!.data, byScan.gradients.input!.data, near);
    expectClose("d.h", found.gradients.state.h.data, byScan.gradients.state.h.data, near);
    // Sums over all steps and rows: each term has the error of one.
    const sums = { atol: 1e-5 * Math.sqrt(T * B), rtol: 1e-5 };
    for (const [path, { data }] of Object.entries(byScan.gradients.parameters))
      expectClose(`d.${path}`, found.gradients.parameters[path].data, data, sums);
  });
});

describe.each(kinds)("a model of an LSTM and a MinGRU, on %s", (kind) => {
  it.each(["loop", "step"] as const)("is computed by %s as a whole, whole and in parts", async (strategy) => {
    const model = new Sequential([new LSTM(3, 5), new MinGRU(5, 7, { numLayers: 2 }), new Linear(7, 2)], { seed: 4 });
    const [T, B] = [9, 3];
    const input = tensor([T, B, 3], 3);
    const cotangents = { output: tensor([T, B, 2], 6) };
    const expected = await gradients(model, { input }, cotangents, { backend: await backend("cpu", "float64") });
    const options = { backend: await backend(kind), strategy };
    const found = await gradients(model, { input }, cotangents, options);
    expectClose("output", found.output.data, expected.output.data);
    for (const [path, { data }] of Object.entries(expected.gradients.parameters))
      expectClose(`d.${path}`, found.gradients.parameters[path].data, data);
    let state: Record<string, Tensor> | undefined;
    for (let t = 0; t < T; t++) {
      const frame = { shape: [1, B, 3], data: input.data.slice(t * B * 3, (t + 1) * B * 3) };
      const now = await forward(model, { input: frame, state }, options);
      expectClose(`frame ${t}`, now.output.data, expected.output.data.slice(t * B * 2, (t + 1) * B * 2));
      state = now.state;
    }
  });
});

describe("the strategy", () => {
  it.each(kinds)("is a scan, whose dispatches do not depend on the number of steps, on %s", async (kind) => {
    const model = new MinGRU(3, 4, { seed: 1 });
    const on = await backend(kind);
    const dispatches = async (T: number, strategy?: StrategyName): Promise<number> => {
      const before = on.counters.dispatches;
      const cotangents = { output: tensor([T, 2, 4], 4) };
      await gradients(model, { input: tensor([T, 2, 3], 3) }, cotangents, { backend: on, strategy });
      return on.counters.dispatches - before;
    };
    const few = await dispatches(2);
    expect(few).toBeGreaterThan(2);
    expect(few).toBeLessThan(12);
    expect(await dispatches(4096)).toBe(few);
    expect(await dispatches(2, "scan")).toBe(few);
  });

  it.each([
    ["RNN", new RNN(3, 4)],
    ["GRU", new GRU(3, 4, { reset: "before" })],
    ["LSTM", new LSTM(3, 4, { projSize: 2 })],
  ] as const)("scan is refused by an %s in words", async (_, model) => {
    await expect(forward(model, { input: tensor([3, 2, 3], 3) }, { backend: await backend("cpu"), strategy: "scan" })).rejects.toThrow(
      'l0: strategy "scan" needs a cell without a recurrent product, whose h_t is a⊙h_{t-1} + b; use "loop"',
    );
  });

  it.each(["loop", "step", "wavefront"] as const)("%s, asked for, takes stacked MinGRUs, and passes verify", async (strategy) => {
    const on = await backend("webgpu");
    const model = new MinGRU(3, 4, { numLayers: 3, seed: 1 });
    const before = on.counters.dispatches;
    await forward(model, { input: tensor([5, 2, 3], 3) }, { backend: on, strategy });
    // A product for each layer, or, of layers that share dispatches, one and two packed weights; then the steps.
    expect(on.counters.dispatches - before).toBe({ loop: 3 + 3, step: 3 + 15, wavefront: 3 + 7 }[strategy]);
    expect((await verify(model, { input: tensor([5, 2, 3], 3) }, { backend: on, strategy })).passed).toBe(true);
  });
});

describe("MinGRU and MinLSTM", () => {
  it("have no recurrent weights, and one bias", async () => {
    const shapes = async (model: Module) => Object.entries(await model.stateDict()).map(([name, { shape }]) => [name, shape]);
    expect(await shapes(new MinGRU(3, 4))).toEqual([
      ["weight_ih_l0", [8, 3]],
      ["bias_ih_l0", [8]],
    ]);
    expect(await shapes(new MinLSTM(3, 4, { numLayers: 2, bias: false }))).toEqual([
      ["weight_ih_l0", [12, 3]],
      ["weight_ih_l1", [12, 4]],
    ]);
  });

  it.each([
    [{ recurrentInit: "orthogonal" }, /MinGRU: .*recurrentInit/],
    [{ normalization: "layer" }, /MinGRU: .*normalization/],
    [{ candidate: "tanh" }, 'MinGRU: candidate must be "positive" or "linear", got "tanh"'],
  ])("refuse options that mean nothing to them: %o", (options, message) => {
    expect(() => new MinGRU(3, 4, options as never)).toThrow(message);
  });

  it.each(kinds)("keep states above 0 that begin above 0, on %s", async (kind) => {
    const input = tensor([300, 2, 3], 8, 20);
    for (const name of ["MinGRU", "MinLSTM"]) {
      const { output } = await forward(layers[name](3, 4, { seed: 1 }), { input }, { backend: await backend(kind) });
      expect(output.data.every((h) => h >= 0)).toBe(true);
    }
  });

  it("give their last state through LastStep", async () => {
    const rnn = new MinLSTM(3, 4, { seed: 1 });
    const [inputs, options] = [{ input: tensor([5, 2, 3], 3), lengths: [5, 2] }, { backend: await backend("cpu") }];
    const { state } = await forward(rnn, inputs, options);
    const { output } = await forward(new LastStep(rnn), inputs, options);
    expect([...output.data]).toEqual([...state.h.data]);
  });

  it("verify on a device", async () => {
    const inputs = { input: tensor([40, 2, 3], 3), lengths: [40, 7] };
    for (const name of names) {
      const report = await verify(layers[name](3, 4, { seed: 1, bidirectional: true }), inputs, { backend: await backend("webgpu") });
      expect(report.passed, String(report)).toBe(true);
    }
  });
});
