/**
 * Recurrent layers as ONNX' RNN, GRU and LSTM, a node for each layer of a stack. Letters: D directions, T steps, B rows,
 * I inputs, H units, G gates.
 */
import type { GateFunction } from "../../../recurrent/cells/gate-functions.ts";
import type { RecurrentLayer } from "../../../recurrent/layer/recurrent-layer.ts";
import { refuse, type Builder, type Wire } from "./builder.ts";
import type { OnnxAttribute } from "./proto.ts";
import { scanned, type Scanned } from "./scan.ts";

/** Options of a layer as `describe` gives them. */
export type Options = Readonly<Record<string, unknown>>;

/** A recurrent layer to be written. */
export interface Subject {
  readonly path: string;
  /** The name of its class. */
  readonly kind: string;
  readonly layer: RecurrentLayer;
  readonly options: Options;
}

/** What becomes of a layer. */
export interface Exported {
  /** [T, B, ·], or with the batch first [B, T, ·]. */
  readonly output: Wire;
  /** The states of the last layer after the last step that each direction read, h first, [D, B, ·]. */
  readonly ends: readonly Wire[];
}

/** What is asked of all recurrent layers. */
export interface Asked {
  /** The name of the graph's input with the steps of each row. */
  readonly lengths: string | undefined;
  /** Whether states are inputs and outputs of the graph. */
  readonly states: boolean;
  /** Initial states that the model gives itself, by their places among the names and the layer of the stack: [D, B, ·]. */
  readonly initial?: ((state: number, k: number) => string) | undefined;
}

/** One row of blocks of H: a gate of ours, its negative, or always the same. */
type Block = { readonly gate: number; readonly sign?: -1 } | { readonly bias: number };

interface Form {
  readonly operator: "RNN" | "GRU" | "LSTM";
  /** In ONNX' order. */
  readonly blocks: readonly Block[];
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** Large enough for a gate that is always open: σ of it is 1. */
const open = 100;

const keep = (...gates: number[]): Block[] => gates.map((gate) => ({ gate }));

/** How ONNX says what the layer is; undefined if it has no node for it. */
function formOf({ path, kind, options }: Subject, gate: GateFunction, clip: number): Form | undefined {
  const { forgetGate, reset, updateGate, projSize } = options;
  const opened = (): Block => {
    const opens = gate.name === "Sigmoid" || (gate.name === "HardSigmoid" && gate.alpha * open + gate.beta >= 1);
    if (!opens || clip > 0) refuse(path, kind, `ONNX has a gate that is always open only for Sigmoid without clip, got ${gate.name}`);
    return { bias: open };
  };
  if (kind === "RNN") return { operator: "RNN", blocks: keep(0), attributes: {} };
  if (kind === "GRU") {
    const sign = updateGate === "writes" ? ({ sign: -1 } as const) : {};
    const after = { linear_before_reset: { i: reset === "before" ? 0 : 1 } };
    const blocks: Block[] =
      reset === "none" ? [{ gate: 0, ...sign }, opened(), { gate: 1 }] : [{ gate: 1, ...sign }, { gate: 0 }, { gate: 2 }];
    return { operator: "GRU", blocks, attributes: after };
  }
  if (kind !== "LSTM" || (typeof projSize === "number" && projSize > 0)) return undefined;
  // Ours are i f g o, ONNX' i o f c.
  if (forgetGate === "gate") return { operator: "LSTM", blocks: keep(0, 3, 1, 2), attributes: {} };
  const coupled = forgetGate === "coupled";
  const blocks: Block[] = [{ gate: 0 }, { gate: 2 }, coupled ? { bias: 0 } : opened(), { gate: 1 }];
  return { operator: "LSTM", blocks, attributes: coupled ? { input_forget: { i: 1 } } : {} };
}

/** Rows of a parameter in ONNX' order. Blocks that have no gate of ours hold `constant`, or 0. */
function arranged(
  data: ArrayLike<number> | undefined,
  blocks: readonly Block[],
  H: number,
  width: number,
  constants = false,
): Float32Array {
  const result = new Float32Array(blocks.length * H * width);
  blocks.forEach((block, i) => {
    const to = result.subarray(i * H * width, (i + 1) * H * width);
    if ("bias" in block) to.fill(constants ? block.bias : 0);
    else if (data) for (let n = 0; n < to.length; n++) to[n] = (block.sign ?? 1) * data[block.gate * H * width + n];
  });
  return result;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** W, R, B and P of one layer of a stack. */
function weights(build: Builder, { path, layer }: Subject, k: number, inputs: number, { blocks, operator }: Form): string[] {
  const { directions: D, hiddenSize: H, bias } = layer;
  const G = blocks.length;
  const suffixes = D === 2 ? [`l${k}`, `l${k}_reverse`] : [`l${k}`];
  const of = (name: string, width: number): Float32Array =>
    joined(suffixes.map((suffix) => arranged(build.parameter(`${path}${name}_${suffix}`), blocks, H, width)));
  const hasConstant = blocks.some((block) => "bias" in block && block.bias !== 0);
  const biases = suffixes.flatMap((suffix) =>
    (["bias_ih", "bias_hh"] as const).map((name) => {
      const has = bias === true || (bias === "input" && name === "bias_ih");
      return arranged(has ? build.parameter(`${path}${name}_${suffix}`) : undefined, blocks, H, 1, name === "bias_ih");
    }),
  );
  const name = `${path}l${k}`;
  const names = [
    build.numbers(`${name}.W`, [D, G * H, inputs], of("weight_ih", inputs)),
    build.numbers(`${name}.R`, [D, G * H, H], of("weight_hh", H)),
    bias !== false || hasConstant ? build.numbers(`${name}.B`, [D, 2 * G * H], joined(biases)) : "",
  ];
  if (operator !== "LSTM" || !build.parameters.has(`${path}weight_ch_l${k}`)) return names;
  // Ours are i f o, ONNX' i o f; without a forget gate of its own, i o.
  const peepholes: Block[] = blocks.some((block) => "bias" in block) ? [{ gate: 0 }, { gate: 1 }, { bias: 0 }] : keep(0, 2, 1);
  const P = suffixes.map((suffix) => arranged(build.parameter(`${path}weight_ch_${suffix}`), peepholes, H, 1));
  return [...names, build.numbers(`${name}.P`, [D, 3 * H], joined(P))];
}

/** The weights of a layer that was read from one node, by their places among the node's inputs. */
export function weightsOfNode(build: Builder, subject: Subject): ReadonlyMap<number, string> {
  const { layer } = subject;
  const [{ gates, clip }] = layer.gateFunctions!;
  const [W, R, B, P = ""] = weights(build, subject, 0, layer.inputSize, formOf(subject, gates, clip)!);
  return new Map([
    [1, W],
    [2, R],
    [3, B],
    [7, P],
  ]);
}

/** The functions whose α and β ONNX lists. */
const parametersOf: Readonly<Record<string, readonly ("alpha" | "beta")[]>> = {
  Affine: ["alpha", "beta"],
  Elu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
  LeakyRelu: ["alpha"],
  ScaledTanh: ["alpha", "beta"],
  ThresholdedRelu: ["alpha"],
};

function functionAttributes(functions: readonly GateFunction[]): Record<string, OnnxAttribute> {
  const values = (parameter: "alpha" | "beta"): number[] =>
    functions.filter(({ name }) => parametersOf[name]?.includes(parameter)).map((of) => of[parameter]);
  const [alphas, betas] = [values("alpha"), values("beta")];
  return {
    activations: { strings: functions.map(({ name }) => name) },
    ...(alphas.length > 0 && { activation_alpha: { floats: alphas } }),
    ...(betas.length > 0 && { activation_beta: { floats: betas } }),
  };
}

const rolesOf = { RNN: ["candidate"], GRU: ["gates", "candidate"], LSTM: ["gates", "candidate", "output"] } as const;

/** Whether a layer computes in inference what no node of ONNX does. @throws RnnError `option` for what is not written */
function isRegularized({ path, kind, options: { normalization = "none", zoneout = 0 } }: Subject): boolean {
  if (normalization === "batch") refuse(path, kind, 'normalization: "batch" is not written');
  const parts = typeof zoneout === "number" ? [zoneout] : Object.values(zoneout as Record<string, number>);
  return normalization === "layer" || parts.some((p) => p > 0);
}

/** The states of a layer: inputs of the graph, split by layers of the stack, or zeros. */
function initialStates(build: Builder, { path, layer }: Subject, batch: number | string): string[][] {
  const { numLayers, directions: D } = layer;
  return layer.stateNames.map((state) => {
    const name = `${path}${state}`;
    const size = state === "h" ? layer.outputSize : layer.hiddenSize;
    build.inputs.push({ name, type: "float", sizes: [numLayers * D, batch, size] });
    if (numLayers === 1) return [name];
    const sizes = build.integers(Array.from({ length: numLayers }, () => D));
    return build.nodeOf(path, "Split", [name, sizes], numLayers, { axis: { i: 0 } });
  });
}

/** Both directions of y [T, D, B, H] or of states [D, B, H], put together as the layer merges them: [T, B, ·]. */
function merged(build: Builder, path: string, y: Wire, merge: RecurrentLayer["merge"]): Wire {
  const axis = y.sizes.length - 3;
  if (y.sizes[axis] === 1) return build.at(path, y, axis, 0);
  if (merge === "concat" || merge === "none") {
    const rows = build.transposed(path, y, axis === 1 ? [0, 2, 1, 3] : [1, 0, 2]);
    if (merge === "none") return rows;
    const H = y.sizes[axis + 2] as number;
    const sizes = [...rows.sizes.slice(0, axis + 1), 2 * H];
    const shape = build.integers([...sizes.slice(0, -1).map(() => 0), 2 * H]);
    return { name: build.node(path, "Reshape", [rows.name, shape]), sizes };
  }
  const [one, other] = [0, 1].map((direction) => build.at(path, y, axis, direction));
  const name = build.node(path, merge === "mul" ? "Mul" : "Add", [one.name, other.name]);
  if (merge !== "average") return { name, sizes: one.sizes };
  return { name: build.node(path, "Mul", [name, build.number(0.5)]), sizes: one.sizes };
}

/** The last h of both directions, as the layer merges outputs: [B, ·]. */
export const lastOf = (build: Builder, { path, layer }: Subject, last: Wire): Wire => merged(build, path, last, layer.merge);

/** A layer of the stack as one node: Y [D as the second axis], and the final states. */
function oneNode(
  build: Builder,
  subject: Subject,
  form: Form,
  { k, input, starts, lengths }: Scanned,
): { readonly y: Wire; readonly ends: readonly string[] } {
  const { path, layer } = subject;
  const { directions: D, hiddenSize: H } = layer;
  const [T, B, inputs] = input.sizes;
  const [W, R, bias, P = ""] = weights(build, subject, k, inputs as number, form);
  const given = [input.name, W, R, bias, lengths ?? "", starts[0], starts[1] ?? "", P];
  while (given.at(-1) === "") given.pop();
  const functions = layer.gateFunctions!;
  const { clip } = functions[0];
  const [y, ...ends] = build.nodeOf(path, form.operator, given, 1 + starts.length, {
    hidden_size: { i: H },
    direction: { s: D === 2 ? "bidirectional" : layer.reverse ? "reverse" : "forward" },
    ...functionAttributes(functions.flatMap((each) => rolesOf[form.operator].map((role) => each[role]))),
    ...(clip > 0 && { clip: { f: clip } }),
    ...form.attributes,
  });
  return { y: { name: y, sizes: [T, D, B, H] }, ends };
}

/** Adds the nodes of a layer. @throws RnnError `option` that names the layer and the option which ONNX cannot hold */
export function recurrentNodes(build: Builder, subject: Subject, x: Wire, asked: Asked): Exported {
  const { path, kind, layer } = subject;
  const scans = isRegularized(subject);
  if (x.sizes.length !== 3) refuse(path, kind, `it needs an input of three axes here, got ${x.sizes.length}`);
  const { directions: D, numLayers, merge, stateNames } = layer;
  const functions = layer.gateFunctions?.[0];
  const form = functions && !scans ? formOf(subject, functions.gates, functions.clip) : undefined;
  const carries = asked.states && !asked.initial && !layer.readsBackwards;
  let input = layer.batchFirst ? build.transposed(path, x, [1, 0, 2]) : x;
  const B = input.sizes[1];
  const initial = carries ? initialStates(build, subject, B) : undefined;
  const final: string[][] = stateNames.map(() => []);
  for (let k = 0; k < numLayers; k++) {
    const reads = { k, input, starts: stateNames.map((_, s) => initial?.[s][k] ?? asked.initial?.(s, k) ?? ""), lengths: asked.lengths };
    const { y, ends } = form ? oneNode(build, subject, form, reads) : scanned(build, subject, reads);
    ends.forEach((end, s) => final[s].push(end));
    input = merged(build, path, y, merge === "none" && k < numLayers - 1 ? "concat" : merge);
  }
  const sizeOf = (state: string): number => (state === "h" ? layer.outputSize : layer.hiddenSize);
  if (carries)
    stateNames.forEach((state, s) => {
      const whole = numLayers === 1 ? final[s][0] : build.node(path, "Concat", final[s], { axis: { i: 0 } });
      build.finish(path, whole, { name: `${path}${state}.next`, type: "float", sizes: [numLayers * D, B, sizeOf(state)] });
    });
  const output = layer.batchFirst ? build.transposed(path, input, input.sizes.length === 4 ? [1, 0, 2, 3] : [1, 0, 2]) : input;
  return { output, ends: stateNames.map((state, s) => ({ name: final[s][numLayers - 1], sizes: [D, B, sizeOf(state)] })) };
}
