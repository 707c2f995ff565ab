/** Differentiable operations on whole tensors: products, parts, orders, sums, softmax. */
import { checkBoolean, checkInteger, checkNumber, checkSize, RnnError, show } from "../../errors.ts";
import { isA, takeItems, takeOptions } from "../../options.ts";
import { softmax as softmaxOp } from "../../autodiff/activation.ts";
import { broadcastShape, mostProducts, sum as sumOp } from "../../autodiff/elementwise.ts";
import { embedding as embeddingOp } from "../../autodiff/embedding.ts";
import { concat as concatOp, maskSteps, permute as permuteOp, slice as sliceOp } from "../../autodiff/layout.ts";
import { linear as linearOp } from "../../autodiff/linear.ts";
import { product } from "../../autodiff/product.ts";
import { Variable } from "../../autodiff/tape.ts";
import { sameShape, sizeOf, type Shape } from "../../tensor/shape.ts";
import { takeForFile, takeShape, type TensorLike } from "../../tensor/take.ts";
import { checkCall, type Context } from "../context.ts";
import { Dropout } from "../dropout.ts";
import { add, multiply } from "./elementwise.ts";
import { axisOf, operand, words } from "./operand.ts";

/** A value that is the same in every run; no gradient goes to it. */
export function constant(context: Context, value: TensorLike): Variable {
  checkCall("ops.constant", context);
  const { shape, data } = takeForFile("ops.constant", "value", value);
  const type = data instanceof Uint32Array || data instanceof Int32Array ? "u32" : "f32";
  const view = context.tape.recording.buffer(context.label("constant"), shape, "constant", type, data);
  return context.tape.leaf(context.label("constant"), view);
}

/** factor·x. */
export function scale(context: Context, x: Variable, factor: number): Variable {
  checkNumber("ops.scale", "factor", factor);
  return multiply(context, x, constant(context, { shape: [1], data: Float64Array.of(factor) }));
}

/**
 * A·B over the last two axes: [..., M, K]·[..., K, N] gives [..., M, N]. The axes before are equal, or b is one matrix
 * for all of a. `transposeA` and `transposeB` say that an operand lies as [..., K, M] or [..., N, K].
 */
export function matmul(
  context: Context,
  first: Variable,
  second: Variable,
  given: { transposeA?: boolean; transposeB?: boolean } = {},
): Variable {
  const { transposeA = false, transposeB = false } = takeOptions("ops.matmul", given, ["transposeA", "transposeB"]);
  checkBoolean("ops.matmul", "transposeA", transposeA);
  checkBoolean("ops.matmul", "transposeB", transposeB);
  const where = "ops.matmul";
  const [a, b] = [operand(context, where, "a", first), operand(context, where, "b", second)];
  const refuse = (what: string): RnnError =>
    new RnnError(
      "shape",
      where,
      `${what}, got ${words(a.shape)}${transposeA ? " transposed" : ""} and ${words(b.shape)}${transposeB ? " transposed" : ""}`,
    );
  if (a.shape.length < 2 || b.shape.length < 2) throw refuse("a and b must have at least two axes");
  const [M, K] = matrixOf(a.shape, transposeA);
  const [rows, N] = matrixOf(b.shape, transposeB);
  if (K !== rows) throw refuse("a must have as many columns as b has rows");
  const before = a.shape.slice(0, -2);
  // One matrix for the whole batch: the batch is more rows of the same product.
  const joined = b.shape.length === 2 && !transposeA;
  if (!joined && !sameShape(before, b.shape.slice(0, -2)))
    throw refuse("a and b must have the same axes before the last two (b may have none if a is not transposed)");
  const batch = joined ? 1 : sizeOf(before);
  if (batch > mostProducts) throw new RnnError("limit", where, `takes at most ${mostProducts} products at once, got ${batch}`);
  return product(
    context.tape,
    context.label("matmul"),
    a,
    b,
    { batch, M: joined ? sizeOf(before) * M : M, N, K },
    { transposeA, transposeB },
    [...before, M, N],
  );
}

function matrixOf(shape: Shape, transposed: boolean): [number, number] {
  const [last, before] = [shape[shape.length - 1], shape[shape.length - 2]];
  return transposed ? [last, before] : [before, last];
}

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

/** Indices [start, end) of `axis`. */
export function slice(context: Context, x: Variable, axis: number, start: number, end: number): Variable {
  const where = "ops.slice";
  const from = operand(context, where, "x", x);
  const at = axisOf(where, from.shape, axis);
  checkInteger(where, "start", start, 0);
  checkInteger(where, "end", end, start + 1);
  if (end > from.shape[at])
    throw new RnnError("shape", where, `end must be at most ${from.shape[at]}, the size of axis ${at} of ${words(from.shape)}, got ${end}`);
  return sliceOp(context.tape, context.label("slice"), from, at, start, end);
}

/** Puts axis `axes[i]` at place i. */
export function permute(context: Context, x: Variable, axes: readonly number[]): Variable {
  const where = "ops.permute";
  const from = operand(context, where, "x", x);
  const taken = takeShape(where, "axes", axes);
  const complete = taken.length === from.shape.length && from.shape.every((_, axis) => taken.includes(axis));
  if (!complete) throw new RnnError("shape", where, `axes must name each axis of ${words(from.shape)} once, got ${show(taken)}`);
  return permuteOp(context.tape, context.label("permute"), from, taken);
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

/**
 * y_i = e^{x_i} / Σ_j e^{x_j} over the last axis; ∂y_i/∂x_j = y_i ([i = j] - y_j).
 * @param options.mask 1 for elements that take part, 0 for the others, repeated as in `add`; a row of zeros gives zeros
 */
export function softmax(context: Context, x: Variable, given: { mask?: Variable } = {}): Variable {
  const { mask } = takeOptions("ops.softmax", given, ["mask"]);
  const from = operand(context, "ops.softmax", "x", x);
  if (from.shape.length === 0) throw new RnnError("shape", "ops.softmax", "x must have at least one axis, got []");
  if (!mask) return softmaxOp(context.tape, context.label("softmax"), from);
  const fits = broadcastShape(from.shape, operand(context, "ops.softmax", "mask", mask).shape);
  if (!fits || !sameShape(fits, from.shape))
    throw new RnnError(
      "shape",
      "ops.softmax",
      `mask must have sizes that are those of x or 1, axis by axis from the last, got ${words(mask.shape)} for ${words(from.shape)}`,
    );
  // -1e30 is below any score. The product then makes masked elements exactly 0, also in rows that are masked
  // completely.
  const penalty = scale(context, add(context, mask, constant(context, { shape: [1], data: Float64Array.of(-1) })), 1e30);
  const shares = softmaxOp(context.tape, context.label("softmax"), add(context, from, penalty));
  return multiply(context, shares, mask);
}

/** [B, steps]: 1 for time steps within a row's length, 0 past its end; undefined if all rows are complete. */
export function lengthMask(context: Context, steps: number): Variable | undefined {
  checkCall("ops.lengthMask", context);
  checkSize("ops.lengthMask", "steps", steps, 1);
  const { lengths, tape } = context;
  if (!lengths) return undefined;
  const [B] = lengths.shape;
  const ones = constant(context, { shape: [steps, B, 1], data: new Float32Array(steps * B).fill(1) });
  return permuteOp(tape, context.label("mask"), maskSteps(tape, context.label("mask.steps"), ones, lengths).reshaped([steps, B]), [1, 0]);
}

function reduce(context: Context, name: "sum" | "mean", x: Variable, axis: number): Variable {
  const from = operand(context, `ops.${name}`, "x", x);
  const at = axisOf(`ops.${name}`, from.shape, axis);
  return sumOp(context.tape, context.label(name), from, at, name === "sum" ? 1 : 1 / from.shape[at]);
}

/** Σ over `axis`; the result does not have this axis. */
export const sum = (context: Context, x: Variable, axis: number): Variable => reduce(context, "sum", x, axis);

/** The mean over `axis`; the result does not have this axis. */
export const mean = (context: Context, x: Variable, axis: number): Variable => reduce(context, "mean", x, axis);

/** x⊙mask / (1 - p) in training, with a mask that is 0 with probability p; else x. See `Dropout`. */
export const dropout = (context: Context, x: Variable, p: number): Variable =>
  new Dropout(p).forward(context, operand(context, "ops.dropout", "x", x));

/** x·Wᵀ + b: x [..., I], weight [O, I], bias [O] if there is one. */
export function linear(context: Context, x: Variable, weight: Variable, bias?: Variable): Variable {
  const where = "ops.linear";
  const [from, W, b] = [
    operand(context, where, "x", x),
    operand(context, where, "weight", weight),
    bias && operand(context, where, "bias", bias),
  ];
  const [O, I] = W.shape;
  if (W.shape.length !== 2) throw new RnnError("shape", where, `weight must be [outFeatures, inFeatures], got ${words(W.shape)}`);
  if (from.shape.at(-1) !== I) throw new RnnError("shape", where, `x must have ${I} features in its last axis, got ${words(from.shape)}`);
  if (b && !sameShape(b.shape, [O])) throw new RnnError("shape", where, `bias must be [${O}], got ${words(b.shape)}`);
  return linearOp(context.tape, context.label("linear"), from, W, b);
}

/** Row `ids_n` of `weight` [V, E] for each id: ids [...] gives [..., E]. Ids must be below V. */
export function embedding(context: Context, ids: Variable, weight: Variable): Variable {
  const where = "ops.embedding";
  const table = operand(context, where, "weight", weight);
  if (!isA(ids, Variable) || ids.view.buffer.type !== "u32")
    throw new RnnError("data", where, `ids must be a Variable of ids, got ${isA(ids, Variable) ? `numbers (${ids.label})` : show(ids)}`);
  if (table.shape.length !== 2) throw new RnnError("shape", where, `weight must be [ids, features], got ${words(table.shape)}`);
  return embeddingOp(context.tape, context.label("embedding"), ids, table);
}
