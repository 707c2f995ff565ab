/** Keras' activation functions by name: in gates, and between layers. */
import { clip } from "../../errors.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import type { Variable } from "../../autodiff/tape.ts";
import type { GateActivation } from "../../recurrent/layer/activations.ts";
import { formatError, get, isObject, type Json } from "../imported.ts";
import { placeOf, where, type LayerConfig } from "./config.ts";

type Function = (context: Context, x: Variable) => Variable;

/** The name in an option: a text, or an object that describes a function of Keras. */
export function activationName(layer: LayerConfig, option: string, usual = "linear"): string {
  let value: Json | undefined = get(layer.config, option) ?? usual;
  if (isObject(value)) value = get(value, "class_name") === "function" ? get(value, "config") : (get(value, "class_name") ?? null);
  if (isObject(value)) value = get(value, "name");
  if (typeof value !== "string") throw formatError(where, `${option} of ${placeOf(layer)} must be the name of a function`);
  return value.toLowerCase();
}

/** The functions of gates, whose slope follows from their value. */
export function gateFunction(layer: LayerConfig, option: string, usual: string): GateActivation {
  const name = activationName(layer, option, usual);
  const known: Readonly<Record<string, GateActivation>> = {
    tanh: "Tanh",
    sigmoid: "Sigmoid",
    relu: "Relu",
    linear: { name: "Affine", alpha: 1, beta: 0 },
    // Keras 3 has PyTorch's hard sigmoid, Keras 2 and tfjs have Theano's.
    hard_sigmoid: layer.era === 3 ? { name: "HardSigmoid", alpha: 1 / 6, beta: 0.5 } : "HardSigmoid",
    hardsigmoid: "HardSigmoid",
    softsign: "Softsign",
    softplus: "Softplus",
    elu: "Elu",
    leaky_relu: { name: "LeakyRelu", alpha: 0.2 },
  };
  if (!Object.hasOwn(known, name)) throw unknown(layer, option, name, Object.keys(known));
  return known[name];
}

const unknown = (layer: LayerConfig, option: string, name: string, known: readonly string[]): Error =>
  formatError(where, `${placeOf(layer)} has the ${option} "${clip(name, 60)}", which is not read; known are ${known.join(", ")}`);

/** Functions of whole layers. Keras 3 has PyTorch's hard sigmoid, Keras 2 and tfjs have Theano's. */
const functions: Readonly<Record<string, (layer: LayerConfig) => Function>> = {
  linear: () => (_, x) => x,
  relu: () => ops.relu,
  relu6: () => (context, x) => ops.clip(context, x, { minimum: 0, maximum: 6 }),
  sigmoid: () => ops.sigmoid,
  tanh: () => ops.tanh,
  softmax: () => (context, x) => ops.softmax(context, x),
  silu: () => ops.silu,
  swish: () => ops.silu,
  elu: () => (context, x) => ops.elu(context, x),
  selu: () => (context, x) => ops.selu(context, x),
  gelu: () => (context, x) => ops.gelu(context, x),
  exponential: () => ops.exp,
  softplus: () => ops.softplus,
  softsign: () => ops.softsign,
  leaky_relu: () => (context, x) => ops.leakyRelu(context, x, { alpha: 0.2 }),
  hard_sigmoid: hardSigmoid,
  hardsigmoid: hardSigmoid,
  hard_silu: () => ops.hardSwish,
  hard_swish: () => ops.hardSwish,
};

function hardSigmoid({ era }: LayerConfig): Function {
  return (context, x) => ops.hardSigmoid(context, x, { alpha: era === 3 ? 1 / 6 : 0.2, beta: 0.5 });
}

export function layerFunction(layer: LayerConfig, option: string, usual?: string): Function {
  const name = activationName(layer, option, usual);
  if (!Object.hasOwn(functions, name)) throw unknown(layer, option, name, Object.keys(functions));
  return functions[name](layer);
}
