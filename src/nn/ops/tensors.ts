/** Differentiable operations on whole tensors: products, softmax, masks. */
import { checkBoolean, checkNumber, checkSize, RnnError, show } from "../../errors.ts";
import { isA, takeOptions } from "../../options.ts";
import { softmax as softmaxOp } from "../../autodiff/activation.ts";
import { broadcastShape, mostProducts } from "../../autodiff/elementwise.ts";
import { embedding as embeddingOp } from "../../autodiff/embedding.ts";
import { permute as permuteOp } from "../../autodiff/layout.ts";
import { maskSteps } from "../../autodiff/mask-steps.ts";
import { linear as linearOp } from "../../autodiff/linear.ts";
import { product } from "../../autodiff/product.ts";
import { Variable } from "../../autodiff/tape.ts";
import { sameShape, sizeOf, type Shape } from "../../tensor/shape.ts";
import { takeForFile } from "../../tensor/any-numbers.ts";
import type { TensorLike } from "../../tensor/take.ts";
import { checkCall, type Context } from "../context.ts";
import { Dropout } from "../dropout.ts";
import { add, multiply } from "./elementwise.ts";
import { operand, optionalOperand, words } from "./operand.ts";

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
  const from = operand(context, "ops.scale", "x", x);
  return multiply(context, from, constant(context, { shape: [1], data: Float64Array.of(factor) }));
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

/** x⊙mask / (1 - p) in training, with a mask that is 0 with probability p; else x. See `Dropout`. */
export const dropout = (context: Context, x: Variable, p: number): Variable =>
  new Dropout(p).forward(context, operand(context, "ops.dropout", "x", x));

/** x·Wᵀ + b: x [..., I], weight [O, I], bias [O] if there is one. */
export function linear(context: Context, x: Variable, weight: Variable, bias?: Variable): Variable {
  const where = "ops.linear";
  const [from, W, b] = [
    operand(context, where, "x", x),
    operand(context, where, "weight", weight),
    optionalOperand(context, where, "bias", bias),
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
