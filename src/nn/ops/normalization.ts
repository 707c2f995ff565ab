/** Differentiable normalization: numbers with mean 0 and variance 1, then a gain and a bias that are learnt. */
import { checkNumber, checkSize, RnnError } from "../../errors.ts";
import { takeItems, takeOptions } from "../../options.ts";
import { normalize } from "../../autodiff/reduce.ts";
import type { Variable } from "../../autodiff/tape.ts";
import { turn } from "../../autodiff/turn.ts";
import { sameShape, sizeOf, type Shape } from "../../tensor/shape.ts";
import type { View } from "../../recording/recording.ts";
import type { Context } from "../context.ts";
import { add, divide, multiply, sqrt, subtract } from "./elementwise.ts";
import { operand, optionalOperand, words } from "./operand.ts";

/** Options of normalizations. */
export interface NormalizationOptions {
  /** What is added to the variance (default 1e-5). */
  readonly eps?: number;
}

export function takeEps(where: string, given: NormalizationOptions): number {
  const { eps = 1e-5 } = takeOptions(where, given, ["eps"]);
  return checkNumber(where, "eps", eps, { least: 0, open: true });
}

/** The sizes of the last axes, over which a layer normalization goes. */
export function takeSizes(where: string, shape: unknown): number[] {
  const sizes = takeItems("option", where, "shape", "a list of sizes", shape, (size) => checkSize(where, "a size", size, 1));
  if (sizes.length === 0) throw new RnnError("option", where, "shape must have at least one size, got []");
  return sizes;
}

/** y⊙weight + bias, each if it is there. */
function scaled(context: Context, y: Variable, weight: Variable | undefined, bias: Variable | undefined): Variable {
  const product = weight ? multiply(context, y, weight) : y;
  return bias ? add(context, product, bias) : product;
}

/**
 * y = (x - mean) / √(variance + eps)⊙weight + bias, with the statistics over the last axes (Ba et al. 2016).
 * @param shape of these axes
 * @param weight of that shape, or undefined for ones
 * @param bias of that shape, or undefined for zeros
 */
export function layerNorm(
  context: Context,
  x: Variable,
  shape: Shape,
  weight?: Variable,
  bias?: Variable,
  options: NormalizationOptions = {},
): Variable {
  const where = "ops.layerNorm";
  const eps = takeEps(where, options);
  const from = operand(context, where, "x", x);
  const sizes = takeSizes(where, shape);
  if (!sameShape(from.shape.slice(-sizes.length), sizes))
    throw new RnnError("shape", where, `x must end in the axes ${words(sizes)}, got ${words(from.shape)}`);
  const [gain, shift] = Object.entries({ weight, bias }).map(([name, given]) => {
    const one = optionalOperand(context, where, name, given);
    if (one && !sameShape(one.shape, sizes)) throw new RnnError("shape", where, `${name} must be ${words(sizes)}, got ${words(one.shape)}`);
    return one;
  });
  return scaled(context, normalize(context.tape, context.label("layerNorm"), from, sizeOf(sizes), eps).y, gain, shift);
}

/** x [N, C, …], and its weight and bias with axes of size 1 behind their channels. */
function channels(context: Context, where: string, x: Variable, vectors: Readonly<Record<string, Variable | undefined>>) {
  const from = operand(context, where, "x", x);
  if (from.shape.length < 2) throw new RnnError("shape", where, `x must be [batch, channels, …], got ${words(from.shape)}`);
  const C = from.shape[1];
  const wide = [C, ...from.shape.slice(2).map(() => 1)];
  const each = Object.entries(vectors).map(([name, given]) => {
    const vector = optionalOperand(context, where, name, given);
    if (vector && !sameShape(vector.shape, [C]))
      throw new RnnError(
        "shape",
        where,
        `${name} must be [${C}], a number for each channel of ${words(from.shape)}, got ${words(vector.shape)}`,
      );
    return vector?.reshaped(wide);
  });
  return { from, C, each };
}

/**
 * y = (x - mean) / √(variance + eps)⊙weight + bias with the statistics of each channel of each row.
 * @param x [N, C, …]
 * @param weight [C], or undefined for ones
 * @param bias [C], or undefined for zeros
 */
export function instanceNorm(
  context: Context,
  x: Variable,
  weight?: Variable,
  bias?: Variable,
  options: NormalizationOptions = {},
): Variable {
  const where = "ops.instanceNorm";
  const eps = takeEps(where, options);
  const { from, each } = channels(context, where, x, { weight, bias });
  const { y } = normalize(context.tape, context.label("instanceNorm"), from, sizeOf(from.shape.slice(2)), eps);
  return scaled(context, y, each[0], each[1]);
}

/**
 * y = (x - mean) / √(variance + eps)⊙weight + bias with the statistics of each channel that are given (Ioffe and Szegedy
 * 2015). `BatchNorm1d` also has training, with the statistics of a batch.
 * @param x [N, C, …]
 * @param statistics mean and variance of each channel, both [C]
 * @param weight [C], or undefined for ones
 * @param bias [C], or undefined for zeros
 */
export function batchNorm(
  context: Context,
  x: Variable,
  statistics: { readonly mean: Variable; readonly variance: Variable },
  weight?: Variable,
  bias?: Variable,
  options: NormalizationOptions = {},
): Variable {
  const where = "ops.batchNorm";
  const eps = takeEps(where, options);
  const { mean, variance } = takeOptions(where, statistics, ["mean", "variance"], { needed: true });
  const { from, each } = channels(context, where, x, {
    mean: operand(context, where, "mean", mean),
    variance: operand(context, where, "variance", variance),
    weight,
    bias,
  });
  const [m, v, gain, shift] = each;
  // What belongs to a channel is computed for the channels, not for each element.
  const deviation = sqrt(context, add(context, v!, eps));
  const factor = divide(context, gain ?? 1, deviation);
  const rest = multiply(context, m!, factor);
  return add(context, multiply(context, from, factor), shift ? subtract(context, shift, rest) : multiply(context, rest, -1));
}

/**
 * The same with the statistics of the batch, which it gives too.
 * @returns y, and the mean and variance of each channel, [C]
 */
export function normalizeBatch(
  context: Context,
  x: Variable,
  weight: Variable | undefined,
  bias: Variable | undefined,
  eps: number,
): { y: Variable; means: View; variances: View } {
  const { from, C, each } = channels(context, "BatchNorm1d", x, { weight, bias });
  const order = [1, 0, ...from.shape.slice(2).map((_, i) => i + 2)];
  const rows = turn(context.tape, context.label("rows"), from, order);
  const { y, means, variances } = normalize(context.tape, context.label("normalized"), rows, sizeOf(from.shape) / C, eps);
  return { y: scaled(context, turn(context.tape, context.label("turned"), y, order), each[0], each[1]), means, variances };
}
