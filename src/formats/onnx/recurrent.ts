/**
 * ONNX' RNN, GRU and LSTM as layers of this package. Letters: D directions, T steps, B rows, I inputs, H units, G gates.
 */
import type { Variable } from "../../autodiff/tape.ts";
import { clip, RnnError } from "../../errors.ts";
import type { Context, Scope } from "../../nn/context.ts";
import type { Module } from "../../nn/module.ts";
import { GRU } from "../../recurrent/layer/gru.ts";
import { LSTM } from "../../recurrent/layer/lstm.ts";
import { RNN } from "../../recurrent/layer/rnn.ts";
import type { Part } from "../../part.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { Attributes, fail, wordsOf, type Known, type Node } from "./graph.ts";
import { isKnown } from "./host.ts";
import type { Call } from "./operator.ts";
import type { Values } from "./values.ts";
import { shapeOf, type Value } from "./values.ts";

/** Where each gate of ours stands among ONNX' (z r h; i o f c), and each function of ours in `activations`. */
interface Kind {
  readonly gates: readonly number[];
  readonly functions: readonly string[];
  readonly usual: readonly string[];
  readonly states: readonly string[];
  readonly attributes: readonly string[];
}

const common = ["activations", "activation_alpha", "activation_beta", "clip", "direction", "hidden_size", "layout"];
const kinds: Readonly<Record<string, Kind | undefined>> = {
  RNN: { gates: [0], functions: ["candidate"], usual: ["Tanh"], states: ["h"], attributes: common },
  GRU: {
    gates: [1, 0, 2],
    functions: ["gates", "candidate"],
    usual: ["Sigmoid", "Tanh"],
    states: ["h"],
    attributes: [...common, "linear_before_reset"],
  },
  LSTM: {
    gates: [0, 2, 3, 1],
    functions: ["gates", "candidate", "output"],
    usual: ["Sigmoid", "Tanh", "Tanh"],
    states: ["h", "c"],
    attributes: [...common, "input_forget"],
  },
};

export const isRecurrent = (operator: string): boolean => kinds[operator] !== undefined;
export const recurrentAttributes = (operator: string): readonly string[] => kinds[operator]!.attributes;

/** The inputs W, R, B, P of a recurrent node. */
export const weightInputs = [1, 2, 3, 7] as const;
/** Its inputs initial_h and initial_c. */
export const stateInputs = [5, 6] as const;

/** Functions that take α and β, which a file lists for these only. Missing ones have onnxruntime's values. */
const parameters: Readonly<Record<string, readonly [alpha?: number, beta?: number]>> = {
  Affine: [1, 0],
  LeakyRelu: [0.01],
  ThresholdedRelu: [1],
  ScaledTanh: [1, 1],
  HardSigmoid: [0.2, 0.5],
  Elu: [1],
};
const names = ["Sigmoid", "Tanh", "Relu", "Softsign", "Softplus", ...Object.keys(parameters)];

/** The options of the layer for each direction. */
function functionsOf(node: Node, { functions, usual }: Kind, directions: number): Record<string, unknown>[] {
  const attributes = new Attributes(node);
  const given = attributes.texts("activations") ?? Array.from({ length: directions }, () => usual).flat();
  if (given.length !== usual.length * directions) fail(`its activations must be ${usual.length * directions}, got ${given.length}`);
  const rest = [attributes.numbers("activation_alpha", []), attributes.numbers("activation_beta", [])].map((values) => [...values]);
  const chosen = given.map((word) => {
    const name = names.find((known) => known.toLowerCase() === word.toLowerCase());
    if (name === undefined) return fail(`its activation ${clip(word)} is not known; known are ${names.join(", ")}`);
    const [alpha, beta] = (parameters[name] ?? []).map((value, i) => rest[i].shift() ?? value);
    return { name, ...(alpha !== undefined && { alpha }), ...(beta !== undefined && { beta }) };
  });
  return Array.from({ length: directions }, (_, d) =>
    Object.fromEntries(functions.map((role, i) => [role, chosen[d * functions.length + i]])),
  );
}

/** A layer that holds the weights of a node, and its path in the model. */
export interface NamedLayer {
  readonly module: Module;
  readonly name: string;
}

/** Where a node is recorded: the model's context, and the steps of the model's input. */
export interface Place {
  readonly context: Context;
  readonly steps: number | undefined;
}

/** What a recurrent node becomes. */
export class RecurrentNode {
  private readonly kind: Kind;
  private readonly attributes: Attributes;
  readonly directions: 1 | 2;
  private readonly isReverse: boolean;
  private readonly batchFirst: boolean;

  constructor(readonly node: Node) {
    this.kind = kinds[node.operator]!;
    this.attributes = new Attributes(node);
    const direction = this.attributes.text("direction", "forward");
    if (!["forward", "reverse", "bidirectional"].includes(direction))
      fail(`direction must be forward, reverse or bidirectional, got ${clip(direction)}`);
    this.directions = direction === "bidirectional" ? 2 : 1;
    this.isReverse = direction === "reverse";
    this.batchFirst = this.attributes.number("layout", 0) === 1;
  }

  /** The axes of batch and steps in X. */
  get axes(): { readonly batch: number; readonly steps: number } {
    return this.batchFirst ? { batch: 0, steps: 1 } : { batch: 1, steps: 0 };
  }

  /** The layer for weights of these shapes; its own weights are any. */
  layer([W, R, B, P]: readonly (Value | undefined)[]): Module {
    const { node, attributes, kind, directions } = this;
    if (!W || !R) return fail("it lacks W or R");
    const [w, r] = [shapeOf(W), shapeOf(R)];
    const H = attributes.number("hidden_size", r[2]);
    const G = kind.gates.length;
    const fits =
      w.length === 3 && r.length === 3 && r[2] === H && w[1] === G * H && r[1] === G * H && w[0] === directions && r[0] === directions;
    if (!fits)
      return fail(
        `W must be [${directions}, ${G * H}, inputs] and R [${directions}, ${G * H}, ${H}], got [${w.join(", ")}] and [${r.join(", ")}]`,
      );
    const sized = (value: Value | undefined, length: number, name: string): void => {
      if (value && (shapeOf(value).length !== 2 || shapeOf(value)[1] !== length))
        fail(`${name} must be [${directions}, ${length}], got [${shapeOf(value).join(", ")}]`);
    };
    sized(B, 2 * G * H, "B");
    sized(P, 3 * H, "P");
    const functions = functionsOf(node, kind, directions);
    const threshold = attributes.number("clip", 0);
    return this.make(
      w[2],
      H,
      {
        bias: B !== undefined,
        activations: directions === 2 ? functions : functions[0],
        ...(threshold > 0 && { clip: threshold }),
        ...(directions === 2 ? { bidirectional: true, merge: "none" as const } : { reverse: this.isReverse }),
        seed: 0,
      },
      P !== undefined,
    );
  }

  private make(I: number, H: number, options: object, peepholes: boolean): Module {
    const { operator } = this.node;
    if (operator === "RNN") return new RNN(I, H, options);
    if (operator === "GRU")
      return new GRU(I, H, { ...options, reset: this.attributes.number("linear_before_reset", 0) === 0 ? "before" : "after" });
    const forgetGate = this.attributes.number("input_forget", 0) === 0 ? "gate" : "coupled";
    return new LSTM(I, H, { ...options, peepholes, forgetGate });
  }

  /** The layer's parameters by name, in PyTorch's order of gates, from ONNX' W, R, B and P. */
  parameters(values: Values, [W, R, B, P]: readonly (Value | undefined)[]): Record<string, Value> {
    const result: Record<string, Value> = {};
    const coupled = this.attributes.number("input_forget", 0) !== 0;
    const gates = coupled ? this.kind.gates.filter((gate) => gate !== 2) : this.kind.gates;
    const G = this.kind.gates.length;
    const rows = (value: Value, direction: number, order: readonly number[], count: number): Value => {
      const [, size, ...rest] = shapeOf(values.select(value, 0, [direction]));
      const H = size / count;
      const lane = values.reshape(values.select(value, 0, [direction]), [size, ...rest]);
      return values.select(
        lane,
        0,
        order.flatMap((gate) => Array.from({ length: H }, (_, i) => gate * H + i)),
      );
    };
    for (let d = 0; d < this.directions; d++) {
      const suffix = d === 1 ? "l0_reverse" : "l0";
      result[`weight_ih_${suffix}`] = rows(W!, d, gates, G);
      result[`weight_hh_${suffix}`] = rows(R!, d, gates, G);
      if (B) {
        result[`bias_ih_${suffix}`] = rows(B, d, gates, 2 * G);
        result[`bias_hh_${suffix}`] = rows(
          B,
          d,
          gates.map((gate) => gate + G),
          2 * G,
        );
      }
      // Ours are in the order i f o, ONNX' in i o f; a coupled forget gate has none.
      if (P) result[`weight_ch_${suffix}`] = rows(P, d, coupled ? [0, 1] : [0, 2, 1], 3);
    }
    return result;
  }

  /** Variables in the order that a device has: the gates of a unit side by side, with zeros where files have none. */
  private interleaved(values: Values, module: Module, parameters: Readonly<Record<string, Value>>): Map<string, Variable> {
    return new Map(
      [...module.namedParameters()].map(([name, { gates, lanes }]) => {
        const [size, ...rest] = shapeOf(parameters[name]);
        const H = size / gates;
        const blocks = values.reshape(parameters[name], [gates, H, ...rest]);
        const zeros: Known = { shape: [1, H, ...rest], data: new Float32Array(sizeOf([H, ...rest])), kind: "float" };
        const all = lanes.includes(-1) ? values.concat([blocks, zeros], 0) : blocks;
        const order = lanes.map((gate) => (gate < 0 ? gates : gate));
        const units = values.permute(values.select(all, 0, order), [1, 0, ...rest.map((_, i) => i + 2)]);
        return [name, values.numbers(values.reshape(units, [H * lanes.length, ...rest]))];
      }),
    );
  }

  /**
   * Records the node: Y, Y_h and, for an LSTM, Y_c.
   * @param known the layer that holds its weights, if they are known
   */
  record(call: Call, { context, steps }: Place, known: NamedLayer | undefined): Value[] {
    const { values, inputs } = call;
    const weights = weightInputs.map((i) => inputs[i]);
    const { module, name } = known ?? { module: this.layer(weights), name: wordsOf(this.node.name).join("_") };
    const given = known ? undefined : this.interleaved(values, module, this.parameters(values, weights));
    const swapped = (value: Value, axes: readonly number[]): Value => (this.batchFirst ? values.permute(value, axes) : value);
    const X = inputs[0] ?? fail("it lacks X");
    if (shapeOf(X).length !== 3) return fail(`X must have three axes, got [${shapeOf(X).join(", ")}]`);
    const x = swapped(X, [1, 0, 2]);
    const [T, B] = shapeOf(x);
    const [D, , H] = shapeOf(weights[1] ?? fail("it lacks R"));
    const initial = stateInputs.map((i) => inputs[i] && swapped(inputs[i], [1, 0, 2]));
    initial.forEach((value, i) => this.checkState(value, [D, B, H], i === 0 ? "initial_h" : "initial_c"));
    const final: Value[] = [];
    const own = context.child(name);
    const scope: Scope = {
      ...(given && { parameter: (path) => given.get(path)! }),
      lengths: this.lengths(call, context, { T, B, steps }),
      initialState: (state, shape) => {
        const value = initial[this.kind.states.indexOf(state)];
        // States that start from zeros are the model's own, which callers may give and streams carry.
        if (!value || isZero(value)) return own.initialState(state, shape);
        return Array.from({ length: D }, (_, d) => values.numbers(values.reshape(values.select(value, 0, [d]), [B, H]), "a state"));
      },
      finalState: (state, shape, variables) => {
        const at = this.kind.states.indexOf(state);
        const value = initial[at];
        if (!value || isZero(value)) own.finalState(state, shape, variables);
        if (!call.node.outputs[at + 1]) return;
        const parts = variables.map((variable): Value => ({ variable: variable.reshaped([1, B, H]), kind: "float" }));
        final[at] = swapped(values.concat(parts, 0), [1, 0, 2]);
      },
    };
    const y: Value = { variable: module.forward(own.within(scope), values.numbers(x, "X")), kind: "float" };
    const Y = D === 2 ? values.permute(y, [0, 2, 1, 3]) : values.reshape(y, [T, 1, B, H]);
    return [swapped(Y, [2, 0, 1, 3]), ...final];
  }

  private checkState(value: Value | undefined, shape: readonly number[], name: string): void {
    if (value && shapeOf(value).some((n, i) => n !== shape[i]))
      fail(`${name} must be [${shape.join(", ")}], got [${shapeOf(value).join(", ")}]`);
  }

  /** The steps of each row: those of the node, or of the model's input if it has the same steps. */
  private lengths(
    { inputs }: Call,
    context: Context,
    { T, B, steps }: { T: number; B: number; steps: number | undefined },
  ): Scope["lengths"] {
    const given = inputs[4];
    const refuse = (why: string): never => {
      throw new RnnError("option", "lengths", why);
    };
    if (context.lengths && given) return refuse("this node has lengths as an input of its own; give that one");
    if (context.lengths && steps !== T)
      return refuse(`it reads ${T} steps where the input has ${steps ?? "none"}, so lengths of the input mean nothing to it`);
    if (!given) return undefined;
    if (shapeOf(given).length !== 1 || shapeOf(given)[0] !== B)
      return fail(`sequence_lens must be [${B}], got [${shapeOf(given).join(", ")}]`);
    if (!isKnown(given)) {
      if (given.kind !== "int") return fail("sequence_lens must be integers of an input or constants");
      return given.variable.view;
    }
    if (given.data.some((length) => !(length >= 0 && length <= T))) return fail(`sequence_lens must be from 0 to ${T}`);
    return context.tape.recording.buffer(context.label("lengths"), [B], "constant", "u32", Uint32Array.from(given.data));
  }
}

/** What a layer needs, whatever options the node gives it. */
export const codeOfAnyLayer = (): Part<unknown>[] =>
  [
    new RNN(1, 1, { bidirectional: true, seed: 0 }),
    new GRU(1, 1, { reset: "before", seed: 0 }),
    new LSTM(1, 1, { peepholes: true, seed: 0 }),
  ].flatMap(({ furtherCode }) => furtherCode);

const isZero = (value: Value): boolean => isKnown(value) && value.data.every((number) => number === 0);

/** Parameters that are known, for `loadStateDict`. */
export const tensorsOf = (parameters: Readonly<Record<string, Value>>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, value as Known]));
