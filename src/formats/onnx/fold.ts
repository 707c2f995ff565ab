/** Computes the constants of a graph when it is read, and finds which of them are weights. */
import { sizeOf } from "../../tensor/shape.ts";
import { atNode, Attributes, everyNode, isGraph, type Graph, type Known, type Node } from "./graph.ts";
import { beginCount, isKnown } from "./host.ts";
import type { Call } from "./operator.ts";
import { operatorOf } from "./operators.ts";
import { isRecurrent } from "./recurrent.ts";
import { NotConstant, Values } from "./values.ts";

/** The values of a graph that depend on no input. */
export class Constants {
  /** By name, in all branches: names of ONNX' values are unique. */
  readonly known = new Map<string, Known>();
  private readonly producers = new Map<string, Node>();
  private readonly initializers = new Map<string, Known>();
  /** Names of values that are computed from tensors of the file. */
  private readonly fromFile = new Set<string>();

  /** @param fixed values of inputs that are constants */
  constructor(
    readonly graph: Graph,
    private readonly opset: number,
    fixed: ReadonlyMap<string, Known>,
  ) {
    beginCount();
    for (const [name, value] of fixed) this.known.set(name, value);
    for (const node of everyNode(graph)) for (const output of node.outputs) if (output !== "") this.producers.set(output, node);
    this.fold(graph, true);
  }

  private fold(graph: Graph, isSure: boolean): void {
    for (const [name, value] of graph.initializers) {
      this.known.set(name, value);
      this.initializers.set(name, value);
      this.fromFile.add(name);
    }
    for (const node of graph.nodes) {
      const operator = operatorOf(node.operator);
      if (node.operator === "If") this.foldBranches(node, isSure);
      else if (operator && node.inputs.every((name) => name === "" || this.known.has(name))) {
        try {
          const call = callOf(node, this.opset, new Values(), (name) => this.known.get(name));
          atNode(node, () => operator.compute(call)).forEach((value, i) => {
            if (node.outputs[i] && isKnown(value)) this.set(node.outputs[i], value, node.inputs);
          });
        } catch (cause) {
          // A branch that is never taken may hold what cannot be computed.
          if (isSure && !(cause instanceof NotConstant)) throw cause;
        }
      }
    }
  }

  private foldBranches(node: Node, isSure: boolean): void {
    const branches = [...node.attributes.values()].filter(isGraph);
    const condition = this.known.get(node.inputs[0]);
    if (!condition) {
      for (const branch of branches) this.fold(branch, false);
      return;
    }
    const taken = new Attributes(node).graph(condition.data[0] ? "then_branch" : "else_branch");
    this.fold(taken, isSure);
    taken.outputs.forEach(({ name }, i) => {
      const value = this.known.get(name);
      if (value && node.outputs[i]) this.set(node.outputs[i], value, [name]);
    });
  }

  private set(name: string, value: Known, from: readonly string[]): void {
    this.known.set(name, value);
    if (from.some((input) => this.fromFile.has(input))) this.fromFile.add(name);
  }

  /** Whether a node was computed when the file was read. */
  makes(node: Node): boolean {
    return node.outputs.every((name) => name === "" || this.known.has(name));
  }

  /** The tensors of the file from which a constant is computed. */
  sourcesOf(name: string): Set<string> {
    const sources = new Set<string>();
    const seen = new Set<string>();
    const open = [name];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (seen.has(next)) continue;
      seen.add(next);
      if (this.initializers.has(next)) sources.add(next);
      open.push(...(this.producers.get(next)?.inputs ?? []));
    }
    return sources;
  }

  /** The tensor of the file that a value is under another name, if it is. */
  alias(name: string): string {
    let at = name;
    for (let node = this.producers.get(at); node?.operator === "Identity"; node = this.producers.get(at)) at = node.inputs[0];
    return at;
  }

  /** Whether a node's input is numbers to be learnt. */
  isWeight(node: Node, i: number): boolean {
    const name = node.inputs[i];
    const value = this.known.get(name);
    const operator = operatorOf(node.operator);
    if (value?.kind !== "float" || value.shape.length === 0 || sizeOf(value.shape) === 0 || !operator || operator.settings?.includes(i))
      return false;
    return (operator.weights ?? []).includes(i) || this.fromFile.has(name);
  }
}

/** The call of a node's operator. */
export function callOf(node: Node, opset: number, values: Values, find: (name: string, i: number) => Call["inputs"][number]): Call {
  const inputs = node.inputs.map((name, i) => (name === "" ? undefined : find(name, i)));
  return { node, attributes: new Attributes(node), opset, inputs, values };
}

/** What is wrong with a node, whatever it is called with; undefined if it can be read. */
export function problemOf(node: Node, attributesOf: (operator: string) => readonly string[]): string | undefined {
  if (node.operator === "If") return undefined;
  if (!operatorOf(node.operator) && !isRecurrent(node.operator)) return "this operator is not supported";
  const known = operatorOf(node.operator)?.attributes ?? attributesOf(node.operator);
  const other = [...node.attributes.keys()].find((name) => !known.includes(name));
  return other === undefined ? undefined : `attribute ${other} is not supported`;
}
