/** A graph as plain values, for files of models, and back. Weights that are parameters of the model leave only their sizes. */
import { checkRoom } from "../../nn/parameter.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { everyNode, fail, isGraph, type Attribute, type Graph, type Kind, type Known, type Node, type Port } from "./graph.ts";

type Plain = string | number;

/** JSON has no word for some numbers. */
const plainNumber = (value: number): Plain => (Object.is(value, -0) ? "-0" : Number.isFinite(value) ? value : String(value));

interface SavedKnown {
  readonly kind: Kind;
  readonly type?: number;
  readonly shape: readonly number[];
  /** Whether the numbers are float32. */
  readonly single: boolean;
  /** Left out for zeros. */
  readonly data?: readonly Plain[];
}

interface SavedAttribute {
  readonly number?: Plain;
  readonly text?: string;
  readonly numbers?: readonly Plain[];
  readonly texts?: readonly string[];
  readonly tensor?: SavedKnown;
  readonly graph?: SavedGraph;
}

/** A graph as JSON has it. */
export interface SavedGraph {
  readonly nodes: readonly (Omit<Node, "attributes"> & { readonly attributes: readonly (readonly [string, SavedAttribute])[] })[];
  readonly inputs: readonly SavedPort[];
  readonly outputs: readonly SavedPort[];
  readonly initializers: readonly (readonly [string, SavedKnown])[];
}

interface SavedPort extends Omit<Port, "shape"> {
  /** A size that is open without a name is 0. */
  readonly shape?: readonly Plain[];
}

export const savedKnown = ({ kind, type, shape, data }: Known, isZero = false): SavedKnown => ({
  kind,
  type,
  shape: [...shape],
  single: data instanceof Float32Array,
  ...(!isZero && { data: Array.from(data, plainNumber) }),
});

const savedPort = ({ shape, ...port }: Port): SavedPort => ({ ...port, ...(shape && { shape: shape.map((size) => size ?? 0) }) });

function savedAttribute(value: Attribute, isZero: (name: string) => boolean): SavedAttribute {
  if (isGraph(value)) return { graph: savedGraph(value, isZero) };
  if (typeof value === "object" && "data" in value) return { tensor: savedKnown(value) };
  if (typeof value === "number") return { number: plainNumber(value) };
  if (typeof value === "string") return { text: value };
  const isText = (one: Plain): one is string => typeof one === "string";
  return value.some(isText) ? { texts: [...(value as readonly string[])] } : { numbers: (value as readonly number[]).map(plainNumber) };
}

/** Operators whose result is numbers of their inputs in another order or shape. */
const moves = ["Identity", "Slice", "Squeeze", "Unsqueeze", "Transpose", "Reshape", "Concat", "Split"];

/** A graph whose weights a model holds. */
interface Holding {
  readonly graph: Graph;
  /** The parameter or layer that holds a node's input; undefined if none does. */
  holderOf(node: Node, i: number): string | undefined;
  /** Whether a node is computed when the file is read. */
  isConstant(node: Node): boolean;
}

/** The tensors whose numbers one parameter or one layer of the model has, and nothing else needs. */
export function heldElsewhere(model: Holding): (name: string) => boolean {
  const { graph } = model;
  // What holds each value; undefined for what needs its numbers.
  const holders = new Map<string, Set<string | undefined>>();
  const note = (name: string, by: Iterable<string | undefined>): void => {
    const all = holders.get(name) ?? new Set();
    for (const one of by) all.add(one);
    holders.set(name, all);
  };
  const outputs = [graph, ...[...everyNode(graph)].flatMap(({ attributes }) => [...attributes.values()].filter(isGraph))];
  for (const { name } of outputs.flatMap((one) => one.outputs)) note(name, [undefined]);
  // Those that read a value come behind the node that makes it.
  for (const node of [...everyNode(graph)].reverse()) {
    const onwards =
      model.isConstant(node) && moves.includes(node.operator) ? node.outputs.flatMap((name) => [...(holders.get(name) ?? [])]) : undefined;
    node.inputs.forEach((name, i) => note(name, onwards && (i === 0 || node.operator === "Concat") ? onwards : [model.holderOf(node, i)]));
  }
  return (name) => {
    const all = [...(holders.get(name) ?? [undefined])];
    return all.length === 1 && all[0] !== undefined;
  };
}

/** @param isZero whether a tensor's numbers are left out, because the model's parameters have them */
export function savedGraph({ nodes, inputs, outputs, initializers }: Graph, isZero: (name: string) => boolean): SavedGraph {
  return {
    nodes: nodes.map(({ name, operator, inputs: reads, outputs: makes, attributes }) => ({
      name,
      operator,
      inputs: [...reads],
      outputs: [...makes],
      attributes: [...attributes].map(([key, value]) => [key, savedAttribute(value, isZero)] as const),
    })),
    inputs: inputs.map(savedPort),
    outputs: outputs.map(savedPort),
    initializers: [...initializers].map(([name, value]) => [name, savedKnown(value, isZero(name))] as const),
  };
}

const numbersOf = (values: readonly Plain[]): number[] => values.map(Number);

/** @throws RnnError `format` if the numbers do not fill the sizes, or zeros are more than the file's parameters */
export function knownOf({ kind, type, shape, single, data }: SavedKnown): Known {
  const size = sizeOf(shape);
  if (data ? data.length !== size : !(size >= 0)) fail(`a tensor of [${shape.join(", ")}] has ${data?.length ?? "no"} numbers`);
  if (!data) checkRoom(size);
  const numbers = data ? numbersOf(data) : size;
  return { kind, type, shape: [...shape], data: single ? new Float32Array(numbers as number[]) : new Float64Array(numbers as number[]) };
}

const portOf = ({ shape, ...port }: SavedPort): Port => ({ ...port, shape: shape?.map((size) => (size === 0 ? undefined : size)) });

function attributeOf({ number, text, numbers, texts, tensor, graph }: SavedAttribute): Attribute {
  if (graph) return graphOf(graph);
  if (tensor) return knownOf(tensor);
  return (
    (number === undefined ? undefined : Number(number)) ??
    text ??
    (numbers && numbersOf(numbers)) ??
    texts ??
    fail("an attribute has no value")
  );
}

/** The graph again. */
export function graphOf({ nodes, inputs, outputs, initializers }: SavedGraph): Graph {
  return {
    nodes: nodes.map(({ attributes, ...node }) => ({
      ...node,
      attributes: new Map(attributes.map(([name, value]) => [name, attributeOf(value)] as const)),
    })),
    inputs: inputs.map(portOf),
    outputs: outputs.map(portOf),
    initializers: new Map(initializers.map(([name, value]) => [name, knownOf(value)] as const)),
  };
}
