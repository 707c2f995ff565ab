/** A graph that was read from an ONNX file, as a file again, with the parameters that it has now. */
import type { RecurrentLayer } from "../../../recurrent/layer/recurrent-layer.ts";
import type { FloatArray } from "../../../tensor/tensor.ts";
import { Attributes, everyNode, isGraph, neededNodes, type Attribute, type Graph, type Known, type Node, type Port } from "../graph.ts";
import type { OnnxModel } from "../model.ts";
import { Builder } from "./builder.ts";
import { subjectOf } from "./modules.ts";
import { encodeOnnx, type OnnxAttribute, type OnnxGraph, type OnnxNode, type OnnxPort, type OnnxTensor } from "./proto.ts";
import { weightsOfNode } from "./recurrent.ts";

/** Stands before the names of parameters until it is known which names are free. */
const mark = "\0";

/**
 * The nodes as they were read. Parameters take the places of the weights that they were made of, an If whose condition is
 * a constant becomes the branch that is taken, and inputs that were fixed become constants. Floats are float32.
 */
export function writeGraph(model: OnnxModel, parameters: ReadonlyMap<string, FloatArray>): Uint8Array<ArrayBuffer> {
  const learnt = new Builder(new Map([...parameters].map(([path, data]) => [mark + path, data])), model.opset);
  const whole = new Rewriter(model, learnt).graph(model.graph);
  const needed = neededNodes(whole);
  const graph = { ...whole, nodes: whole.nodes.filter((node) => needed.has(node)) };
  const used = new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name));
  for (const { inputs, outputs } of everyNode(graph)) for (const name of [...inputs, ...outputs]) used.add(name);
  for (const { outputs } of branchesIn(graph)) for (const { name } of outputs) used.add(name);
  const tensors = learnt.graph("").tensors.filter(({ name }) => used.has(name));
  let prefix = "";
  while (tensors.some(({ name }) => used.has(name.replace(mark, prefix)))) prefix += "learnt.";
  const free = (name: string): string => name.replace(mark, prefix);
  const { nodes, inputs, outputs, tensors: constants } = plainGraph("model", graph, { used, free });
  const all = [...constants, ...tensors.map((tensor) => ({ ...tensor, name: free(tensor.name) }))];
  return encodeOnnx({ name: "model", nodes, inputs, outputs, tensors: all }, model.opset);
}

const branchesIn = (graph: Graph): Graph[] => [...everyNode(graph)].flatMap(({ attributes }) => [...attributes.values()].filter(isGraph));

/** Puts the parameters into a graph. */
class Rewriter {
  private readonly weights = new Map<RecurrentLayer, ReadonlyMap<number, string>>();

  constructor(
    private readonly model: OnnxModel,
    private readonly learnt: Builder,
  ) {}

  graph({ nodes, inputs, outputs, initializers }: Graph): Graph {
    const { fixed } = this.model;
    const tensors = new Map(initializers);
    for (const { name, type } of inputs) if (fixed.has(name)) tensors.set(name, { ...fixed.get(name)!, type });
    return {
      nodes: nodes.flatMap((node) => this.nodes(node, tensors)),
      inputs: inputs.filter(({ name }) => !fixed.has(name)),
      outputs,
      initializers: tensors,
    };
  }

  /** @param tensors what a branch that takes the place of its If brings along is added to them */
  private nodes(node: Node, tensors: Map<string, Known>): Node[] {
    const condition = node.operator === "If" ? this.model.parts.constants.known.get(node.inputs[0]) : undefined;
    if (condition) {
      const { nodes, outputs, initializers } = this.graph(new Attributes(node).graph(condition.data[0] ? "then_branch" : "else_branch"));
      for (const [name, value] of initializers) tensors.set(name, value);
      const results = outputs.map(({ name }, i) => ({ name, to: node.outputs[i] })).filter(({ to }) => to);
      return [
        ...nodes,
        ...results.map(({ name, to }) => ({
          name: `${to}.taken`,
          operator: "Identity",
          inputs: [name],
          outputs: [to],
          attributes: new Map(),
        })),
      ];
    }
    const attributes = new Map([...node.attributes].map(([name, value]) => [name, isGraph(value) ? this.graph(value) : value] as const));
    return [{ ...node, inputs: node.inputs.map((name, i) => this.held(node, i) ?? name), attributes }];
  }

  /** The tensor of the parameter that a node reads as an input. What follows from constants is as it was when the file was read. */
  private held(node: Node, i: number): string | undefined {
    const layer = this.model.parts.recurrent.get(node)?.layer;
    if (layer) {
      const module = layer.module as RecurrentLayer;
      const weights = this.weights.get(module) ?? weightsOfNode(this.learnt, subjectOf(`${mark}${layer.name}.`, module));
      this.weights.set(module, weights);
      return weights.get(i);
    }
    const path = this.model.holderOf(node, i);
    if (path === undefined) return undefined;
    return this.learnt.numbers(mark + path, this.model.namedParameters().get(path)!.shape, this.learnt.parameter(mark + path));
  }
}

/** ONNX' numbers of types that become float32, which stands first. */
const floats = [1, 10, 11, 16];
const [float] = floats;

/** Arrays for ONNX' numbers of types; bool is 9. */
const arrays = { 2: Uint8Array, 3: Int8Array, 4: Uint16Array, 5: Int16Array, 6: Int32Array, 9: Uint8Array, 12: Uint32Array } as const;

/** The nearest integer of 64 bits: files have the greatest one for "to the end". */
const whole = (value: number, least: bigint, bits: number): bigint => {
  const most = least + 2n ** BigInt(bits) - 1n;
  const exact = BigInt(value);
  return exact < least ? least : exact > most ? most : exact;
};

function plainTensor(name: string, { kind, type, shape, data }: Known): OnnxTensor {
  const number = kind === "float" ? float : (type ?? (kind === "bool" ? 9 : 7));
  const tensor = { name, sizes: shape, type: number };
  if (number === float) return { ...tensor, data: Float32Array.from(data) };
  if (number === 7) return { ...tensor, data: BigInt64Array.from(data, (value) => whole(value, -(2n ** 63n), 64)) };
  if (number === 13) return { ...tensor, data: BigUint64Array.from(data, (value) => whole(value, 0n, 64)) };
  return { ...tensor, data: arrays[number as keyof typeof arrays].from(data) };
}

const plainPort = ({ name, type, shape }: Port): OnnxPort => ({
  name,
  type: type !== undefined && floats.includes(type) ? float : type,
  sizes: shape,
});

interface Names {
  /** Those that nodes still read. */
  readonly used: ReadonlySet<string>;
  /** Puts names of parameters that are free in the place of marked ones. */
  readonly free: (name: string) => string;
}

/** Attributes that are floats; all other numbers are integers. */
const floatAttributes =
  /^(alpha|beta|gamma|epsilon|momentum|clip|ratio|min|max|value|value_float|value_floats|activation_alpha|activation_beta)$/;

/** "To the end" in attributes; sizes are below. */
const farthest = 2 ** 62;

function plainAttribute(node: Node, name: string, value: Attribute, names: Names): OnnxAttribute {
  if (isGraph(value)) return { g: plainGraph(name, value, names) };
  if (typeof value === "string") return { s: value };
  if (typeof value === "number") {
    if (floatAttributes.test(name) || !Number.isInteger(value)) return { f: value };
    return { i: node.operator === "Cast" && name === "to" && floats.includes(value) ? float : value };
  }
  if ("data" in value) return { t: plainTensor("", value) };
  if (value.some((one) => typeof one === "string")) return { strings: value as readonly string[] };
  const numbers = value as readonly number[];
  if (floatAttributes.test(name)) return { floats: numbers };
  return { ints: numbers.map((one) => Math.max(-farthest, Math.min(farthest, one))) };
}

function plainNode(node: Node, names: Names): OnnxNode {
  const attributes = Object.fromEntries([...node.attributes].map(([name, value]) => [name, plainAttribute(node, name, value, names)]));
  return { name: node.name, operator: node.operator, inputs: node.inputs.map(names.free), outputs: node.outputs, attributes };
}

/** A graph as a file has it. */
const plainGraph = (name: string, { nodes, inputs, outputs, initializers }: Graph, names: Names): OnnxGraph => ({
  name,
  nodes: nodes.map((node) => plainNode(node, names)),
  tensors: [...initializers].filter(([of]) => names.used.has(of)).map(([of, value]) => plainTensor(of, value)),
  inputs: inputs.map(plainPort),
  outputs: outputs.map(plainPort),
});
