/** Layers drawn from all that a recurrent layer can be, each held to the float64 twins: outputs, states, every gradient. */
import { expect } from "vitest";
import {
  CustomRNN,
  defineCell,
  Embedding,
  forward,
  gradients,
  GRU,
  LSTM,
  RNN,
  RnnError,
  Sequential,
  type Backend,
  type GateActivation,
  type LayerOptions,
  type ModelGradients,
  type ModelInputs,
  type Module,
  type Tensor,
} from "webgpu-rnn";
import { backend, leaky, numbers, sizeOf } from "./support.ts";

/** Numbers that follow from a seed (Mulberry32). */
class Draw {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `least` to `most`, small ones more often. */
  size = (least: number, most: number): number => least + Math.floor((most - least + 1) * this.next() ** 2);
  one = <T>(choices: readonly T[]): T => choices[Math.floor(this.next() * choices.length)];
  /** The first of the choices, the default, with probability `stay`. */
  mostly = <T>(stay: number, [first, ...others]: readonly T[]): T => (this.next() < stay ? first : this.one(others));
}

const custom = defineCell(leaky);

const functions: readonly GateActivation[] = [
  "Sigmoid",
  "Tanh",
  "Relu",
  "HardSigmoid",
  "Softsign",
  "Softplus",
  "LeakyRelu",
  { name: "Elu", alpha: 0.6 },
  { name: "HardSigmoid", alpha: 1 / 6 },
  { name: "ThresholdedRelu", alpha: 0.1 },
  { name: "Affine", alpha: 0.4, beta: 0.1 },
  { name: "ScaledTanh", alpha: 0.8, beta: 1.2 },
];

/** What `activations` and `clip` may be of a cell with these roles: one function in all of them, or another in each. */
const chosenFunctions = (...roles: readonly string[]): Record<string, readonly unknown[]> => ({
  activations: [
    undefined,
    ...functions.flatMap((of, i) => [
      Object.fromEntries(roles.map((role) => [role, of])),
      Object.fromEntries(roles.map((role, at) => [role, functions[(i + at) % functions.length]])),
    ]),
  ],
  clip: [undefined, 0.3, 2],
});

/** Each cell with the options that it alone has; the first choice is the default. */
const cells = {
  RNN: { make: (I, H, o) => new RNN(I, H, o), options: { nonlinearity: ["tanh", "relu"], ...chosenFunctions("candidate") } },
  GRU: {
    make: (I, H, o) => new GRU(I, H, o),
    options: { reset: ["after", "before", "none"], updateGate: ["keeps", "writes"], ...chosenFunctions("gates", "candidate") },
  },
  LSTM: {
    make: (I, H, o) => new LSTM(I, H, o),
    options: {
      forgetGate: ["gate", "coupled", "none"],
      outputActivation: ["tanh", "identity"],
      ...chosenFunctions("gates", "candidate", "output"),
      peepholes: [false, true],
      projSize: [undefined, 1, 3, 17],
      forgetBias: [undefined, 1],
    },
  },
  custom: { make: (I, H, o) => new CustomRNN(custom, I, H, o), options: {} },
} satisfies Record<string, { make: (I: number, H: number, options: object) => Module; options: Record<string, readonly unknown[]> }>;

/** What all layers have. */
const layerOptions = {
  numLayers: [1, 2, 3],
  bias: [true, false, "input"],
  batchFirst: [false, true],
  dropout: [undefined, 0.3],
  variational: [undefined, true],
  bidirectional: [false, true],
  reverse: [false, true],
  merge: [undefined, "sum", "mul", "average", "none"],
  recurrentInit: ["uniform", "orthogonal", "identity"],
  inputInit: ["uniform", "glorotUniform", "glorotNormal"],
  normalization: [undefined, "layer", "batch"],
  zoneout: [undefined, 0.2, { h: 0.4 }],
  recurrentDropout: [undefined, 0.3],
} as const;

/** What says how another option acts is refused without that option. */
const needs: Readonly<Record<string, (options: Readonly<Record<string, unknown>>) => boolean>> = {
  merge: ({ bidirectional }) => bidirectional === true,
  reverse: ({ bidirectional }) => bidirectional === false,
  dropout: ({ numLayers }) => numLayers !== 1,
  variational: ({ dropout, numLayers }) => dropout !== undefined && numLayers !== 1,
  nonlinearity: ({ activations }) => activations === undefined,
  outputActivation: ({ activations }) => activations === undefined,
  forgetBias: ({ bias, forgetGate }) => bias !== false && forgetGate === "gate",
};

/** All that is drawn, to be shown where something is wrong. */
export interface RandomLayer {
  readonly seed: number;
  readonly cell: keyof typeof cells;
  /** Steps, batch, inputs (of an embedding in front, if `ids`), units. */
  readonly sizes: readonly [T: number, B: number, I: number, H: number];
  readonly ids: boolean;
  readonly options: Readonly<Record<string, unknown>>;
  readonly lengths?: readonly number[];
  /** Whether first states are given, and last ones have a share in the loss. */
  readonly state: boolean;
  readonly training: boolean;
  readonly run: LayerOptions;
}

const chosen = (draw: Draw, choices: Readonly<Record<string, readonly unknown[]>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(choices)
      .map(([name, values]) => [name, draw.mostly(0.7, values)] as const)
      .filter(([, value]) => value !== undefined),
  );

/** The layer of a seed; not every one is allowed. */
export function drawLayer(seed: number): RandomLayer {
  const draw = new Draw(seed);
  const cell = draw.one(Object.keys(cells) as (keyof typeof cells)[]);
  const all: Record<string, unknown> = { ...chosen(draw, cells[cell].options), ...chosen(draw, layerOptions), seed };
  const overBatch = all.normalization === "batch";
  if (overBatch) all.normalizedSteps = draw.size(1, 5);
  // Every other layer with chosen functions and two directions has the usual functions in the second one.
  if (all.bidirectional === true && all.activations !== undefined && seed % 2 === 0) all.activations = [all.activations, {}];
  const options = Object.fromEntries(Object.entries(all).filter(([name]) => needs[name]?.(all) ?? true));
  const sizes = [draw.size(1, 12), draw.size(overBatch ? 2 : 1, 9), draw.size(1, 40), draw.size(1, 300)] as const;
  const [T, B] = sizes;
  return {
    seed,
    cell,
    sizes,
    ids: draw.next() < 0.2,
    options,
    lengths: draw.next() < 0.4 ? Array.from({ length: B }, () => draw.size(0, T)) : undefined,
    state: draw.next() < 0.5,
    training: draw.next() < 0.6,
    run: {
      strategy: draw.one([undefined, "loop", "step", "wavefront"]),
      recompute: draw.next() < 0.2,
      storage: draw.mostly(0.85, ["float32", "float16"]),
    },
  };
}

export const layerOf = ({ cell, sizes: [, , I, H], options }: RandomLayer): Module => cells[cell].make(I, H, options);
const vocabulary = 7;
const modelOf = (drawn: RandomLayer): Module =>
  drawn.ids
    ? new Sequential({ embedding: new Embedding(vocabulary, drawn.sizes[2]), rnn: layerOf(drawn) }, { seed: drawn.seed })
    : layerOf(drawn);

const exact = (shape: readonly number[], seed: number): Tensor => ({
  shape: [...shape],
  data: Float64Array.from(numbers(sizeOf(shape), seed)),
});

function inputsOf(drawn: RandomLayer, states: Readonly<Record<string, Tensor>>): ModelInputs<Tensor> {
  const [T, B, I] = drawn.sizes;
  const outer = drawn.options.batchFirst ? [B, T] : [T, B];
  const input = drawn.ids
    ? { shape: outer, data: Uint32Array.from(numbers(T * B, drawn.seed), (x) => Math.floor(((x + 1) / 2) * vocabulary)) }
    : exact([...outer, I], drawn.seed);
  const given = Object.entries(states).map(([path, { shape }], i) => [path, exact(shape, drawn.seed + 1 + i)] as const);
  return { input, ...(drawn.state && { state: Object.fromEntries(given) }), ...(drawn.lengths && { lengths: [...drawn.lengths] }) };
}

/** Each number times 1 ± up to `relative`. */
const nudged = ({ shape, data }: Tensor, relative: number, seed: number): Tensor => ({
  shape,
  data: data instanceof Uint32Array ? data : Float64Array.from(numbers(data.length, seed), (x, i) => data[i] * (1 + relative * x)),
});
const allNudged = (tensors: Readonly<Record<string, Tensor>>, relative: number): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor], i) => [name, nudged(tensor, relative, i + 1)]));

/** Every array that comes out, by name. */
function arraysOf(result: ModelGradients, after: Readonly<Record<string, Tensor>>): Map<string, ArrayLike<number>> {
  const groups: Readonly<Record<string, Readonly<Record<string, Tensor>>>> = {
    "": { output: result.output },
    "state ": result.state,
    "gradient of ": result.gradients.parameters,
    "gradient of first ": result.gradients.state,
    "gradient of the ": result.gradients.input ? { input: result.gradients.input } : {},
    "statistics ": Object.fromEntries(Object.entries(after).filter(([name]) => name.includes("running_"))),
  };
  return new Map(
    Object.entries(groups).flatMap(([what, of]) => Object.entries(of).map(([name, { data }]) => [what + name, data] as const)),
  );
}

/** What numbers of a storage are off by, relative to themselves. */
const roundings = { float32: 2 ** -23, float16: 2 ** -11 };

/**
 * Where the layer's results on a backend leave those of the float64 twins, in words; "" if nowhere, undefined if the layer
 * or the call refuses what was drawn. How much rounding may change is measured: it is what the twins' results change by when
 * parameters and inputs are nudged by what rounds them. So a norm over two numbers may be off by more than a plain cell.
 */
export async function problemOf(drawn: RandomLayer, on: Backend): Promise<string | undefined> {
  const twins = await backend("cpu", "float64");
  const { run, seed, training } = drawn;
  try {
    const model = modelOf(drawn);
    const start = await model.stateDict();
    const shapes = await forward(model, inputsOf({ ...drawn, state: false }, {}), { backend: twins, strategy: "step" });
    const inputs = inputsOf(drawn, shapes.state);
    const cotangents = {
      output: exact(shapes.output.shape, seed + 5),
      ...(drawn.state && {
        state: Object.fromEntries(Object.entries(shapes.state).map(([path, { shape }], i) => [path, exact(shape, seed + 7 + i)])),
      }),
    };
    const results = async (parameters: Record<string, Tensor>, given: ModelInputs<Tensor>, where: Backend, options: LayerOptions) => {
      model.loadStateDict(parameters);
      const result = await gradients(model, given, cotangents, { backend: where, training, seed, ...options });
      return arraysOf(result, await model.stateDict());
    };
    const actual = await results(start, inputs, on, run);
    const expected = await results(start, inputs, twins, { strategy: "step" });
    const relative = roundings[run.storage ?? "float32"];
    const nudgedInputs = { ...inputs, input: nudged(inputs.input, relative, 3), state: inputs.state && allNudged(inputs.state, relative) };
    const moved = await results(allNudged(start, relative), nudgedInputs, twins, { strategy: "step" });
    model.dispose();
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [name, wanted] of expected) {
      const problem = difference(name, actual.get(name)!, wanted, moved.get(name)!);
      if (problem !== "") return problem;
    }
    return "";
  } catch (error) {
    if (error instanceof RnnError && (error.kind === "option" || error.kind === "limit")) return undefined;
    throw error;
  }
}

/** Where two arrays differ by more than 1e-5 of the largest number, 1e-4 of their own, and twenty times what a nudge changes. */
function difference(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, moved: ArrayLike<number>): string {
  if (actual.length !== expected.length) return `${name} has ${actual.length} numbers, not ${expected.length}`;
  let [most, squares] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    most = Math.max(most, Math.abs(expected[i]));
    squares += (moved[i] - expected[i]) ** 2;
  }
  const allowed = 1e-5 * (1 + most) + 20 * Math.sqrt(squares / expected.length);
  for (let i = 0; i < expected.length; i++)
    if (!(Math.abs(actual[i] - expected[i]) <= allowed + 1e-4 * Math.abs(expected[i])))
      return `${name}[${i}] is ${actual[i]}, in float64 ${expected[i]}; ${allowed} may be off`;
  return "";
}

/** Compares the layers of so many seeds. Combinations that are refused do not count, and are no more than half of those drawn. */
export async function expectRandomLayers(kind: "cpu" | "webgpu", first: number, count: number): Promise<void> {
  const on = await backend(kind);
  const problems: string[] = [];
  let seed = first;
  for (let compared = 0; compared < count; seed++) {
    expect(seed - first, "layers drawn").toBeLessThan(10 + 2 * count);
    const drawn = drawLayer(seed);
    const problem = await problemOf(drawn, on);
    if (problem === undefined) continue;
    compared++;
    if (problem !== "") problems.push(`${JSON.stringify(drawn)}: ${problem}`);
  }
  expect(problems).toEqual([]);
}
