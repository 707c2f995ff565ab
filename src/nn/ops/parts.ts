/** Differentiable operations that take parts of a tensor, join them, or put them in another order. */
import { checkChoice, checkInteger, checkNumber, checkSize, RnnError, show } from "../../errors.ts";
import { isA, takeItems, takeOptions } from "../../options.ts";
import { combined } from "../../autodiff/elementwise.ts";
import { embedding } from "../../autodiff/embedding.ts";
import { concat as concatOp, slice as sliceOp } from "../../autodiff/parts.ts";
import { pick } from "../../autodiff/pick.ts";
import { Variable } from "../../autodiff/tape.ts";
import { turn } from "../../autodiff/turn.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import { takeShape } from "../../tensor/take.ts";
import type { Context } from "../context.ts";
import { axisOf, axesOf, operand, words } from "./operand.ts";

/** Joins variables along `axis`, the only one in which their sizes may differ. */
export function concat(context: Context, parts: readonly Variable[], axis: number): Variable {
  const where = "ops.concat";
  const operands = takeItems("option", where, "parts", "a list of Variables", parts, (part, i) =>
    operand(context, where, `part ${i}`, part),
  );
  if (operands.length === 0) throw new RnnError("option", where, "parts must be a list of at least one Variable, got []");
  const [{ shape }] = operands;
  const at = axisOf(where, shape, axis);
  const other = operands.find((part) => part.shape.length !== shape.length || part.shape.some((n, i) => i !== at && n !== shape[i]));
  if (other) throw new RnnError("shape", where, `parts must be equal in all axes but ${at}, got ${words(shape)} and ${words(other.shape)}`);
  return concatOp(context.tape, context.label("concat"), operands, at);
}

/**
 * Indices start, start + step, … of `axis`, those before `end`.
 * @param options.step at least 1, the default; `flip` reverses
 */
export function slice(context: Context, x: Variable, axis: number, start: number, end: number, given: { step?: number } = {}): Variable {
  const where = "ops.slice";
  const { step = 1 } = takeOptions(where, given, ["step"]);
  const from = operand(context, where, "x", x);
  const at = axisOf(where, from.shape, axis);
  checkInteger(where, "start", start, 0);
  checkInteger(where, "end", end, start + 1);
  checkInteger(where, "step", step, 1);
  if (end > from.shape[at])
    throw new RnnError("shape", where, `end must be at most ${from.shape[at]}, the size of axis ${at} of ${words(from.shape)}, got ${end}`);
  if (step === 1) return sliceOp(context.tape, context.label("slice"), from, at, start, end);
  const ids = Array.from({ length: Math.ceil((end - start) / step) }, (_, i) => start + i * step);
  return pick(context.tape, context.label("slice"), from, at, ids);
}

/** Puts axis `axes[i]` at place i. */
export function permute(context: Context, x: Variable, axes: readonly number[]): Variable {
  const where = "ops.permute";
  const from = operand(context, where, "x", x);
  const taken = takeShape(where, "axes", axes);
  const complete = taken.length === from.shape.length && from.shape.every((_, axis) => taken.includes(axis));
  if (!complete) throw new RnnError("shape", where, `axes must name each axis of ${words(from.shape)} once, got ${show(taken)}`);
  return turn(context.tape, context.label("permute"), from, taken);
}

/** x in another shape of the same size; nothing is copied. */
export function reshape(context: Context, x: Variable, shape: Shape): Variable {
  const from = operand(context, "ops.reshape", "x", x);
  const taken = takeShape("ops.reshape", "the result", shape);
  if (!taken.every((size) => Number.isSafeInteger(size) && size >= 0) || sizeOf(taken) !== sizeOf(from.shape))
    throw new RnnError(
      "shape",
      "ops.reshape",
      `shape must have ${sizeOf(from.shape)} elements like ${words(from.shape)}, got ${show(taken)}`,
    );
  return from.reshaped(taken);
}

/** The elements of `axis` in reverse order. */
export function flip(context: Context, x: Variable, axis: number): Variable {
  const from = operand(context, "ops.flip", "x", x);
  const at = axisOf("ops.flip", from.shape, axis);
  const ids = Array.from({ length: from.shape[at] }, (_, i) => from.shape[at] - 1 - i);
  return pick(context.tape, context.label("flip"), from, at, ids);
}

/**
 * Elements of `axis` by ids. A list of n numbers, which count from the end if negative, gives n elements, the same in every
 * run. A Variable of ids gives axes of its shape instead of `axis`; its ids must be below the axis' size.
 */
export function gather(context: Context, x: Variable, axis: number, ids: readonly number[] | Variable): Variable {
  const where = "ops.gather";
  const from = operand(context, where, "x", x);
  const at = axisOf(where, from.shape, axis);
  const size = from.shape[at];
  if (isA(ids, Variable)) return gatherByVariable(context, from, at, ids);
  const taken = takeItems("option", where, "ids", "a list of integers or a Variable of ids", ids, (id) => {
    checkInteger(where, "an id", id, -size, size - 1);
    return (id as number) < 0 ? (id as number) + size : (id as number);
  });
  if (taken.length === 0) throw new RnnError("option", where, "ids must be a list of at least one integer, got []");
  return pick(context.tape, context.label("gather"), from, at, taken);
}

/** The rows of a table, for an axis at any place. */
function gatherByVariable(context: Context, x: Variable, axis: number, ids: Variable): Variable {
  const { tape } = context;
  if (ids.view.buffer.type !== "u32")
    throw new RnnError("data", "ops.gather", `ids must be a Variable of ids or a list of integers, got numbers (${ids.label})`);
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const others = [...x.shape.keys()].filter((i) => i !== axis);
  const table = turn(tape, context.label("gather.table"), x, [axis, ...others]);
  const rows = embedding(tape, context.label("gather"), ids, table.reshaped([x.shape[axis], sizeOf(before) * sizeOf(after)]));
  const rank = ids.shape.length;
  const places = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
  return turn(tape, context.label("gather.rows"), rows.reshaped([...ids.shape, ...before, ...after]), [
    ...places(rank, before.length),
    ...places(0, rank),
    ...places(rank + before.length, after.length),
  ]);
}

/**
 * x with more elements before and behind along `axis`.
 * @param amounts how many before, and how many behind
 * @param options.mode "constant" (default), "edge" for the first and the last element, "reflect" for the elements beside
 * these in reverse order
 * @param options.value with "constant" (default 0)
 * @throws RnnError `shape` if "reflect" has too few elements
 */
export function pad(
  context: Context,
  x: Variable,
  axis: number,
  amounts: readonly [number, number],
  given: { mode?: "constant" | "edge" | "reflect"; value?: number } = {},
): Variable {
  const where = "ops.pad";
  const { mode = "constant", value = 0 } = takeOptions(where, given, ["mode", "value"]);
  checkChoice(where, "mode", mode, ["constant", "edge", "reflect"]);
  checkNumber(where, "value", value);
  const from = operand(context, where, "x", x);
  const at = axisOf(where, from.shape, axis);
  const [before, behind, ...more] = takeItems("option", where, "amounts", "a list of two sizes", amounts, (n) =>
    checkSize(where, "an amount", n, 0),
  );
  if (behind === undefined || more.length > 0)
    throw new RnnError("option", where, `amounts must be [before, behind], got ${show(amounts)}`);
  const last = from.shape[at] - 1;
  if (mode === "reflect" && Math.max(before, behind) > last)
    throw new RnnError(
      "shape",
      where,
      `amounts must be at most ${last} to reflect axis ${at} of ${words(from.shape)}, got ${show(amounts)}`,
    );
  const inside = { constant: () => -1, edge: (i: number) => (i < 0 ? 0 : last), reflect: (i: number) => (i < 0 ? -i : 2 * last - i) }[mode];
  const ids = Array.from({ length: before + last + 1 + behind }, (_, i) => i - before).map((i) => (i < 0 || i > last ? inside(i) : i));
  return pick(context.tape, context.label("pad"), from, at, ids, value);
}

/**
 * Parts of x along `axis`, one behind the other.
 * @param parts the size of each part, or the number of equal parts
 */
export function split(context: Context, x: Variable, axis: number, parts: number | readonly number[]): Variable[] {
  const where = "ops.split";
  const from = operand(context, where, "x", x);
  const at = axisOf(where, from.shape, axis);
  const total = from.shape[at];
  const sizes =
    typeof parts === "number"
      ? Array.from({ length: checkInteger(where, "parts", parts, 1, total) }, () => total / parts)
      : takeItems("option", where, "parts", "a number or a list of sizes", parts, (size) => checkInteger(where, "a size", size, 1, total));
  if (!sizes.every(Number.isInteger) || sizes.reduce((sum, size) => sum + size, 0) !== total)
    throw new RnnError("shape", where, `parts must make up the ${total} of axis ${at} of ${words(from.shape)}, got ${show(parts)}`);
  let start = 0;
  return sizes.map((size, i) => {
    start += size;
    return size === total ? from : sliceOp(context.tape, context.label(`split.${i}`), from, at, start - size, start);
  });
}

/** Joins variables of one shape along a new axis at place `axis`. */
export function stack(context: Context, parts: readonly Variable[], axis: number): Variable {
  const where = "ops.stack";
  const operands = takeItems("option", where, "parts", "a list of Variables", parts, (part, i) =>
    operand(context, where, `part ${i}`, part),
  );
  if (operands.length === 0) throw new RnnError("option", where, "parts must be a list of at least one Variable, got []");
  const [{ shape }] = operands;
  const other = operands.find((part) => words(part.shape) !== words(shape));
  if (other) throw new RnnError("shape", where, `parts must have one shape, got ${words(shape)} and ${words(other.shape)}`);
  const at = axisOf(where, [...shape, 1], axis);
  const wide = [...shape.slice(0, at), 1, ...shape.slice(at)];
  return concatOp(
    context.tape,
    context.label("stack"),
    operands.map((part) => part.reshaped(wide)),
    at,
  );
}

/** x repeated `repeats[i]` times along axis i. */
export function tile(context: Context, x: Variable, repeats: readonly number[]): Variable {
  const where = "ops.tile";
  let y = operand(context, where, "x", x);
  const taken = takeItems("option", where, "repeats", "a list of numbers", repeats, (n) => checkSize(where, "a repeat", n, 1));
  if (taken.length !== y.shape.length)
    throw new RnnError("shape", where, `repeats must have a number for each axis of ${words(y.shape)}, got ${show(repeats)}`);
  taken.forEach((times, axis) => {
    const size = y.shape[axis];
    if (times === 1) return;
    checkSize(where, "the size of the result", sizeOf(y.shape) * times, 1);
    y = pick(
      context.tape,
      context.label("tile"),
      y,
      axis,
      Array.from({ length: size * times }, (_, i) => i % size),
    );
  });
  return y;
}

/** x repeated to `shape` along axes that it lacks or that have size 1, aligned at the last axis. */
export function expand(context: Context, x: Variable, shape: Shape): Variable {
  const where = "ops.expand";
  const from = operand(context, where, "x", x);
  const to = takeShape(where, "the result", shape).map((size) => checkSize(where, "a size", size, 1));
  checkSize(where, "the size of the result", sizeOf(to), 1);
  const missing = to.length - from.shape.length;
  if (missing < 0 || from.shape.some((n, i) => n !== 1 && n !== to[missing + i]))
    throw new RnnError("shape", where, `shape must have the sizes of ${words(from.shape)} where those are not 1, got ${words(to)}`);
  const { tape } = context;
  const zero = tape.leaf("zero", tape.recording.buffer(context.label("expand.zero"), [], "constant"));
  return combined(tape, context.label("expand"), "add", from, zero, to);
}

/** x with the axes from `first` up to `last`, by default from the second to the last one, joined into one. */
export function flatten(context: Context, x: Variable, first = 1, last = -1): Variable {
  const from = operand(context, "ops.flatten", "x", x);
  const [start, end] = [axisOf("ops.flatten", from.shape, first), axisOf("ops.flatten", from.shape, last)];
  if (end < start) throw new RnnError("option", "ops.flatten", `first must come before last, got ${first} and ${last}`);
  const { shape } = from;
  return from.reshaped([...shape.slice(0, start), sizeOf(shape.slice(start, end + 1)), ...shape.slice(end + 1)]);
}

/** x without axes of size 1, by default without all of them. */
export function squeeze(context: Context, x: Variable, axes?: number | readonly number[]): Variable {
  const from = operand(context, "ops.squeeze", "x", x);
  const { shape } = from;
  const gone = axes === undefined ? [...shape.keys()].filter((axis) => shape[axis] === 1) : axesOf("ops.squeeze", shape, axes);
  const wide = gone.find((axis) => shape[axis] !== 1);
  if (wide !== undefined) throw new RnnError("shape", "ops.squeeze", `axis ${wide} of ${words(shape)} must have size 1`);
  return from.reshaped(shape.filter((_, axis) => !gone.includes(axis)));
}

/** x with a new axis of size 1 at place `axis`. */
export function unsqueeze(context: Context, x: Variable, axis: number): Variable {
  const from = operand(context, "ops.unsqueeze", "x", x);
  const at = axisOf("ops.unsqueeze", [...from.shape, 1], axis);
  return from.reshaped([...from.shape.slice(0, at), 1, ...from.shape.slice(at)]);
}
