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
  tape.record([y], ({ linearBackward }) => linearBackward(tape, x, weight, bias, y.gradient!, rows));
  return y;
}
