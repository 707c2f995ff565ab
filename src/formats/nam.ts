/** Reads Neural Amp Modeler's `.nam`: an LSTM and a linear head, with all weights in one list. */
import type { Variable } from "../autodiff/tape.ts";
import { show } from "../errors.ts";
import { checkCall, type Context } from "../nn/context.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import * as ops from "../nn/ops.ts";
import { Parameter } from "../nn/parameter.ts";
import { LSTM } from "../recurrent/layer/lstm.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { asCount, asObject, asText, formatError, get, type ImportedModel, type Json } from "./imported.ts";
import { tensorOf } from "./nested.ts";

const where = "NAM file";

/** An LSTM whose first states are learnt, and a linear layer. Input [batch, steps, inputs], output [batch, steps, outputs]. */
export class NamLstm extends Module {
  static readonly savedAs = "NamLstm";
  readonly lstm: LSTM;
  readonly head: Linear;

  constructor(
    private readonly layers: number,
    private readonly inputs: number,
    private readonly units: number,
    private readonly outputs: number,
  ) {
    super();
    this.lstm = new LSTM(inputs, units, { numLayers: layers, batchFirst: true, bias: "input", seed: 0 });
    this.head = new Linear(units, outputs, { seed: 0 });
    this.addChild("lstm", this.lstm);
    this.addChild("head", this.head);
    for (const name of ["initial_h", "initial_c"])
      this.addParameter(name, new Parameter([layers, units], (shape) => new Float32Array(shape[0] * shape[1])));
  }

  override get inputFeatures(): number {
    return this.inputs;
  }

  override describe(): readonly unknown[] {
    return [this.layers, this.inputs, this.units, this.outputs];
  }

  forward(context: Context, input: Variable): Variable {
    checkCall("NamLstm", context, input);
    const inside = context.child("lstm");
    const initialState = (name: string, shape: Shape): Variable[] => inside.initialState(name, shape) ?? this.first(context, name, shape);
    return this.head.forward(context.child("head"), this.lstm.forward(inside.within({ initialState }), input));
  }

  /** The file's states for all rows of the batch. */
  private first(context: Context, name: string, [, ...row]: Shape): Variable[] {
    const states = context.parameter(`initial_${name}`);
    const zeros = ops.constant(context, { shape: row, data: new Float32Array(row.reduce((all, size) => all * size, 1)) });
    return Array.from({ length: this.layers }, (_, layer) => {
      const one = ops.slice(context, states, 0, layer, layer + 1);
      return ops.add(context, row.length === 1 ? ops.reshape(context, one, row) : one, zeros);
    });
  }
}

/** @throws RnnError `format` for other architectures than the LSTM */
export function readNam(json: Json): ImportedModel {
  const file = asObject(where, "the file", json);
  const architecture = asText(where, "architecture", get(file, "architecture"));
  if (architecture !== "LSTM") throw formatError(where, `the architecture ${show(architecture)} is not read; known is "LSTM"`);
  const config = asObject(where, "config", get(file, "config"));
  const [I, H, L] = ["input_size", "hidden_size", "num_layers"].map((name) => asCount(where, name, get(config, name), 1));
  const { shape, data } = tensorOf(where, "weights", get(file, "weights"));
  const sizes = Array.from({ length: L <= 1024 ? L : 0 }, (_, layer) => (layer === 0 ? I : H));
  const outputs = (data.length - sizes.reduce((sum, inputs) => sum + 4 * H * (inputs + H) + 6 * H, 0)) / (H + 1);
  if (shape.length !== 1 || sizes.length === 0 || !Number.isInteger(outputs) || outputs < 1)
    throw formatError(
      where,
      `${L} layers of ${H} units on ${I} inputs and a head need another number of weights than the ${data.length} that it has`,
    );
  const model = new NamLstm(L, I, H, outputs);
  model.loadStateDict(divide(data as Float32Array, sizes, H, outputs));
  const parameters = (module: string): number =>
    [...model.namedParameters()].reduce((sum, [name, { size }]) => (name.startsWith(module) ? sum + size : sum), 0);
  return {
    model,
    format: "nam",
    inputs: [{ name: "input", shape: [null, null, I], path: "input" }],
    outputs: [{ name: "output", shape: [null, null, outputs], path: "output" }],
    report: [
      {
        name: "lstm",
        kind: "LSTM",
        became: `LSTM(${I}, ${H}), ${L} ${L === 1 ? "layer" : "layers"}, with its first states`,
        parameters: parameters("lstm") + parameters("initial"),
      },
      { name: "head", kind: "head", became: `Linear(${H}, ${outputs})`, parameters: parameters("head") },
    ],
  };
}

/** Of each layer the list has [W, U] side by side, the bias, and the first h and c; then the head's weight and bias. */
function divide(data: Float32Array, sizes: readonly number[], H: number, outputs: number): Record<string, Tensor> {
  let at = 0;
  const take = (count: number): Float32Array => data.slice(at, (at += count));
  const dict: Record<string, Tensor> = {};
  const first: Record<string, number[]> = { h: [], c: [] };
  sizes.forEach((inputs, layer) => {
    const both = take(4 * H * (inputs + H));
    const columns = (from: number, count: number): Tensor => ({
      shape: [4 * H, count],
      data: Float32Array.from({ length: 4 * H * count }, (_, i) => both[Math.floor(i / count) * (inputs + H) + from + (i % count)]),
    });
    dict[`lstm.weight_ih_l${layer}`] = columns(0, inputs);
    dict[`lstm.weight_hh_l${layer}`] = columns(inputs, H);
    dict[`lstm.bias_ih_l${layer}`] = { shape: [4 * H], data: take(4 * H) };
    first.h.push(...take(H));
    first.c.push(...take(H));
  });
  for (const [name, values] of Object.entries(first))
    dict[`initial_${name}`] = { shape: [sizes.length, H], data: Float32Array.from(values) };
  dict["head.weight"] = { shape: [outputs, H], data: take(outputs * H) };
  dict["head.bias"] = { shape: [outputs], data: take(outputs) };
  return dict;
}
