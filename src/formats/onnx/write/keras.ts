/** Keras' layers as nodes of an ONNX graph: each as Keras' description has it, around the module that holds its weights. */
import type { Module } from "../../../nn/module.ts";
import type { RecurrentLayer } from "../../../recurrent/layer/recurrent-layer.ts";
import { get } from "../../imported.ts";
import { activationName } from "../../keras/activations.ts";
import { flag, inputShapeOf, layerOf, modelKinds, number, type LayerConfig, type Source } from "../../keras/config.ts";
import type { KerasNetwork } from "../../keras/network.ts";
import { refuse, type Builder, type Wire } from "./builder.ts";
import { subjectOf, writeModule } from "./modules.ts";
import type { OnnxAttribute, Sizes } from "./proto.ts";
import { lastOf, recurrentNodes, type Asked } from "./recurrent.ts";

/** A layer on its way into the graph. */
interface Spot {
  readonly build: Builder;
  /** Its path with a dot behind. */
  readonly path: string;
  readonly layer: LayerConfig;
  readonly module: Module | undefined;
  readonly asked: Asked;
}

type LayerWriter = (spot: Spot, inputs: readonly Wire[]) => readonly Wire[];

/** Adds a node whose inputs may be numbers; the result has the sizes of the first value. */
function on(
  { build, path }: Pick<Spot, "build" | "path">,
  operator: string,
  [x, ...more]: readonly [Wire, ...(Wire | number)[]],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): Wire {
  const names = more.map((input) => (typeof input === "number" ? build.number(input) : input.name));
  return { name: build.node(path, operator, [x.name, ...names], attributes), sizes: x.sizes };
}

/** A new shape; 0 keeps a size, -1 takes what is left. */
const reshaped = ({ build, path }: Spot, x: Wire, target: readonly number[], sizes: Sizes): Wire => ({
  name: build.node(path, "Reshape", [x.name, build.integers(target)]),
  sizes,
});

/** The sizes of a value from one axis to another, as a value of the graph. */
const sizesOf = ({ build, path }: Spot, x: Wire, start: number, end?: number): string =>
  build.node(path, "Shape", [x.name], { start: { i: start }, ...(end !== undefined && { end: { i: end } }) });

function product(sizes: Sizes): number | string {
  return sizes.every((size) => typeof size === "number") ? sizes.reduce((all, size) => all * size, 1) : "features";
}

/** Folds an axis. From opset 18 on its number is an input. */
function folded({ build, path, layer }: Spot, operator: string, x: Wire, axis: number): Wire {
  const keeps = flag(layer, "keepdims");
  const kept: Record<string, OnnxAttribute> = { keepdims: { i: keeps ? 1 : 0 } };
  const name =
    build.opset < 18
      ? build.node(path, operator, [x.name], { ...kept, axes: { ints: [axis] } })
      : build.node(path, operator, [x.name, build.integers([axis])], kept);
  return { name, sizes: x.sizes.flatMap((size, i) => (i !== axis ? [size] : keeps ? [1] : [])) };
}

const hardSigmoid = (spot: Spot, x: Wire): Wire =>
  on(spot, "HardSigmoid", [x], { alpha: { f: spot.layer.era === 3 ? 1 / 6 : 0.2 }, beta: { f: 0.5 } });
const hardSwish = (spot: Spot, x: Wire): Wire => on(spot, "HardSwish", [x]);
const silu = (spot: Spot, x: Wire): Wire => on(spot, "Mul", [x, on(spot, "Sigmoid", [x])]);
const plain =
  (operator: string, attributes: Readonly<Record<string, OnnxAttribute>> = {}) =>
  (spot: Spot, x: Wire): Wire =>
    on(spot, operator, [x], attributes);

/** The functions of layers, by Keras' names. */
const functions: Readonly<Record<string, (spot: Spot, x: Wire) => Wire>> = {
  linear: (_, x) => x,
  relu: plain("Relu"),
  relu6: (spot, x) => on(spot, "Clip", [x, 0, 6]),
  sigmoid: plain("Sigmoid"),
  tanh: plain("Tanh"),
  softmax: plain("Softmax", { axis: { i: -1 } }),
  silu,
  swish: silu,
  elu: plain("Elu"),
  selu: plain("Selu"),
  gelu: (spot, x) =>
    on(spot, "Mul", [on(spot, "Mul", [x, 0.5]), on(spot, "Add", [on(spot, "Erf", [on(spot, "Mul", [x, Math.SQRT1_2])]), 1])]),
  exponential: plain("Exp"),
  softplus: plain("Softplus"),
  softsign: plain("Softsign"),
  leaky_relu: plain("LeakyRelu", { alpha: { f: 0.2 } }),
  hard_sigmoid: hardSigmoid,
  hardsigmoid: hardSigmoid,
  hard_silu: hardSwish,
  hard_swish: hardSwish,
};
const activated = (spot: Spot, x: Wire): Wire => functions[activationName(spot.layer, "activation")](spot, x);

const inner = ({ build, path, module, asked }: Spot, x: Wire): Wire => writeModule(build, path, module!, x, asked);

/** A layer of one value. */
const single =
  (write: (spot: Spot, x: Wire) => Wire): LayerWriter =>
  (spot, [x]) => [write(spot, x)];
const unchanged = single((_, x) => x);

/** States [B, ·] of both directions side by side, as ONNX has them. */
function stacked({ build, path }: Spot, states: readonly Wire[]): string {
  const lifted = states.map(({ name }) => build.node(path, "Unsqueeze", [name, build.integers([0])]));
  return lifted.length === 1 ? lifted[0] : build.node(path, "Concat", lifted, { axis: { i: 0 } });
}

/** Runs a layer of ours. Keras has states by direction, then by name. */
function runLayer(spot: Spot, path: string, module: RecurrentLayer, x: Wire, states: readonly Wire[]) {
  const { build, asked } = spot;
  const { directions, stateNames } = module;
  const given = stateNames.map((_, s) => states.filter((_state, i) => i % stateNames.length === s));
  const initial = states.length > 0 ? (state: number) => stacked(spot, given[state]) : undefined;
  const subject = subjectOf(path, module);
  const { output, ends } = recurrentNodes(build, subject, x, { ...asked, initial });
  const byDirection = Array.from({ length: directions }, (_, d) => ends.map((end) => build.at(path, end, 0, d)));
  return { output, finals: byDirection.flat(), last: lastOf(build, subject, ends[0]) };
}

/** Layers of one direction, the cells of a stack on each other. */
const recurrent: LayerWriter = (spot, [input, ...states]) => {
  const { build, path, layer } = spot;
  const whole = spot.module as RecurrentLayer & { readonly layers?: readonly RecurrentLayer[] };
  const modules = whole.layers ?? [whole];
  let given = states;
  let x = input;
  let last = input;
  const finals: Wire[] = [];
  modules.forEach((module, i) => {
    const count = module.stateNames.length;
    const run = runLayer(spot, whole.layers ? `${path}${i}.` : path, module, x, given.slice(0, count));
    given = given.slice(count);
    finals.push(...run.finals);
    ({ output: x, last } = run);
  });
  // Keras returns outputs in the order of reading.
  const turned = (): Wire => ({
    name: build.node(path, "Slice", [x.name, ...[-1, -farthest, 1, -1].map((place) => build.integers([place]))]),
    sizes: x.sizes,
  });
  const output = !flag(layer, "return_sequences") ? last : flag(layer, "go_backwards") ? turned() : x;
  return [output, ...(flag(layer, "return_state") ? finals : [])];
};

/** A place before the first element of any axis. */
const farthest = 2 ** 31 - 1;

const bidirectional: LayerWriter = (spot, [x, ...states]) => {
  const { build, path, layer } = spot;
  const forwards = layerOf(get(layer.config, "layer"), "the layer", layer.era);
  const module = spot.module as RecurrentLayer;
  const { output, finals, last } = runLayer(spot, path, module, x, states);
  const count = module.stateNames.length;
  const separate = module.merge === "none";
  const sequences = (): Wire[] => (separate ? [0, 1].map((d) => build.at(path, output, 2, d)) : [output]);
  const outputs = flag(forwards, "return_sequences") ? sequences() : separate ? [finals[0], finals[count]] : [last];
  return [...outputs, ...(flag(forwards, "return_state") ? finals : [])];
};

const timeDistributed: LayerWriter = (spot, [x]) => {
  const { build, path, layer, module, asked } = spot;
  const [B, T, ...rest] = x.sizes;
  const shape = build.node(path, "Concat", [build.integers([-1]), sizesOf(spot, x, 2)], { axis: { i: 0 } });
  const steps: Wire = { name: build.node(path, "Reshape", [x.name, shape]), sizes: ["rows", ...rest] };
  const within = {
    ...spot,
    layer: layerOf(get(layer.config, "layer"), "the layer", layer.era),
    module,
    asked: { ...asked, lengths: undefined },
  };
  return writeLayer(within, [steps]).map((y) => {
    const back = build.node(path, "Concat", [sizesOf(spot, x, 0, 2), sizesOf(spot, y, 1)], { axis: { i: 0 } });
    return { name: build.node(path, "Reshape", [y.name, back]), sizes: [B, T, ...y.sizes.slice(1)] };
  });
};

const combining =
  (operator: string): LayerWriter =>
  (spot, [first, ...others]) => [others.reduce((all, one) => on(spot, operator, [all, one]), first)];

/** Values of the same sizes but for one axis. */
const concatenate: LayerWriter = ({ build, path, layer }, inputs) => {
  const [{ sizes }] = inputs;
  const given = number(layer, "axis", -1);
  const axis = given < 0 ? given + sizes.length : given;
  const long = inputs.map((input) => input.sizes[axis]);
  const sum = long.every((size) => typeof size === "number") ? long.reduce((all, size) => all + size, 0) : "joined";
  const name = build.node(
    path,
    "Concat",
    inputs.map((input) => input.name),
    { axis: { i: axis } },
  );
  return [{ name, sizes: sizes.map((size, i) => (i === axis ? sum : size)) }];
};

const writers: Readonly<Record<string, LayerWriter>> = {
  Dense: single((spot, x) => activated(spot, inner(spot, x))),
  Embedding: single(inner),
  SimpleRNN: recurrent,
  GRU: recurrent,
  LSTM: recurrent,
  RNN: recurrent,
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
  Dropout: unchanged,
  SpatialDropout1D: unchanged,
  GaussianNoise: unchanged,
  GaussianDropout: unchanged,
  ActivityRegularization: unchanged,
  Identity: unchanged,
  Activation: single(activated),
  ELU: single((spot, x) => on(spot, "Elu", [x], { alpha: { f: number(spot.layer, "alpha", 1) } })),
  LeakyReLU: single((spot, x) => {
    const alpha = number(spot.layer, spot.layer.era === 3 ? "negative_slope" : "alpha", 0.3);
    return on(spot, "LeakyRelu", [x], { alpha: { f: alpha } });
  }),
  ReLU: single(functions.relu),
  Softmax: single(functions.softmax),
  Flatten: single((spot, x) => reshaped(spot, x, [0, -1], [x.sizes[0], product(x.sizes.slice(1))])),
  Reshape: single((spot, x) => {
    const target = get(spot.layer.config, "target_shape") as readonly number[];
    const whole = product(x.sizes.slice(1));
    const known = target.filter((size) => size !== -1).reduce((all, size) => all * size, 1);
    const open = typeof whole === "number" ? whole / known : "rest";
    return reshaped(spot, x, [0, ...target], [x.sizes[0], ...target.map((size) => (size === -1 ? open : size))]);
  }),
  RepeatVector: single((spot, x) => {
    const { build, path, layer } = spot;
    const count = number(layer, "n");
    const row = build.node(path, "Unsqueeze", [x.name, build.integers([1])]);
    return { name: build.node(path, "Expand", [row, build.integers([1, count, 1])]), sizes: [x.sizes[0], count, x.sizes[1]] };
  }),
  Permute: single(({ build, path, layer }, x) => build.transposed(path, x, [0, ...(get(layer.config, "dims") as readonly number[])])),
  Concatenate: concatenate,
  Add: combining("Add"),
  Multiply: combining("Mul"),
  Subtract: combining("Sub"),
  Maximum: combining("Max"),
  Minimum: combining("Min"),
  Average: (spot, inputs) => combining("Add")(spot, inputs).map((sum) => on(spot, "Mul", [sum, 1 / inputs.length])),
  Conv1D: single((spot, x) => activated(spot, inner(spot, x))),
  MaxPooling1D: single(inner),
  AveragePooling1D: single(inner),
  GlobalAveragePooling1D: single((spot, x) => folded(spot, "ReduceMean", x, 1)),
  GlobalMaxPooling1D: single((spot, x) => folded(spot, "ReduceMax", x, 1)),
  // ONNX has the channels second.
  BatchNormalization: single((spot, x) => {
    const features = x.sizes[x.sizes.length - 1];
    const rows = inner(spot, reshaped(spot, x, [-1, features as number], ["rows", features]));
    return { name: spot.build.node(spot.path, "Reshape", [rows.name, sizesOf(spot, x, 0)]), sizes: x.sizes };
  }),
  LayerNormalization: single(inner),
};

/** @throws RnnError `option` that names what ONNX cannot hold */
function writeLayer(spot: Spot, inputs: readonly Wire[]): readonly Wire[] {
  const { build, path, layer, module, asked } = spot;
  if (modelKinds.includes(layer.kind)) return writeNetwork(build, path, module as KerasNetwork, inputs, asked);
  if (layer.kind === "Masking") return refuse(path, layer.kind, "steps that do not count are not written");
  if (layer.kind === "Embedding" && flag(layer, "mask_zero"))
    return refuse(path, layer.kind, "steps that do not count (mask_zero) are not written");
  return writers[layer.kind](spot, inputs);
}

const keyOf = ({ layer, call }: Pick<Source, "layer" | "call">): string => `${call} ${layer}`;

/** Adds the layers of a network; its inputs and outputs are Keras'. */
export function writeNetwork(
  build: Builder,
  path: string,
  { config, calls, layers, parts }: KerasNetwork,
  inputs: readonly Wire[],
  asked: Asked,
): readonly Wire[] {
  const results = new Map<string, readonly Wire[]>(config.inputs.map((source, i) => [keyOf(source), [inputs[i]]]));
  const resultOf = ({ output, ...source }: Source): Wire => results.get(keyOf(source))![output];
  const described = new Map(config.layers.map((layer) => [layer.name, layer]));
  for (const call of calls) {
    const layer = described.get(call.layer)!;
    const spot: Spot = {
      build,
      path: `${path}${parts.get(call.layer)!}.`,
      layer,
      module: layers.get(call.layer)!.module,
      // A layer that is called again begins with zeros.
      asked: call.call === 0 ? asked : { ...asked, states: false },
    };
    results.set(keyOf(call), writeLayer(spot, call.inputs.map(resultOf)));
  }
  return config.outputs.map(resultOf);
}

/** The sizes of an input of a network, as its description has them; undefined if it has none. */
export function inputSizes({ config }: KerasNetwork, input: number): Sizes | undefined {
  const source = config.layers.find(({ name }) => name === config.inputs[input].layer) ?? config.layers[0];
  const open = input === 0 ? ["batch", "steps"] : ["batch", `steps${input}`];
  return inputShapeOf(source)?.map((size, axis) => size ?? open[axis] ?? `size${axis}`);
}
