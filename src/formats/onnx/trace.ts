/** Records a graph: runs its nodes in order, each on the host or through the package's operations. */
import { callOf, problemOf, type Constants } from "./fold.ts";
import { atNode, Attributes, fail, neededNodes, type Graph, type Node } from "./graph.ts";
import { beginCount, isKnown } from "./host.ts";
import { operatorOf } from "./operators.ts";
import { isRecurrent, recurrentAttributes, type NamedLayer, type Place, type RecurrentNode } from "./recurrent.ts";
import { Values, type Value } from "./values.ts";

/** What a file's graph is made of, as the model keeps it. */
export interface Parts {
  readonly opset: number;
  readonly constants: Constants;
  /** Paths of parameters by the names of their values. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly recurrent: ReadonlyMap<Node, { readonly as: RecurrentNode; readonly layer: NamedLayer | undefined }>;
}

/** The path of the parameter that a node reads as an input, if that is one. */
export const parameterRead = ({ parameters }: Parts, { operator, inputs }: Node, i: number): string | undefined =>
  isRecurrent(operator) || operatorOf(operator)?.settings?.includes(i) ? undefined : parameters.get(inputs[i]);

export class Trace {
  private readonly values = new Map<string, Value>();
  /** Nodes that ran, and how many commands each took; undefined for those that the host computed. */
  readonly ran = new Map<Node, number | undefined>();

  constructor(
    private readonly parts: Parts,
    private readonly place: Place,
    inputs: ReadonlyMap<string, Value>,
  ) {
    beginCount();
    for (const [name, value] of inputs) this.values.set(name, value);
  }

  /** The value of a graph's output. */
  output(name: string): Value {
    return this.values.get(name) ?? this.parts.constants.known.get(name) ?? fail(`its output "${name}" is made by no node`);
  }

  run(graph: Graph): void {
    const needed = neededNodes(graph);
    for (const node of graph.nodes) {
      if (!needed.has(node) || this.parts.constants.makes(node)) continue;
      atNode(node, () => this.compute(node));
    }
  }

  private compute(node: Node): void {
    const { commands } = this.place.context.tape.recording;
    const before = commands.length;
    const problem = problemOf(node, recurrentAttributes);
    if (problem !== undefined) fail(problem);
    const results = node.operator === "If" ? this.branch(node) : this.call(node);
    results.forEach((value, i) => {
      if (node.outputs[i]) this.values.set(node.outputs[i], value);
    });
    this.ran.set(node, results.every(isKnown) ? undefined : commands.length - before);
  }

  private call(node: Node): readonly Value[] {
    const { parts, place } = this;
    const call = callOf(node, parts.opset, new Values(place.context.child(node.name.replace(/[./]/g, "_"))), (name, i) =>
      this.find(node, name, i),
    );
    const recurrent = parts.recurrent.get(node);
    if (!recurrent) return operatorOf(node.operator)!.compute(call);
    return recurrent.as.record(call, place, recurrent.layer);
  }

  private find(node: Node, name: string, i: number): Value {
    const path = parameterRead(this.parts, node, i);
    if (path !== undefined) return { variable: this.place.context.parameter(path), kind: "float" };
    return (
      this.values.get(name) ??
      this.parts.constants.known.get(name) ??
      fail(`it reads "${name}", which no node before it makes: its nodes are in a circle or out of order`)
    );
  }

  private branch(node: Node): readonly Value[] {
    const condition = this.find(node, node.inputs[0] ?? "", 0);
    if (!isKnown(condition))
      return fail("its condition depends on the numbers of an input; only conditions that follow from constants and shapes are supported");
    const taken = new Attributes(node).graph(condition.data[0] ? "then_branch" : "else_branch");
    this.run(taken);
    return taken.outputs.map(({ name }) => this.output(name));
  }
}
