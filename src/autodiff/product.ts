/** Batched matrix products of two variables, each possibly transposed. For a weight and a bias, see `linear`. */
import type { Shape } from "../tensor/shape.ts";
import { matmul } from "./linear.ts";
import type { Tape, Variable } from "./tape.ts";

export interface Transposes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** The number of products, and their sizes. */
export interface ProductSizes {
  readonly batch: number;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/**
 * Y[i] = A[i]·B[i].
 * @param a [batch, M, K], or [batch, K, M] if transposed
 * @param b [batch, K, N], or [batch, N, K] if transposed
 * @param shape of the result, batch·M·N numbers
 */
export function product(
  tape: Tape,
  label: string,
  a: Variable,
  b: Variable,
  { batch, M, N, K }: ProductSizes,
  { transposeA, transposeB }: Transposes,
  shape: Shape,
): Variable {
  const [aRow, aColumn] = transposeA ? [1, M] : [K, 1];
  const [bRow, bColumn] = transposeB ? [1, K] : [N, 1];
  const [ofA, ofB, ofY] = [M * K, K * N, M * N];
  const y = tape.result(label, shape, [a, b]);
  matmul(tape.recording, a.view, b.view, y.view, { M, N, K, batch, aBatch: ofA, aRow, aColumn, bBatch: ofB, bRow, bColumn, cBatch: ofY });
  tape.record([y], () => {
    const dy = y.gradient!;
    if (a.needsGradient) {
      // dA = dY·Bᵀ, or its transpose B·dYᵀ if A is transposed.
      const { view, accumulate } = tape.share(a);
      if (transposeA)
        matmul(tape.recording, b.view, dy, view, {
          M: K,
          N: M,
          K: N,
          batch,
          aBatch: ofB,
          aRow: bRow,
          aColumn: bColumn,
          bBatch: ofY,
          bRow: 1,
          bColumn: N,
          cBatch: ofA,
          accumulate,
        });
      else
        matmul(tape.recording, dy, b.view, view, {
          M,
          N: K,
          K: N,
          batch,
          aBatch: ofY,
          bBatch: ofB,
          bRow: bColumn,
          bColumn: bRow,
          cBatch: ofA,
          accumulate,
        });
    }
    if (b.needsGradient) {
      // dB = Aᵀ·dY, or its transpose dYᵀ·A.
      const { view, accumulate } = tape.share(b);
      if (transposeB)
        matmul(tape.recording, dy, a.view, view, {
          M: N,
          N: K,
          K: M,
          batch,
          aBatch: ofY,
          aRow: 1,
          aColumn: N,
          bBatch: ofA,
          bRow: aRow,
          bColumn: aColumn,
          cBatch: ofB,
          accumulate,
        });
      else
        matmul(tape.recording, a.view, dy, view, {
          M: K,
          N,
          K: M,
          batch,
          aBatch: ofA,
          aRow: aColumn,
          aColumn: aRow,
          bBatch: ofY,
          cBatch: ofB,
          accumulate,
        });
    }
  });
  return y;
}
