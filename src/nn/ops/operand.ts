/** Checks of what operations get. */
import { RnnError, show } from "../../errors.ts";
import { isA, takeItems } from "../../options.ts";
import { alignment } from "../../kernels/kernel.ts";
import { slice } from "../../autodiff/parts.ts";
import { Variable } from "../../autodiff/tape.ts";
import type { Shape } from "../../tensor/shape.ts";
import { checkCall, makesVariable, type Context } from "../context.ts";

export const words = (shape: Shape): string => `[${shape.join(", ")}]`;

/** Checks that `x` is a variable of numbers. If no kernel can bind it where it is (a final state), it is copied. */
export function operand(context: Context, where: string, name: string, x: unknown): Variable {
  checkCall(where, context);
  if (!isA(x, Variable)) throw new RnnError("option", where, `${name} must be a Variable, got ${show(x)}; ${makesVariable(x)}`);
  if (x.view.buffer.type !== "f32")
    throw new RnnError("data", where, `${name} must be numbers, got ids (${x.label}); ops.embedding makes numbers of them`);
  return x.view.offset % alignment === 0 || x.shape.length === 0
    ? x
    : slice(context.tape, context.label(`${where}.aligned`), x, 0, 0, x.shape[0]);
}

/** The same for an operand that may be left out. Anything but undefined is a mistake. */
export const optionalOperand = (context: Context, where: string, name: string, x: unknown): Variable | undefined =>
  x === undefined ? undefined : operand(context, where, name, x);

export function axisOf(where: string, shape: Shape, axis: number): number {
  if (!Number.isInteger(axis) || axis < -shape.length || axis >= shape.length)
    throw new RnnError(
      "shape",
      where,
      `axis must be an integer from ${-shape.length} to ${shape.length - 1} for ${words(shape)}, got ${show(axis)}`,
    );
  return axis < 0 ? axis + shape.length : axis;
}

/** One axis or several, each once, in ascending order; all of them if none are given. */
export function axesOf(where: string, shape: Shape, axes: number | readonly number[] | undefined): number[] {
  if (axes === undefined) return [...shape.keys()];
  const list =
    typeof axes === "number"
      ? [axisOf(where, shape, axes)]
      : takeItems("option", where, "axes", "an axis or a list of axes", axes, (axis) => axisOf(where, shape, axis as number));
  const once = [...new Set(list)].sort((a, b) => a - b);
  if (once.length < list.length) throw new RnnError("shape", where, `axes must name each axis once, got ${show(axes)}`);
  return once;
}
