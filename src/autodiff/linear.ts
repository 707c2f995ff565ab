import { chooseMatmul, chooseMatmulWithSums, type MatmulParams } from "../kernels/matmul.ts";
import { columnSum } from "../kernels/column-sum.ts";
import type { Recording, View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

type Product = Pick<MatmulParams, "M" | "N" | "K"> & Partial<MatmulParams>;

/**
 * Records C = A·B with the kernel that suits the shape; params not given are those of plain row-major A and B.
 * @param sums only with A = dYᵀ: receives the column sums of dY
 */
export function matmul(
  recording: Recording,
  a: View,
  b: View,
  c: View,
  p: Product,
  { bias, sums }: { bias?: View; sums?: View } = {},
): void {
  const params: MatmulParams = {
    batch: 1,
    aOffset: 0,
    aBatch: 0,
    aRow: p.K,
    aColumn: 1,
    bOffset: 0,
    bBatch: 0,
    bRow: p.N,
    bColumn: 1,
    cOffset: 0,
    cBatch: 0,
    cRow: p.N,
    useBias: bias ? 1 : 0,
    accumulate: 0,
    ...p,
  };
  // Without a bias, any readable buffer fills the binding.
  const views = { a, b, bias: bias ?? b, c };
  const both = sums && chooseMatmulWithSums(params, recording.target);
  if (both) {
    recording.dispatch(both, { ...views, sums }, params);
    return;
  }
  recording.dispatch(chooseMatmul(params, recording.target), views, params);
  if (sums) recording.dispatch(columnSum, { x: a, sums }, { rows: p.K, columns: p.M, accumulate: params.accumulate });
}

/**
 * Places for the gradients of a weight and its bias if one product can write both. Otherwise this records the bias's
 * gradient and leaves out `sums`.
 */
export function weightAndBias(
  tape: Tape,
  weight: Variable,
  bias: Variable | undefined,
  dy: View,
  rows: number,
): { view: View; accumulate: 0 | 1; sums?: View } | undefined {
  const columns = weight.shape[0];
  const accumulates = (v: Variable): boolean => v.gradient !== undefined;
  const together = weight.needsGradient && bias?.needsGradient && accumulates(weight) === accumulates(bias);
  if (!together) biasGradient(tape, bias, dy, rows, columns);
  if (!weight.needsGradient) return undefined;
  return { ...tape.share(weight), ...(together ? { sums: tape.share(bias).view } : {}) };
}

/** ∂L/∂b (+)= column sums of dy [rows, columns]. */
export function biasGradient(tape: Tape, bias: Variable | undefined, dy: View, rows: number, columns: number): void {
  if (!bias?.needsGradient) return;
  const { view, accumulate } = tape.share(bias);
  tape.recording.dispatch(columnSum, { x: dy, sums: view }, { rows, columns, accumulate });
}

/**
 * ∂L/∂W (+)= dyᵀ·x and ∂L/∂b (+)= Σ dy for y = x·Wᵀ + b, over `rows` rows; dy [rows, O], W [O, I], and
 * x [rows, I] from element `offset` of its view on.
 */
export function weightGradients(
  tape: Tape,
  x: View,
  weight: Variable,
  bias: Variable | undefined,
  dy: View,
  rows: number,
  offset = 0,
): void {
  const [O, I] = weight.shape;
  const place = weightAndBias(tape, weight, bias, dy, rows);
  if (place)
    matmul(
      tape.recording,
      dy,
      x,
      place.view,
      { M: O, N: I, K: rows, aRow: 1, aColumn: O, bOffset: offset, accumulate: place.accumulate },
      place,
    );
}

/** ∂L/∂x (+)= dy·W for y = x·Wᵀ, over `rows` rows of x from `firstRow` on; `to` is the result of `Tape.share` for x. */
export function inputGradient(
  tape: Tape,
  weight: Variable,
  dy: View,
  rows: number,
  to: { view: View; accumulate: 0 | 1 },
  firstRow = 0,
): void {
  const [O, I] = weight.shape;
  matmul(tape.recording, dy, weight.view, to.view, { M: rows, N: I, K: O, cOffset: firstRow * I, accumulate: to.accumulate });
}

/** Y = X·Wᵀ + b for W [O, I] and `rows` rows of X from `firstRow` on. */
export function timesWeight(
  recording: Recording,
  x: View,
  weight: Variable,
  y: View,
  rows: number,
  { bias, firstRow = 0 }: { bias?: View; firstRow?: number } = {},
): void {
  const [O, I] = weight.shape;
  matmul(recording, x, weight.view, y, { M: rows, N: O, K: I, aOffset: firstRow * I, bRow: 1, bColumn: I }, { bias });
}

/**
 * y = x·Wᵀ + b.
 * @param x [..., I]
 * @param weight [O, I]
 * @param bias [O]
 * @returns [..., O]
 */
export function linear(tape: Tape, label: string, x: Variable, weight: Variable, bias?: Variable): Variable {
  const [O, I] = weight.shape;
  const rows = sizeOf(x.shape) / I;
  const y = tape.result(`${label}.y`, [...x.shape.slice(0, -1), O], [x, weight, bias]);
  timesWeight(tape.recording, x.view, weight, y.view, rows, { bias: bias?.view });
  tape.record([y], () => {
    weightGradients(tape, x.view, weight, bias, y.gradient!, rows);
    if (x.needsGradient) inputGradient(tape, weight, y.gradient!, rows, tape.share(x));
  });
  return y;
}
