/** Operators of each number, or of pairs of numbers. */
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import type { Attributes } from "./graph.ts";
import { fail } from "./graph.ts";
import { isKnown, pairs, scalar } from "./host.ts";
import { operand, setting, simple, type Call, type Operator } from "./operator.ts";
import { shapeOf, type Value } from "./values.ts";

type Record = (context: Context, x: Variable, attributes: Attributes) => Variable;

/** A function of each number. @param onHost the same for constants, where that is of use */
const mapping = (record: Record, onHost?: (value: number) => number, attributes: readonly string[] = []): Operator =>
  simple((x, call) => call.values.map(x, onHost, (context, variable) => record(context, variable, call.attributes)), attributes);

/** A function of two operands, or of more of them one after the other. */
const combining = (name: string): Operator => ({
  attributes: [],
  compute: (call) => [
    call.inputs.slice(1).reduce<Value>((sum, _, i) => call.values.pair(name, sum, operand(call, i + 1)), operand(call, 0)),
  ],
});

/** A power by a constant that has a simpler form, or any. */
function power(x: Value, call: Call): Value {
  const exponent = operand(call, 1);
  const { values } = call;
  const known =
    isKnown(exponent) && exponent.data.length === 1 && shapeOf(exponent).length <= shapeOf(x).length ? exponent.data[0] : undefined;
  if (isKnown(x) || known === undefined) return values.pair("Pow", x, exponent);
  if (known === 1) return x;
  return values.record(x, (context, base) =>
    known === 2 ? ops.multiply(context, base, base) : known === 0.5 ? ops.sqrt(context, base) : ops.power(context, base, known),
  );
}

function clip(x: Value, call: Call): Value {
  const limit = (name: string, i: number, otherwise: number): number =>
    call.attributes.number(name, undefined) ?? setting(call, i, "limits")?.[0] ?? otherwise;
  const [minimum, maximum] = [limit("min", 1, -Infinity), limit("max", 2, Infinity)];
  const onHost = (value: number): number => Math.min(maximum, Math.max(minimum, value));
  // Where the limits cross, all numbers become the upper one.
  return call.values.map(x, onHost, (context, variable) => ops.clip(context, variable, { minimum: Math.min(minimum, maximum), maximum }));
}

/** The mean of all inputs. */
function mean(call: Call): Value[] {
  const sum = combining("Add").compute(call)[0];
  return [call.values.pair("Div", sum, scalar(call.inputs.length, "float"))];
}

function gelu(context: Context, x: Variable, attributes: Attributes): Variable {
  const approximate = attributes.text("approximate", "none");
  if (approximate !== "none" && approximate !== "tanh") return fail(`approximate must be none or tanh, got ${approximate}`);
  return ops.gelu(context, x, { approximate });
}

/** x, or slope·x below 0, with a slope for each channel. */
function leaky(x: Value, call: Call): Value {
  const { values } = call;
  const zero = scalar(0, "float");
  return values.pair("Add", values.pair("Max", x, zero), values.pair("Mul", operand(call, 1), values.pair("Min", x, zero)));
}

const roundToEven = (value: number): number => {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
};

export const mathOperators: Readonly<globalThis.Record<string, Operator>> = {
  ...Object.fromEntries(Object.keys(pairs).map((name) => [name, combining(name)])),
  Sum: combining("Add"),
  Mean: { attributes: [], compute: mean },
  Mod: { ...combining("Mod"), attributes: ["fmod"] },
  Pow: simple(power, [], { settings: [1] }),
  Clip: simple(clip, ["min", "max"], { settings: [1, 2] }),
  Where: { attributes: [], compute: (call) => [call.values.where(operand(call, 0), operand(call, 1), operand(call, 2))] },
  Not: mapping(
    (context, x) => ops.not(context, x),
    (value) => Number(value === 0),
  ),
  Neg: mapping(
    (context, x) => ops.negate(context, x),
    (value) => -value,
  ),
  Abs: mapping((context, x) => ops.abs(context, x), Math.abs),
  Sqrt: mapping((context, x) => ops.sqrt(context, x), Math.sqrt),
  Exp: mapping((context, x) => ops.exp(context, x), Math.exp),
  Log: mapping((context, x) => ops.log(context, x), Math.log),
  Reciprocal: mapping(
    (context, x) => ops.reciprocal(context, x),
    (value) => 1 / value,
  ),
  Sign: mapping((context, x) => ops.sign(context, x), Math.sign),
  Floor: mapping((context, x) => ops.floor(context, x), Math.floor),
  Ceil: mapping((context, x) => ops.ceil(context, x), Math.ceil),
  Round: mapping((context, x) => ops.round(context, x), roundToEven),
  Erf: mapping((context, x) => ops.erf(context, x)),
  Sigmoid: mapping(
    (context, x) => ops.sigmoid(context, x),
    (value) => 1 / (1 + Math.exp(-value)),
  ),
  Tanh: mapping((context, x) => ops.tanh(context, x), Math.tanh),
  Relu: mapping(
    (context, x) => ops.relu(context, x),
    (value) => Math.max(0, value),
  ),
  Softplus: mapping((context, x) => ops.softplus(context, x)),
  Softsign: mapping((context, x) => ops.softsign(context, x)),
  HardSwish: mapping((context, x) => ops.hardSwish(context, x)),
  Mish: mapping((context, x) => ops.multiply(context, x, ops.tanh(context, ops.softplus(context, x)))),
  Gelu: mapping(gelu, undefined, ["approximate"]),
  Elu: mapping((context, x, of) => ops.elu(context, x, { alpha: of.number("alpha", 1) }), undefined, ["alpha"]),
  LeakyRelu: mapping((context, x, of) => ops.leakyRelu(context, x, { alpha: of.number("alpha", 0.01) }), undefined, ["alpha"]),
  Selu: mapping(
    (context, x, of) =>
      ops.selu(context, x, { alpha: of.number("alpha", 1.67326319217681884765625), gamma: of.number("gamma", 1.05070102214813232421875) }),
    undefined,
    ["alpha", "gamma"],
  ),
  HardSigmoid: mapping(
    (context, x, of) => ops.hardSigmoid(context, x, { alpha: of.number("alpha", 0.2), beta: of.number("beta", 0.5) }),
    undefined,
    ["alpha", "beta"],
  ),
  ThresholdedRelu: mapping((context, x, of) => ops.multiply(context, x, ops.greater(context, x, of.number("alpha", 1))), undefined, [
    "alpha",
  ]),
  PRelu: simple(leaky, [], { weights: [1] }),
};
