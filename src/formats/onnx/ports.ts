/** How the inputs and outputs of a graph become those of a model. */
import { clip, RnnError, show } from "../../errors.ts";
import { takeEntries } from "../../options.ts";
import { takeForFile } from "../../tensor/any-numbers.ts";
import type { TensorLike } from "../../tensor/take.ts";
import type { Constants } from "./fold.ts";
import { Attributes, everyNode, fail, nameOf, type Graph, type Known, type Node, type Port } from "./graph.ts";
import { mapped, scalar } from "./host.ts";
import { operatorOf } from "./operators.ts";
import { isRecurrent, RecurrentNode } from "./recurrent.ts";
import { findStates } from "./states.ts";

/** Most steps of a row that a device can count. */
const mostSteps = 2 ** 31;

/** An input that the model keeps. */
export interface Input {
  readonly port: Port;
  /** Number of ids; undefined for numbers. */
  readonly ids: number | undefined;
}

/** An input that is a state of the model, and the output with which it goes on. */
export interface State {
  readonly port: Port;
  readonly output: Port;
}

/** The graph's inputs and states. States have sizes that the file names, or that other inputs have. */
export function takePorts(graph: Graph, constants: Constants): { inputs: Input[]; states: State[] } {
  const pairs = findStates(graph, (name) => constants.known.has(name));
  const ports = graph.inputs.filter(({ name }) => !constants.known.has(name));
  const isPaired = ({ name }: Port): boolean => pairs.some(({ input }) => input === name);
  const named = new Set(ports.filter((port) => !isPaired(port)).flatMap(({ shape }) => shape ?? []));
  const states = ports.flatMap((port) => {
    const pair = pairs.find(({ input }) => input === port.name);
    const isSized =
      port.shape &&
      port.shape.length > 1 &&
      port.shape.every((size) => typeof size === "number" || (size !== undefined && named.has(size)));
    return pair && isSized ? [{ port, output: graph.outputs.find(({ name }) => name === pair.output)! }] : [];
  });
  const inputs = ports.filter((port) => !states.some((state) => state.port === port)).map((port) => takeInput(port, graph, constants));
  if (inputs.length === 0) fail("its graph has no inputs, so there is nothing to run it on");
  // A graph whose outputs are all states still gives them as outputs.
  return states.length === graph.outputs.length
    ? { inputs: ports.map((port) => takeInput(port, graph, constants)), states: [] }
    : { inputs, states };
}

/** The values of the inputs that are constants. @throws RnnError `option` for what is no input */
export function takeConstants(graph: Graph, given: Readonly<Record<string, TensorLike | number>> | undefined): Map<string, Known> {
  const entries = given === undefined ? [] : takeEntries("importModel", "constants", "numbers or tensors by name", given);
  return new Map(
    entries.map(([name, value]) => {
      const port = graph.inputs.find((input) => input.name === name);
      if (!port) {
        const known = graph.inputs.map((input) => `"${clip(input.name)}"`).join(", ");
        throw new RnnError("option", "importModel", `constants names ${show(name)}, which is no input of the graph; there are ${known}`);
      }
      if (typeof value === "number") return [name, scalar(value, port.kind)];
      const { shape, data } = takeForFile("importModel", `constants "${clip(name)}"`, value);
      return [name, mapped({ shape, data: Float64Array.from(data), kind: port.kind }, (number) => number)];
    }),
  );
}

/** Operators whose result is the same ids in another shape. */
const keepsIds = ["Identity", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Cast"];

/** What a graph does with an input of integers. */
function takeInput(port: Port, graph: Graph, constants: Constants): Input {
  if (port.kind !== "int") return { port, ids: undefined };
  const uses = new Set<number | undefined>();
  const names = new Set([port.name]);
  for (const node of everyNode(graph)) {
    node.inputs.forEach((name, i) => {
      if (!names.has(name)) return;
      if (node.operator === "Shape" || node.operator === "Size") return;
      if (keepsIds.includes(node.operator) && i === 0) {
        if (node.operator === "Cast" && node.attributes.get("to") === 1) uses.add(undefined);
        else for (const output of node.outputs) names.add(output);
      } else uses.add(useOf(node, i, port, constants));
    });
  }
  if (uses.size > 1) fail(`its input "${clip(port.name)}" is read both as ids of different tables or lengths, and so cannot be checked`);
  const [ids] = uses.size === 0 ? [mostSteps] : uses;
  return { port, ids };
}

function useOf(node: Node, i: number, port: Port, constants: Constants): number {
  if (node.operator === "Gather" && i === 1) {
    const shape = constants.known.get(node.inputs[0])?.shape ?? [];
    const axis = new Attributes(node).number("axis", 0);
    return shape[axis < 0 ? axis + shape.length : axis] ?? mostSteps;
  }
  if (isRecurrent(node.operator) && i === 4) return mostSteps;
  const reads = operatorOf(node.operator)?.settings?.includes(i) ? "needs as a constant" : "computes with";
  return fail(
    `its input "${clip(port.name)}" is integers that ${nameOf(node)} ${reads}; if it is always the same, give constants: { ${JSON.stringify(clip(port.name))}: … }`,
  );
}

/** Operators that keep the axes of their first input. */
const keepsAxes =
  /^(Identity|Cast|Dropout|Relu|Sigmoid|Tanh|Add|Sub|Mul|Div|MatMul|Abs|Neg|Sqrt|Exp|Log|Clip|LeakyRelu|Elu|BatchNormalization|LayerNormalization)$/;

/**
 * Whether an input's first axis is the batch. It is what the first recurrent node takes for it; without any, the batch
 * comes first.
 */
export function batchComesFirst(input: Port, graph: Graph): boolean {
  if (input.shape === undefined) return true;
  // For each value, the axes of the input that its own are; undefined for other axes.
  const axes = new Map<string, readonly (number | undefined)[]>([[input.name, input.shape.map((_, axis) => axis)]]);
  for (const node of everyNode(graph)) {
    const at = node.operator === "Gather" ? 1 : 0;
    const from = axes.get(node.inputs[at] ?? "");
    if (!from) continue;
    if (isRecurrent(node.operator)) {
      const { batch, steps } = new RecurrentNode(node).axes;
      if (from[batch] === 0) return true;
      if (from[steps] === 0) return false;
      continue;
    }
    const to = movedAxes(node, from);
    if (to && node.outputs[0]) axes.set(node.outputs[0], to);
  }
  return true;
}

function movedAxes(node: Node, from: readonly (number | undefined)[]): readonly (number | undefined)[] | undefined {
  if (node.operator === "Gather") return [...from, undefined];
  if (keepsAxes.test(node.operator)) return from;
  if (node.operator !== "Transpose") return undefined;
  const perm = node.attributes.get("perm");
  return Array.isArray(perm) && perm.length === from.length ? perm.map((axis) => from[axis as number]) : [...from].reverse();
}

/** Sizes of the named axes, as an input of this shape has them. @throws RnnError `shape` if it does not fit */
export function bindSizes(port: Port, shape: readonly number[], sizes: Map<string, number>): void {
  const declared = port.shape;
  if (!declared) return;
  const fits = declared.length === shape.length && declared.every((size, axis) => typeof size !== "number" || size === shape[axis]);
  if (!fits)
    throw new RnnError(
      "shape",
      "onnx",
      `"${clip(port.name)}" must be [${declared.map((size) => size ?? "any").join(", ")}], as the file says, got [${shape.join(", ")}]`,
    );
  declared.forEach((size, axis) => {
    if (typeof size !== "string") return;
    const known = sizes.get(size);
    if (known !== undefined && known !== shape[axis])
      throw new RnnError("shape", "onnx", `"${clip(port.name)}" has ${shape[axis]} for ${clip(size)}, and another input has ${known}`);
    sizes.set(size, shape[axis]);
  });
}
