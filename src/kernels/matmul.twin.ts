/** The twins of matmul.ts: every variant computes the same. */
import type { NumericArray } from "../tensor/tensor.ts";
import type { matmulBlocksWithSums, matmulNaive, MatmulParams } from "./matmul.ts";
import { twins, type TwinEntry } from "./twin.ts";

function product({ a, b, bias, c }: Readonly<Record<"a" | "b" | "bias" | "c", NumericArray>>, p: MatmulParams): void {
  for (let i = 0; i < p.batch; i++) {
    for (let m = 0; m < p.M; m++) {
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

export const matmulTwins: TwinEntry[] = ["matmul-naive", "matmul-small-m", "matmul-block", "matmul-split"].map((stem) => (
  twins<typeof matmulNaive | WithSums>(stem, ({ bindings }) => (arrays, p) => {
    product(arrays, p);
    if ("sums" in bindings) rowSums(arrays as typeof arrays & { sums: NumericArray }, p);
  })
));
