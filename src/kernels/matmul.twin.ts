/** The twins of matmul.ts: every variant computes the same. */
import type { NumericArray } from "../tensor/tensor.ts";
import type { matmulBlocksWithSums, matmulNaive, MatmulParams } from "./matmul.ts";
import { inPieces, twins, type TwinEntry } from "./twin.ts";

/** Rows from `first` up to `end` of each product. */
function product(
  { a, b, bias, c }: Readonly<Record<"a" | "b" | "bias" | "c", NumericArray>>,
  p: MatmulParams,
  first: number,
  end: number,
): void {
  for (let i = 0; i < p.batch; i++) {
    for (let m = first; m < end; m++) {
      for (let n = 0; n < p.N; n++) {
        let sum = 0;
        let atA = p.aOffset + i * p.aBatch + m * p.aRow;
        let atB = p.bOffset + i * p.bBatch + n * p.bColumn;
        for (let k = 0; k < p.K; k++, atA += p.aColumn, atB += p.bRow) sum += a[atA] * b[atB];
        if (p.useBias) sum += bias[n];
        const at = p.cOffset + i * p.cBatch + m * p.cRow + n;
        c[at] = p.accumulate ? c[at] + sum : sum;
      }
    }
  }
}

function rowSums({ a, sums }: Readonly<Record<"a" | "sums", NumericArray>>, p: MatmulParams): void {
  for (let m = 0; m < p.M; m++) {
    let sum = 0;
    for (let k = 0; k < p.K; k++) sum += a[p.aOffset + m * p.aRow + k * p.aColumn];
    sums[m] = p.accumulate ? sums[m] + sum : sum;
  }
}

type WithSums = (typeof matmulBlocksWithSums)[number];

export const matmulTwins: TwinEntry[] = ["matmul-naive", "matmul-small-m", "matmul-block", "matmul-split", "matmul-staged"].map((stem) =>
  twins<typeof matmulNaive | WithSums>(stem, ({ bindings }) =>
    inPieces((arrays, p) => {
      // Each piece takes some milliseconds in plain JavaScript.
      const rows = Math.max(1, Math.floor(2 ** 20 / (p.batch * p.N * p.K)));
      const pieces = Array.from(
        { length: Math.ceil(p.M / rows) },
        (_, n) => () => product(arrays, p, n * rows, Math.min(p.M, (n + 1) * rows)),
      );
      return "sums" in bindings ? [...pieces, () => rowSums(arrays as typeof arrays & { sums: NumericArray }, p)] : pieces;
    }),
  ),
);
