/**
 * Differentiable functions of numbers, element by element. With two operands, axes are aligned at the last one; where one
 * operand lacks an axis or has size 1 there, it is repeated. A number stands for an operand of that value.
 *
 * At a kink a derivative is PyTorch's. Comparisons, logic and rounding give no gradient.
 */
import { checkChoice, checkNumber, RnnError, show } from "../../errors.ts";
import { takeOptions } from "../../options.ts";
import { activation, type ActivationName } from "../../autodiff/activation.ts";
import { broadcastShape, combined, where as whereOp } from "../../autodiff/elementwise.ts";
import type { Variable } from "../../autodiff/tape.ts";
import { unary } from "../../autodiff/unary.ts";
import type { BinaryName } from "../../kernels/binary.ts";
import type { UnaryName } from "../../kernels/unary-names.ts";
import type { Shape } from "../../tensor/shape.ts";
import { checkCall, type Context } from "../context.ts";
import { operand, words } from "./operand.ts";

/** An operand that may be one number. */
function operandOrNumber(context: Context, where: string, name: string, x: unknown): Variable {
  if (typeof x !== "number") return operand(context, where, name, x);
  checkCall(where, context);
  checkNumber(where, name, x);
  const label = context.label(`${where}.${name}`);
  return context.tape.leaf(label, context.tape.recording.buffer(label, [], "constant", "f32", Float64Array.of(x)));
}

/** The shape to which all operands are repeated. */
function commonShape(where: string, names: string, operands: readonly Variable[]): Shape {
  let shape: Shape = [];
  for (const { shape: next } of operands) {
    const both = broadcastShape(shape, next);
    if (!both)
      throw new RnnError(
        "shape",
        where,
        `${names} must have sizes that are equal or 1, axis by axis from the last, got ${operands.map((one) => words(one.shape)).join(" and ")}`,
      );
    shape = both;
  }
  return shape;
}

function combine(context: Context, name: BinaryName, first: Variable | number, second: Variable | number, where = `ops.${name}`): Variable {
  const [a, b] = [operandOrNumber(context, where, "a", first), operandOrNumber(context, where, "b", second)];
  return combined(context.tape, context.label(where.slice(4)), name, a, b, commonShape(where, "a and b", [a, b]));
}

type Operand = Variable | number;

/** a + b. */
export const add = (context: Context, a: Operand, b: Operand): Variable => combine(context, "add", a, b);

/** a - b. */
export const subtract = (context: Context, a: Operand, b: Operand): Variable => combine(context, "subtract", a, b);

/** a⊙b, element by element. */
export const multiply = (context: Context, a: Operand, b: Operand): Variable => combine(context, "multiply", a, b);

/** a / b; ∂/∂b = -a / b². */
export const divide = (context: Context, a: Operand, b: Operand): Variable => combine(context, "divide", a, b);

/** a^b; ∂/∂a = b a^(b-1), ∂/∂b = a^b ln a. Below 0, a has powers only where b is an integer, else the result is NaN. */
export const power = (context: Context, a: Operand, b: Operand): Variable => combine(context, "power", a, b);

/** The greater of a and b. Where they are equal, each gets half of the gradient. */
export const maximum = (context: Context, a: Operand, b: Operand): Variable => combine(context, "maximum", a, b);

/** The lesser of a and b. Where they are equal, each gets half of the gradient. */
export const minimum = (context: Context, a: Operand, b: Operand): Variable => combine(context, "minimum", a, b);

/** 1 where a = b, else 0. */
export const equal = (context: Context, a: Operand, b: Operand): Variable => combine(context, "equal", a, b);

/** 1 where a < b, else 0. */
export const less = (context: Context, a: Operand, b: Operand): Variable => combine(context, "less", a, b);

/** 1 where a ≤ b, else 0. */
export const lessOrEqual = (context: Context, a: Operand, b: Operand): Variable => combine(context, "lessOrEqual", a, b);

/** 1 where a > b, else 0. */
export const greater = (context: Context, a: Operand, b: Operand): Variable => combine(context, "less", b, a, "ops.greater");

/** 1 where a ≥ b, else 0. */
export const greaterOrEqual = (context: Context, a: Operand, b: Operand): Variable =>
  combine(context, "lessOrEqual", b, a, "ops.greaterOrEqual");

/** 1 where neither a nor b is 0, else 0. */
export const and = (context: Context, a: Operand, b: Operand): Variable => combine(context, "and", a, b);

/** 0 where both a and b are 0, else 1. */
export const or = (context: Context, a: Operand, b: Operand): Variable => combine(context, "or", a, b);

/** a where the condition is not 0, else b. The condition gets no gradient, and neither do elements that were not taken. */
export function where(context: Context, condition: Operand, a: Operand, b: Operand): Variable {
  const operands = [
    operandOrNumber(context, "ops.where", "condition", condition),
    operandOrNumber(context, "ops.where", "a", a),
    operandOrNumber(context, "ops.where", "b", b),
  ];
  const [test, one, other] = operands;
  return whereOp(context.tape, context.label("where"), test, one, other, commonShape("ops.where", "condition, a and b", operands));
}

/** Functions with WebAssembly of their own. */
function common(context: Context, name: ActivationName, x: Variable): Variable {
  const from = operand(context, `ops.${name}`, "x", x);
  return activation(context.tape, context.label(name), from, name);
}

/** σ(x) = 1 / (1 + e^-x), derivative σ(1 - σ). */
export const sigmoid = (context: Context, x: Variable): Variable => common(context, "sigmoid", x);

/** tanh(x), derivative 1 - tanh². */
export const tanh = (context: Context, x: Variable): Variable => common(context, "tanh", x);

/** max(0, x), derivative [x > 0]. */
export const relu = (context: Context, x: Variable): Variable => common(context, "relu", x);

function apply(context: Context, op: string, name: UnaryName, x: Variable, alpha = 0, beta = 0): Variable {
  const from = operand(context, `ops.${op}`, "x", x);
  return unary(context.tape, context.label(op), from, name, alpha, beta);
}

/** √x, derivative 1 / (2√x). */
export const sqrt = (context: Context, x: Variable): Variable => apply(context, "sqrt", "Sqrt", x);

/** e^x. */
export const exp = (context: Context, x: Variable): Variable => apply(context, "exp", "Exp", x);

/** ln x, derivative 1/x. */
export const log = (context: Context, x: Variable): Variable => apply(context, "log", "Log", x);

/** |x|, derivative the sign of x. */
export const abs = (context: Context, x: Variable): Variable => apply(context, "abs", "Abs", x);

/** -x. */
export const negate = (context: Context, x: Variable): Variable => apply(context, "negate", "Affine", x, -1, 0);

/** 1/x, derivative -1/x². */
export const reciprocal = (context: Context, x: Variable): Variable => apply(context, "reciprocal", "Reciprocal", x);

/** The error function 2/√π ∫_0^x e^{-t²} dt. */
export const erf = (context: Context, x: Variable): Variable => apply(context, "erf", "Erf", x);

/** -1, 0 or 1. */
export const sign = (context: Context, x: Variable): Variable => apply(context, "sign", "Sign", x);

/** The greatest integer up to x. */
export const floor = (context: Context, x: Variable): Variable => apply(context, "floor", "Floor", x);

/** The least integer from x on. */
export const ceil = (context: Context, x: Variable): Variable => apply(context, "ceil", "Ceil", x);

/** The nearest integer; halves become the even one. */
export const round = (context: Context, x: Variable): Variable => apply(context, "round", "Round", x);

/** 1 where x is 0, else 0. */
export const not = (context: Context, x: Variable): Variable => apply(context, "not", "Not", x);

/**
 * x, but at least `minimum` and at most `maximum`, derivative 1 within the limits and on them, else 0.
 * @param options.minimum default -∞
 * @param options.maximum default ∞
 */
export function clip(context: Context, x: Variable, given: { minimum?: number; maximum?: number } = {}): Variable {
  const { minimum = -Infinity, maximum = Infinity } = takeOptions("ops.clip", given, ["minimum", "maximum"]);
  for (const [name, limit] of Object.entries({ minimum, maximum }))
    if (typeof limit !== "number" || Number.isNaN(limit))
      throw new RnnError("option", "ops.clip", `${name} must be a number, got ${show(limit)}`);
  if (minimum > maximum)
    throw new RnnError("option", "ops.clip", `minimum must be at most maximum, got ${show(minimum)} and ${show(maximum)}`);
  return apply(context, "clip", "Clip", x, minimum, maximum);
}

/**
 * x Φ(x), with Φ the distribution function of N(0, 1) (Hendrycks and Gimpel 2016).
 * @param options.approximate "none" (default), or "tanh" for Φ(x) ≈ ½ (1 + tanh(√(2/π) (x + 0.044715 x³)))
 */
export function gelu(context: Context, x: Variable, given: { approximate?: "none" | "tanh" } = {}): Variable {
  const { approximate = "none" } = takeOptions("ops.gelu", given, ["approximate"]);
  checkChoice("ops.gelu", "approximate", approximate, ["none", "tanh"]);
  return apply(context, "gelu", approximate === "tanh" ? "GeluTanh" : "Gelu", x);
}

/** x σ(x), also known as swish. */
export const silu = (context: Context, x: Variable): Variable => apply(context, "silu", "Silu", x);

/** ln(1 + e^x), derivative σ(x). */
export const softplus = (context: Context, x: Variable): Variable => apply(context, "softplus", "Softplus", x);

/** x / (1 + |x|). */
export const softsign = (context: Context, x: Variable): Variable => apply(context, "softsign", "Softsign", x);

/** The option alpha of functions whose derivative follows from their value, which a negative alpha would not allow. */
function takeAlpha(where: string, given: { alpha?: number }, usual: number): number {
  const { alpha = usual } = takeOptions(where, given, ["alpha"]);
  return checkNumber(where, "alpha", alpha, { least: 0 });
}

/** x, or α(e^x - 1) below 0; α is 1 by default. */
export const elu = (context: Context, x: Variable, options: { alpha?: number } = {}): Variable =>
  apply(context, "elu", "Elu", x, takeAlpha("ops.elu", options, 1));

/** x, or αx below 0; α is 0.01 by default. */
export const leakyRelu = (context: Context, x: Variable, options: { alpha?: number } = {}): Variable =>
  apply(context, "leakyRelu", "LeakyRelu", x, takeAlpha("ops.leakyRelu", options, 0.01));

/** γ times x, or α(e^x - 1) below 0; by default with the values of Klambauer et al. (2017), 1.6733 and 1.0507. */
export function selu(context: Context, x: Variable, given: { alpha?: number; gamma?: number } = {}): Variable {
  const { alpha = 1.6732632423543772, gamma = 1.0507009873554805 } = takeOptions("ops.selu", given, ["alpha", "gamma"]);
  checkNumber("ops.selu", "alpha", alpha);
  checkNumber("ops.selu", "gamma", gamma);
  return apply(context, "selu", "Selu", x, alpha, gamma);
}

/** αx + β, but at least 0 and at most 1. By default α is 1/6 and β is ½, as in PyTorch and Keras 3; ONNX has 0.2 and ½. */
export function hardSigmoid(context: Context, x: Variable, given: { alpha?: number; beta?: number } = {}): Variable {
  const { alpha = 1 / 6, beta = 0.5 } = takeOptions("ops.hardSigmoid", given, ["alpha", "beta"]);
  checkNumber("ops.hardSigmoid", "alpha", alpha);
  checkNumber("ops.hardSigmoid", "beta", beta);
  return apply(context, "hardSigmoid", "HardSigmoid", x, alpha, beta);
}

/** x times x/6 + ½, that cut off at 0 and 1. */
export const hardSwish = (context: Context, x: Variable): Variable => apply(context, "hardSwish", "HardSwish", x);
