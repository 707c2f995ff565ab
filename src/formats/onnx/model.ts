/** A model that an ONNX graph describes. */
import type { Variable } from "../../autodiff/tape.ts";
import { clip, RnnError } from "../../errors.ts";
import { checkCall, type Context } from "../../nn/context.ts";
import { Module, type WholeSequences } from "../../nn/module.ts";
import * as ops from "../../nn/ops.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Part } from "../../part.ts";
import { checkParameterValue, Parameter } from "../../nn/parameter.ts";
import { Constants } from "./fold.ts";
import { atNode, everyNode, fail, neededNodes, wordsOf, type Graph, type Known, type Node, type Port } from "./graph.ts";
import { operatorOf } from "./operators.ts";
import { batchComesFirst, bindSizes, takePorts, type Input, type State } from "./ports.ts";
import { codeOfAnyLayer, isRecurrent, RecurrentNode, tensorsOf, weightInputs, type NamedLayer } from "./recurrent.ts";
import { graphOf, heldElsewhere, knownOf, savedGraph, savedKnown, type SavedGraph } from "./saved-graph.ts";
import { parameterRead, Trace, type Parts } from "./trace.ts";
import { shapeOf, Values, type Value } from "./values.ts";

/** Operators of window-operators.ts. */
const windowOperators = ["Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"];

/** A module whose parts have the names of a file. */
abstract class Tree extends Module {
  /** Names of its parts, other than branches. */
  private readonly taken = new Set<string>();

  /** Adds a part under a path of words, or under one like it that is free. Returns the path. */
  protected place([word, ...rest]: readonly string[], part: Module | Parameter): string {
    const inside = this.children.get(word);
    if (rest.length > 0) {
      if (inside !== undefined && !(inside instanceof Branch)) return this.place([`${word}_`, ...rest], part);
      const branch = inside ?? new Branch();
      if (!inside) this.addChild(word, branch, "onnx");
      return `${word}.${branch.place(rest, part)}`;
    }
    let name = word;
    for (let i = 2; this.taken.has(name) || (this.children.has(name) && part instanceof Module); i++) name = `${word}_${i}`;
    this.taken.add(name);
    if (part instanceof Module) this.addChild(name, part, "onnx");
    else this.addParameter(name, part);
    return name;
  }
}

/** A part of a model that only gives its parameters longer names. */
class Branch extends Tree {
  forward(): Variable {
    return fail("this part of a model holds parameters and cannot run");
  }

  override place(words: readonly string[], part: Module | Parameter): string {
    return super.place(words, part);
  }
}

export class OnnxModel extends Tree {
  static readonly savedAs = "OnnxModel";
  readonly parts: Parts;
  private readonly timeSecond: boolean | undefined;

  readonly inputs: readonly Input[];
  readonly states: readonly State[];
  private readonly constants: Constants;

  /** @param fixed values of inputs that are always the same */
  constructor(
    readonly graph: Graph,
    readonly opset: number,
    readonly fixed: ReadonlyMap<string, Known>,
  ) {
    super();
    const constants = (this.constants = new Constants(graph, opset, fixed));
    const { inputs, states } = takePorts(graph, constants);
    this.inputs = inputs;
    this.states = states;
    const parameters = new Map<string, string>();
    const recurrent = new Map<Node, { readonly as: RecurrentNode; readonly layer: NamedLayer | undefined }>();
    const shared = new Map<string, { readonly weights: readonly (Known | undefined)[]; readonly layer: NamedLayer }>();
    const needed = neededNodes(graph);
    for (const outer of graph.nodes) {
      if (!needed.has(outer)) continue;
      for (const node of everyNode({ ...graph, nodes: [outer] })) {
        if (isRecurrent(node.operator)) recurrent.set(node, this.recurrentNode(node, shared));
        else this.addWeights(node, parameters);
      }
    }
    this.parts = { opset, constants, parameters, recurrent };
    // Only now: the layers inside have the steps first, whatever the order of the model's input.
    this.timeSecond = batchComesFirst(inputs[0].port, graph);
  }

  /** What `restore` takes. */
  override describe(): readonly unknown[] {
    const { graph, opset, fixed } = this;
    return [savedGraph(graph, heldElsewhere(this)), opset, [...fixed].map(([name, value]) => [name, savedKnown(value)])];
  }

  /** The model that `describe` described. */
  static restore(graph: SavedGraph, opset: number, fixed: readonly (readonly [string, Parameters<typeof knownOf>[0]])[]): OnnxModel {
    return new OnnxModel(graphOf(graph), opset, new Map(fixed.map(([name, value]) => [name, knownOf(value)])));
  }

  /** Makes parameters of the weights that a node reads. */
  private addWeights(node: Node, parameters: Map<string, string>): void {
    const { constants } = this;
    if (this.isConstant(node)) return;
    node.inputs.forEach((name, i) => {
      if (!constants.isWeight(node, i)) return;
      const source = constants.alias(name);
      const isStatistic = operatorOf(node.operator)?.statistics?.includes(i) ?? false;
      const path = parameters.get(source) ?? this.addWeight(source, constants.known.get(name)!, isStatistic);
      parameters.set(source, path);
      parameters.set(name, path);
    });
  }

  private addWeight(name: string, { shape, data }: Known, isStatistic: boolean): string {
    const parameter = new Parameter(shape, () => Float32Array.from(data), 1, undefined, isStatistic);
    parameter.set(checkParameterValue(name, parameter, { shape, data }));
    return this.place(wordsOf(name), parameter);
  }

  /** Makes the layer of a recurrent node, unless another node with the same weights has it. */
  private recurrentNode(
    node: Node,
    shared: Map<string, { readonly weights: readonly (Known | undefined)[]; readonly layer: NamedLayer }>,
  ): { as: RecurrentNode; layer: NamedLayer | undefined } {
    const as = atNode(node, () => new RecurrentNode(node));
    const { constants } = this;
    const names = weightInputs.map((i) => node.inputs[i] ?? "");
    const weights = names.map((name) => constants.known.get(name));
    if (names.some((name, i) => name !== "" && !weights[i])) return { as, layer: undefined };
    return atNode(node, () => {
      const key = JSON.stringify([node.operator, [...node.attributes], names.map((name) => [...constants.sourcesOf(name)].sort())]);
      const same = shared.get(key);
      if (same?.weights.every((one, i) => sameNumbers(one, weights[i]))) return { as, layer: same.layer };
      const values = new Values();
      const module = as.layer(weights);
      module.loadStateDict(tensorsOf(as.parameters(values, weights)));
      const layer = { module, name: this.place(wordsOf(node.name), module) };
      shared.set(key, { weights, layer });
      return { as, layer };
    });
  }

  override get idCount(): number | undefined {
    return this.inputs[0].ids;
  }

  override get saysBatchFirst(): boolean | undefined {
    return this.timeSecond;
  }

  /** Windows over ids, of which each is a step. Of other inputs, streams compare the numbers of steps. */
  override get needsWholeSequences(): WholeSequences | undefined {
    if (this.idCount === undefined) return undefined;
    const needed = neededNodes(this.graph);
    const node = this.graph.nodes.find((one) => needed.has(one) && !this.isConstant(one) && this.hasWindow(one));
    return node && { path: node.name || node.operator, reason: `${node.operator} of a graph reads several of them at once` };
  }

  private hasWindow({ operator, inputs, attributes }: Node): boolean {
    if (!windowOperators.includes(operator)) return false;
    const sizes = attributes.get("kernel_shape") ?? this.constants.known.get(inputs[1])?.shape.slice(2);
    return !Array.isArray(sizes) || sizes.some((size) => size !== 1);
  }

  override get furtherInputs(): Readonly<Record<string, number | undefined>> {
    return Object.fromEntries(this.inputs.slice(1).map(({ port, ids }) => [port.name, ids]));
  }

  override get furtherCode(): readonly Part<unknown>[] {
    const isMade = [...this.parts.recurrent.values()].some(({ layer }) => !layer);
    // Layers whose weights are inputs are made while recording, when their code must be there.
    return [...super.furtherCode, ...(isMade ? codeOfAnyLayer() : [])];
  }

  forward(context: Context, input: Variable): Variable {
    checkCall("onnx", context, input);
    return this.trace(context, input).first;
  }

  /** Records the graph. */
  trace(context: Context, input: Variable): { first: Variable; trace: Trace } {
    const values = new Map<string, Value>();
    const sizes = new Map<string, number>();
    this.inputs.forEach(({ port, ids }, i) => {
      const variable = i === 0 ? input : context.further(port.name);
      if (!variable) throw new RnnError("option", "inputs", `further must have "${clip(port.name)}", which the graph of this model reads`);
      bindSizes(port, variable.shape, sizes);
      values.set(port.name, { variable, kind: ids === undefined ? (port.kind === "bool" ? "bool" : "float") : "int" });
    });
    for (const { port } of this.states) values.set(port.name, this.initialState(context, port, sizes));
    const trace = new Trace(this.parts, { context, steps: input.shape[this.timeSecond ? 1 : 0] }, values);
    trace.run(this.graph);
    for (const { port, output } of this.states) this.finalState(context, port.name, trace.output(output.name));
    const [first, ...others] = this.outputs.map(({ name }) => {
      const variable = new Values(context).numbers(trace.output(name), `output "${clip(name)}"`);
      return { name, variable };
    });
    for (const { name, variable } of others) context.emit(name, variable);
    return { first: ops.reshape(context, first.variable, first.variable.shape), trace };
  }

  /** The graph's outputs that are no states. */
  get outputs(): readonly Port[] {
    const states = new Set(this.states.map(({ output }) => output.name));
    return this.graph.outputs.filter(({ name }) => !states.has(name));
  }

  private initialState(context: Context, port: Port, sizes: ReadonlyMap<string, number>): Value {
    const shape = port.shape!.map((size) => (typeof size === "number" ? size : sizes.get(size!)!));
    const values = new Values(context);
    const given = context.initialState(port.name, shape);
    // Zeros are recorded, so that layers do not take them for states of their own.
    if (!given) return { variable: values.numbers({ shape, data: new Float32Array(sizeOf(shape)), kind: "float" }), kind: "float" };
    const parts = given.map((variable): Value => ({ variable: variable.reshaped([1, ...shape.slice(1)]), kind: "float" }));
    return values.concat(parts, 0);
  }

  private finalState(context: Context, name: string, value: Value): void {
    const values = new Values(context);
    const shape = shapeOf(value);
    const parts = Array.from({ length: shape[0] }, (_, i) => values.numbers(values.reshape(values.select(value, 0, [i]), shape.slice(1))));
    context.finalState(name, shape, parts);
  }

  /** What each node became, by the layers and parameters that hold its weights. */
  *described(): Generator<{ node: Node; layer: NamedLayer | undefined; parameters: readonly string[] }> {
    const { recurrent, parameters } = this.parts;
    for (const node of everyNode(this.graph)) {
      const paths = isRecurrent(node.operator) ? [] : node.inputs.map((name) => parameters.get(name));
      yield { node, layer: recurrent.get(node)?.layer, parameters: paths.filter((path) => path !== undefined) };
    }
  }

  /** The parameter or layer whose numbers a node reads as an input; undefined if they are others. */
  holderOf(node: Node, i: number): string | undefined {
    if (isRecurrent(node.operator)) return weightInputs.some((at) => at === i) ? this.parts.recurrent.get(node)?.layer?.name : undefined;
    return this.isConstant(node) ? undefined : parameterRead(this.parts, node, i);
  }

  isConstant(node: Node): boolean {
    return this.constants.makes(node);
  }
}

const sameNumbers = (a: Known | undefined, b: Known | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.data.length === b.data.length && a.data.every((value, i) => value === b.data[i]));
