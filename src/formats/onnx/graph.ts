/** An ONNX graph as data. Letters of shapes are those of the operators' definitions. */
import { clip, RnnError, show } from "../../errors.ts";
import type { Shape } from "../../tensor/shape.ts";

/** A tensor whose numbers are known on the host. */
export interface Known {
  readonly shape: Shape;
  readonly data: Float32Array | Float64Array;
  readonly kind: Kind;
  /** ONNX' number of the type that a file has it in. */
  readonly type?: number;
}

export type Kind = "float" | "int" | "bool";

/** An input or output of a graph. A size without a number has a name, or none. */
export interface Port {
  readonly name: string;
  readonly kind: Kind;
  /** ONNX' number of its type; undefined if the file does not say. */
  readonly type?: number;
  /** Undefined if the file does not say. */
  readonly shape: readonly (number | string | undefined)[] | undefined;
}

export type Attribute = number | string | readonly number[] | readonly string[] | Known | Graph;

export interface Node {
  /** Its own name, or one made of its operator and place. */
  readonly name: string;
  readonly operator: string;
  /** "" for an input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly initializers: ReadonlyMap<string, Known>;
}

export interface OnnxFile {
  readonly producer: string;
  /** The version of ONNX' own operators. */
  readonly opset: number;
  readonly graph: Graph;
}

/** Throws the error about a file. */
export function fail(problem: string, cause?: unknown): never {
  throw new RnnError("format", "onnx", problem, cause === undefined ? undefined : { cause });
}

/** A node for messages. */
export const nameOf = ({ name, operator }: Pick<Node, "name" | "operator">): string => `node "${clip(name)}" (${operator})`;

/** Words of a name from a file, as the parts of a path. */
export function wordsOf(name: string): string[] {
  const words = name.split(/[./]+/).filter((word) => word !== "");
  return words.length > 0 && words.length <= 20 ? words.map((word) => word.slice(0, 200)) : ["value"];
}

const named = new WeakSet<RnnError>();

/** Runs what reads a node, whose name errors then have. */
export function atNode<T>(node: Node, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof RnnError) || named.has(cause)) throw cause;
    const error = new RnnError(cause.kind, "onnx", `${nameOf(node)}: ${cause.message.replace(/^onnx: /, "")}`, { cause });
    named.add(error);
    throw error;
  }
}

export const isGraph = (value: Attribute | undefined): value is Graph => typeof value === "object" && "nodes" in value;

/** All nodes, with those of the branches inside. */
export function* everyNode(graph: Graph): Generator<Node> {
  for (const node of graph.nodes) {
    yield node;
    for (const value of node.attributes.values()) if (isGraph(value)) yield* everyNode(value);
  }
}

/** The nodes whose results a graph's outputs depend on. */
export function neededNodes(graph: Graph): Set<Node> {
  const names = new Set(graph.outputs.map(({ name }) => name));
  const needed = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => names.has(output))) continue;
    needed.add(node);
    const branches = [...node.attributes.values()].filter(isGraph);
    for (const inner of [node, ...branches.flatMap((branch) => [...everyNode(branch)])]) for (const input of inner.inputs) names.add(input);
    for (const { outputs } of branches) for (const { name } of outputs) names.add(name);
  }
  return needed;
}

/** Reads the attributes of a node by type. */
export class Attributes {
  constructor(private readonly node: Node) {}

  private read<T>(name: string, what: string, fits: (value: Attribute) => boolean, otherwise: T): T {
    const value = this.node.attributes.get(name);
    if (value === undefined) return otherwise;
    if (fits(value)) return value as T;
    return fail(`${nameOf(this.node)}: attribute ${name} must be ${what}, got ${show(value)}`);
  }

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  number<D extends number | undefined>(name: string, otherwise: D): number | D {
    return this.read<number | D>(name, "a number", (value) => typeof value === "number", otherwise);
  }

  text<D extends string | undefined>(name: string, otherwise: D): string | D {
    return this.read<string | D>(name, "a text", (value) => typeof value === "string", otherwise);
  }

  numbers<D extends readonly number[] | undefined>(name: string, otherwise: D): readonly number[] | D {
    const listed = (value: Attribute): boolean => Array.isArray(value) && value.every((one) => typeof one === "number");
    return this.read<readonly number[] | D>(name, "a list of numbers", listed, otherwise);
  }

  texts(name: string): readonly string[] | undefined {
    const listed = (value: Attribute): boolean => Array.isArray(value) && value.every((one) => typeof one === "string");
    return this.read<readonly string[] | undefined>(name, "a list of texts", listed, undefined);
  }

  tensor(name: string): Known | undefined {
    return this.read<Known | undefined>(name, "a tensor", (value) => typeof value === "object" && "data" in value, undefined);
  }

  graph(name: string): Graph {
    return this.read<Graph | undefined>(name, "a graph", isGraph, undefined) ?? fail(`${nameOf(this.node)} lacks its graph ${name}`);
  }
}
