/** Differentiable operations over axes: one, a list of several, or all of them if none are named. */
import { checkBoolean } from "../../errors.ts";
import { takeOptions } from "../../options.ts";
import { sum as sumOp } from "../../autodiff/elementwise.ts";
import { cumulativeSum as cumulativeSumOp, extreme } from "../../autodiff/reduce.ts";
import type { Variable } from "../../autodiff/tape.ts";
import { unary } from "../../autodiff/unary.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Context } from "../context.ts";
import { multiply } from "./elementwise.ts";
import { axesOf, axisOf, operand } from "./operand.ts";

type Axes = number | readonly number[];

/** Options of operations over axes. */
export interface OverAxes {
  /** True if the result keeps these axes, with size 1 (default false). */
  readonly keepAxes?: boolean;
}

/**
 * Reduces axes, neighbours together and the last ones first.
 * @param one reduces one axis; `count` is the number of elements that all axes have together
 */
function overAxes(
  context: Context,
  where: string,
  x: Variable,
  axes: Axes | undefined,
  given: OverAxes,
  one: (x: Variable, axis: number, count: number) => Variable,
): Variable {
  const { keepAxes = false } = takeOptions(where, given, ["keepAxes"]);
  checkBoolean(where, "keepAxes", keepAxes);
  const from = operand(context, where, "x", x);
  const { shape } = from;
  const taken = axesOf(where, shape, axes);
  const count = sizeOf(taken.map((axis) => shape[axis]));
  let y = from;
  for (let end = taken.length; end > 0;) {
    let start = end - 1;
    while (start > 0 && taken[start - 1] === taken[start] - 1) start--;
    const [first, last] = [taken[start], taken[end - 1]];
    const joined = [...y.shape.slice(0, first), sizeOf(shape.slice(first, last + 1)), ...y.shape.slice(last + 1)];
    y = one(y.reshaped(joined), first, count);
    end = start;
  }
  return keepAxes ? y.reshaped(shape.map((n, axis) => (taken.includes(axis) ? 1 : n))) : y;
}

/** Σ over the axes. */
export const sum = (context: Context, x: Variable, axes?: Axes, options: OverAxes = {}): Variable =>
  overAxes(context, "ops.sum", x, axes, options, (from, axis) => sumOp(context.tape, context.label("sum"), from, axis));

/** The mean over the axes. */
export const mean = (context: Context, x: Variable, axes?: Axes, options: OverAxes = {}): Variable =>
  overAxes(context, "ops.mean", x, axes, options, (from, axis) =>
    sumOp(context.tape, context.label("mean"), from, axis, 1 / from.shape[axis]),
  );

/** The greatest element over the axes. The gradient goes to the first one of equal ones, as in PyTorch's max over an axis. */
export const max = (context: Context, x: Variable, axes?: Axes, options: OverAxes = {}): Variable =>
  overAxes(context, "ops.max", x, axes, options, (from, axis) => extreme(context.tape, context.label("max"), from, axis, 1).y);

/** The least element over the axes, with a gradient as for `max`. */
export const min = (context: Context, x: Variable, axes?: Axes, options: OverAxes = {}): Variable =>
  overAxes(context, "ops.min", x, axes, options, (from, axis) => extreme(context.tape, context.label("min"), from, axis, -1).y);

/** √(Σ x²) over the axes, derivative x divided by that, or 0 where it is 0. */
export function norm(context: Context, x: Variable, axes?: Axes, options: OverAxes = {}): Variable {
  const from = operand(context, "ops.norm", "x", x);
  const squares = multiply(context, from, from);
  const total = overAxes(context, "ops.norm", squares, axes, options, (part, axis) =>
    sumOp(context.tape, context.label("norm.sum"), part, axis),
  );
  return unary(context.tape, context.label("norm"), total, "Root");
}

function place(context: Context, op: string, x: Variable, axis: number, sign: 1 | -1, given: OverAxes): Variable {
  const where = `ops.${op}`;
  const { keepAxes = false } = takeOptions(where, given, ["keepAxes"]);
  checkBoolean(where, "keepAxes", keepAxes);
  const from = operand(context, where, "x", x);
  const at = axisOf(where, from.shape, axis);
  const { places } = extreme(context.tape, context.label(op), from, at, sign);
  return keepAxes ? places.reshaped(from.shape.map((n, i) => (i === at ? 1 : n))) : places;
}

/** The index of the greatest element of `axis`, the first of equal ones, as a number; no gradient. */
export const argMax = (context: Context, x: Variable, axis: number, options: OverAxes = {}): Variable =>
  place(context, "argMax", x, axis, 1, options);

/** The index of the least element of `axis`, the first of equal ones, as a number; no gradient. */
export const argMin = (context: Context, x: Variable, axis: number, options: OverAxes = {}): Variable =>
  place(context, "argMin", x, axis, -1, options);

/**
 * The sum of all elements of `axis` up to each.
 * @param options.reverse true for sums from the end (default false)
 * @param options.exclusive true for sums without the element itself (default false)
 */
export function cumulativeSum(
  context: Context,
  x: Variable,
  axis: number,
  given: { reverse?: boolean; exclusive?: boolean } = {},
): Variable {
  const where = "ops.cumulativeSum";
  const { reverse = false, exclusive = false } = takeOptions(where, given, ["reverse", "exclusive"]);
  checkBoolean(where, "reverse", reverse);
  checkBoolean(where, "exclusive", exclusive);
  const from = operand(context, where, "x", x);
  return cumulativeSumOp(context.tape, context.label("cumulativeSum"), from, axisOf(where, from.shape, axis), reverse, exclusive);
}
