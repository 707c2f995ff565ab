/** Modules as nodes of an ONNX graph, by the names of their classes. */
import type { Module } from "../../../nn/module.ts";
import type { NamLstm } from "../../nam.ts";
import { layers } from "../../../saving/layers.ts";
import type { RecurrentLayer } from "../../../recurrent/layer/recurrent-layer.ts";
import { refuse, type Builder, type Wire } from "./builder.ts";
import type { OnnxAttribute } from "./proto.ts";
import { averagePool, convolution, maxPool } from "./windows.ts";
import { lastOf, recurrentNodes, type Asked, type Exported, type Options, type Subject } from "./recurrent.ts";

/** A module on its way into the graph. */
export interface Site {
  readonly build: Builder;
  /** Its path with a dot behind, or "". */
  readonly path: string;
  readonly kind: string;
  readonly module: Module;
  /** The arguments of its constructor. */
  readonly args: readonly unknown[];
  readonly asked: Asked;
}

export type Writer = (site: Site, x: Wire) => Wire;

const named = new Map([...Object.entries(layers)].map(([name, kind]) => [kind as unknown, name]));

/** The name of a module's class in files. */
export function kindOf(module: Module): string {
  const { name, savedAs = name } = module.constructor as { name: string; savedAs?: string };
  return named.get(module.constructor) ?? savedAs;
}

/** Adds a module's nodes. @throws RnnError `option` that names the module which ONNX cannot hold */
export function writeModule(build: Builder, path: string, module: Module, x: Wire, asked: Asked): Wire {
  const kind = kindOf(module);
  const write = Object.hasOwn(writers, kind) ? writers[kind] : undefined;
  if (!write) return refuse(path, kind, `this class is not written; known are ${Object.keys(writers).sort().join(", ")}`);
  return write({ build, path, kind, module, args: module.describe() ?? [], asked }, x);
}

/** One node with one input, whose result has the same sizes. */
const element =
  (operator: string, attributes: Readonly<Record<string, OnnxAttribute>> = {}): Writer =>
  ({ build, path }, x) => ({ name: build.node(path, operator, [x.name], attributes), sizes: x.sizes });

/** A recurrent layer under a path. */
export function subjectOf(path: string, layer: RecurrentLayer): Subject {
  return { path, kind: kindOf(layer), layer, options: (layer.describe()[2] ?? {}) as Options };
}

function recurrentParts({ build, path, asked }: Site, layer: RecurrentLayer, x: Wire): Exported & { readonly subject: Subject } {
  const subject = subjectOf(path, layer);
  return { ...recurrentNodes(build, subject, x, asked), subject };
}
const recurrent: Writer = (site, x) => recurrentParts(site, site.module as RecurrentLayer, x).output;

const linear: Writer = ({ build, path, args }, x) => {
  const [inputs, outputs, { bias }] = args as [number, number, { bias: boolean }];
  const weight = build.parameter(`${path}weight`);
  const turned = Float32Array.from(weight, (_, i) => weight[(i % outputs) * inputs + Math.floor(i / outputs)]);
  const product = build.node(path, "MatMul", [x.name, build.numbers(`${path}weight`, [inputs, outputs], turned)]);
  const sizes = [...x.sizes.slice(0, -1), outputs];
  if (!bias) return { name: product, sizes };
  return { name: build.node(path, "Add", [product, build.numbers(`${path}bias`, [outputs], build.parameter(`${path}bias`))]), sizes };
};

const embedding: Writer = ({ build, path, args }, x) => {
  const [count, size] = args as [number, number];
  const weight = build.numbers(`${path}weight`, [count, size], build.parameter(`${path}weight`));
  return { name: build.node(path, "Gather", [weight, x.name]), sizes: [...x.sizes, size] };
};

const sequential: Writer = ({ build, path, args: [parts], asked }, x) =>
  Object.entries(parts as Readonly<Record<string, Module>>).reduce(
    (y, [name, part]) => writeModule(build, `${path}${name}.`, part, y, asked),
    x,
  );

const residual: Writer = ({ build, path, args: [block], asked }, x) => {
  const y = writeModule(build, `${path}block.`, block as Module, x, asked);
  return { name: build.node(path, "Add", [x.name, y.name]), sizes: x.sizes };
};

/** RTNeural's layers whose input is added to their output. */
const skipping: Writer = (site, x) => {
  const { build, path } = site;
  const y = sequential(site, x);
  const first = build.node(path, "Slice", [x.name, build.integers([0]), build.integers([1]), build.integers([-1])]);
  return { name: build.node(path, "Add", [y.name, first]), sizes: y.sizes };
};

/** An amplifier's LSTM, which begins with states of its own unless the graph has them as inputs. */
const namLstm: Writer = ({ build, path, module, asked }, x) => {
  const { lstm, head } = module as NamLstm;
  const rows = build.node(path, "Shape", [x.name], { start: { i: 0 }, end: { i: 1 } });
  const shape = build.node(path, "Concat", [build.integers([1]), rows, build.integers([1])], { axis: { i: 0 } });
  const H = lstm.hiddenSize;
  const first = (state: number, k: number): string => {
    const name = `${path}initial_${lstm.stateNames[state]}`;
    const row = build.numbers(`${name}.l${k}`, [1, 1, H], build.parameter(name).subarray(k * H, (k + 1) * H));
    return build.node(path, "Expand", [row, shape]);
  };
  const own = asked.states ? asked : { ...asked, initial: first };
  return writeModule(build, `${path}head.`, head, writeModule(build, `${path}lstm.`, lstm, x, own), asked);
};

const lastStep: Writer = (site, x) => {
  const [layer, { of }] = site.args as [RecurrentLayer, { of: string }];
  const { output, ends, subject } = recurrentParts(site, layer, x);
  if (of === "ends") return lastOf(site.build, subject, ends[0]);
  if (site.asked.lengths !== undefined) return refuse(site.path, site.kind, 'of: "lastStep" needs whole rows; leave out lengths');
  return site.build.at(site.path, output, layer.batchFirst ? 1 : 0, -1);
};

/** A parameter of one number for each feature, or the number that stands for it. */
function perFeature({ build, path, module }: Site, name: string, size: number, otherwise: number): string {
  const has = module.namedParameters().has(name);
  return build.numbers(`${path}${name}`, [size], has ? build.parameter(`${path}${name}`) : new Float32Array(size).fill(otherwise));
}

const layerNorm: Writer = (site, x) => {
  const { build, path, args } = site;
  const [shape, { eps }] = args as [readonly number[], { eps: number }];
  const size = shape.reduce((product, n) => product * n, 1);
  const [scale, shift] = (
    [
      ["weight", 1],
      ["bias", 0],
    ] as const
  ).map(([name, otherwise]) => {
    const flat = perFeature(site, name, size, otherwise);
    return shape.length === 1 ? flat : build.node(path, "Reshape", [flat, build.integers(shape)]);
  });
  const attributes = { axis: { i: -shape.length }, epsilon: { f: eps } };
  return { name: build.node(path, "LayerNormalization", [x.name, scale, shift], attributes), sizes: x.sizes };
};

const batchNorm: Writer = (site, x) => {
  const [features, { eps }] = site.args as [number, { eps: number }];
  const of = (
    [
      ["weight", 1],
      ["bias", 0],
      ["running_mean", 0],
      ["running_var", 1],
    ] as const
  ).map(([name, otherwise]) => perFeature(site, name, features, otherwise));
  return { name: site.build.node(site.path, "BatchNormalization", [x.name, ...of], { epsilon: { f: eps } }), sizes: x.sizes };
};

const writers: Readonly<Record<string, Writer>> = {
  AvgPool1d: averagePool,
  BatchNorm1d: batchNorm,
  Conv1d: convolution,
  Dropout: (_, x) => x,
  Embedding: embedding,
  GRU: recurrent,
  LastStep: lastStep,
  LayerNorm: layerNorm,
  Linear: linear,
  LogSoftmax: element("LogSoftmax", { axis: { i: -1 } }),
  LSTM: recurrent,
  MaxPool1d: maxPool,
  MinGRU: recurrent,
  MinLSTM: recurrent,
  NamLstm: namLstm,
  ReLU: element("Relu"),
  Residual: residual,
  RNN: recurrent,
  Sequential: sequential,
  Sigmoid: element("Sigmoid"),
  Skipping: skipping,
  SLSTM: recurrent,
  Softmax: element("Softmax", { axis: { i: -1 } }),
  Tanh: element("Tanh"),
};
