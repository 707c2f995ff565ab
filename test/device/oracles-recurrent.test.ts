/** Recurrent layers against values computed by PyTorch and tensorflow.js: outputs, states and every gradient by name. */
import { describe, it } from "vitest";
import { gradients, GRU, LSTM, RNN, type Backend, type Module, type Tensor } from "webgpu-rnn";
import { recurrentCases, resetBeforeCases } from "../fixtures/recurrent-cases.ts";
import { backend, expectClose, fixture, float32 } from "./support.ts";
import { sampled } from "../thorough.ts";

interface Fixture {
  dtype?: string;
  shape: number[];
  data: number[];
}

interface RecurrentCase {
  case: string;
  op: string;
  config: {
    inputSize: number;
    hiddenSize: number;
    numLayers: number;
    bidirectional: boolean;
    bias: boolean;
    batchFirst: boolean;
    nonlinearity: string | null;
  };
  lengths: number[] | null;
  weights: Record<string, Fixture>;
  x: Fixture;
  h0: Fixture | null;
  c0: Fixture | null;
  cotangents: { y: Fixture; h_n: Fixture; c_n?: Fixture };
  expected: { y: Fixture; h_n: Fixture; c_n?: Fixture };
  gradients: Record<string, Fixture>;
}

const tight = { atol: 1e-8, rtol: 1e-7 };

function layerFor({ op, config }: RecurrentCase): Module {
  const { inputSize, hiddenSize, numLayers, bidirectional, bias, batchFirst } = config;
  const options = { numLayers, bidirectional, bias, batchFirst };
  if (op === "GRU") return new GRU(inputSize, hiddenSize, options);
  if (op === "LSTM") return new LSTM(inputSize, hiddenSize, options);
  return new RNN(inputSize, hiddenSize, { ...options, nonlinearity: config.nonlinearity === "relu" ? "relu" : "tanh" });
}

async function check(c: RecurrentCase, on: Backend, strategy: "loop" | "step" | "wavefront"): Promise<void> {
  const tolerance = on.precision === "float64" ? tight : float32;
  const layer = layerFor(c);
  layer.loadStateDict(Object.fromEntries(Object.entries(c.weights).map(([name, w]) => [name, fixture(w)])));
  const state: Record<string, Tensor> = {};
  if (c.h0) state.h = fixture(c.h0);
  if (c.c0) state.c = fixture(c.c0);
  const cotangentState: Record<string, Tensor> = { h: fixture(c.cotangents.h_n) };
  if (c.cotangents.c_n) cotangentState.c = fixture(c.cotangents.c_n);
  const result = await gradients(
    layer,
    { input: fixture(c.x), state, lengths: c.lengths ?? undefined },
    { output: fixture(c.cotangents.y), state: cotangentState },
    { backend: on, strategy },
  );
  expectClose("output", result.output.data, c.expected.y.data, tolerance);
  expectClose("h_n", result.state.h.data, c.expected.h_n.data, tolerance);
  if (c.expected.c_n) expectClose("c_n", result.state.c.data, c.expected.c_n.data, tolerance);
  for (const [name, expected] of Object.entries(c.gradients)) {
    const found =
      name === "x"
        ? result.gradients.input
        : name === "h0"
          ? result.gradients.state.h
          : name === "c0"
            ? result.gradients.state.c
            : result.gradients.parameters[name];
    expectClose(`d.${name}`, found!.data, expected.data, tolerance);
  }
}

const cases = recurrentCases as unknown as RecurrentCase[];

describe.each([
  ["cpu", "float64", "wavefront"],
  ["cpu", "float32", "step"],
  ["cpu", "float32", "loop"],
  ["webgpu", "float32", "loop"],
  ["webgpu", "float32", "wavefront"],
] as const)("recurrent layers on %s in %s, %s", (kind, precision, strategy) => {
  const some = kind === "webgpu" && strategy === "wavefront" ? sampled(cases, 6) : cases;
  it.each(some.map((c) => [c.case, c] as const))("agree with PyTorch on %s", async (_name, c) => {
    await check(c, await backend(kind, precision), strategy);
  });
});

interface KerasLayer {
  class: string;
  config: { units?: number };
  weights: Fixture[];
}

interface KerasCase {
  case: string;
  layers: KerasLayer[];
  x: Fixture;
  initialStates: Fixture[];
  mask: number[][] | null;
  cotangents: Fixture[];
  outputs: Fixture[];
  gradients: { weights: Fixture[][]; x: Fixture; initialStates: Fixture[] };
}

/** Keras' kernel [in, 3H] with columns z r h as rows r z n of [3H, in]; a bias [3H] the same way. */
function fromKeras({ shape, data }: Fixture): Tensor {
  const [rows, columns] = shape.length === 1 ? [1, shape[0]] : shape;
  const H = columns / 3;
  const result = new Float64Array(rows * columns);
  [1, 0, 2].forEach((block, gate) => {
    for (let unit = 0; unit < H; unit++) {
      for (let i = 0; i < rows; i++) result[(gate * H + unit) * rows + i] = data[i * columns + block * H + unit];
    }
  });
  return { shape: shape.length === 1 ? [columns] : [columns, rows], data: result };
}

const kerasNames = ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0"];

describe.each([
  ["cpu", "float64"],
  ["cpu", "float32"],
  ["webgpu", "float32"],
] as const)("GRU with the reset before the product on %s in %s", (kind, precision) => {
  it.each((resetBeforeCases as unknown as KerasCase[]).map((c) => [c.case, c] as const))("agrees with %s", async (_name, c) => {
    const on = await backend(kind, precision);
    const tolerance = on.precision === "float64" ? { atol: 1e-5, rtol: 1e-5 } : float32;
    const [layer] = c.layers;
    const bidirectional = layer.class === "Bidirectional";
    const H = layer.weights[1].shape[0];
    const model = new GRU(c.x.shape[2], H, { reset: "before", batchFirst: true, bidirectional });
    const suffixes = bidirectional ? ["", "_reverse"] : [""];
    const names = suffixes.flatMap((suffix) => kerasNames.map((name) => name + suffix));
    const dict: Record<string, Tensor> = Object.fromEntries(names.map((name, i) => [name, fromKeras(layer.weights[i])]));
    // Keras has one bias where PyTorch's layout has two.
    for (const suffix of suffixes) dict[`bias_hh_l0${suffix}`] = { shape: [3 * H], data: new Float64Array(3 * H) };
    model.loadStateDict(dict);
    const lengths = c.mask?.map((row) => row.reduce((sum, m) => sum + m, 0));
    const masked = (t: Fixture): Fixture =>
      !c.mask
        ? t
        : {
            shape: t.shape,
            data: t.data.map((v, i) => v * c.mask![Math.floor(i / (t.shape[1] * t.shape[2]))][Math.floor(i / t.shape[2]) % t.shape[1]]),
          };
    const state =
      c.initialStates.length > 0 ? { h: fixture({ shape: [1, ...c.initialStates[0].shape], data: c.initialStates[0].data }) } : undefined;
    const finalCotangent =
      c.cotangents.length > 1 ? { h: fixture({ shape: [1, ...c.cotangents[1].shape], data: c.cotangents[1].data }) } : maskedTail(c);
    const result = await gradients(
      model,
      { input: fixture(c.x), state, lengths },
      { output: fixture(masked(c.cotangents[0])), state: finalCotangent },
      { backend: on },
    );
    expectClose("output", result.output.data, masked(c.outputs[0]).data, tolerance);
    names.forEach((name, i) =>
      expectClose(`d.${name}`, result.gradients.parameters[name].data, fromKeras(c.gradients.weights[0][i]).data, tolerance),
    );
    expectClose("d.x", result.gradients.input!.data, c.gradients.x.data, tolerance);
    if (state) expectClose("d.h0", result.gradients.state.h.data, c.gradients.initialStates[0].data, tolerance);
  });
});

/** Keras repeats the last output at masked steps, so the cotangents there belong to the final state. */
function maskedTail(c: KerasCase): Record<string, Tensor> | undefined {
  if (!c.mask) return undefined;
  const [B, T, H] = c.cotangents[0].shape;
  const data = new Float64Array(B * H);
  c.cotangents[0].data.forEach((v, i) => {
    const b = Math.floor(i / (T * H));
    if (!c.mask![b][Math.floor(i / H) % T]) data[b * H + (i % H)] += v;
  });
  return { h: { shape: [1, B, H], data } };
}
