/**
 * Batched, strided matrix product: C[i] = A[i]·B[i] (+ bias) (+ C[i]).
 *
 * Strides make transposed operands, gate lanes and slices the same kernel: element (m, k) of A[i] is at
 * `aOffset + i*aBatch + m*aRow + k*aColumn`. Columns of C are contiguous.
 */
import { defineKernel, type Arrays, type Params } from "./kernel.ts";

const bindings = {
  a: { access: "read", type: "f32", shape: "[batch, M, K] by strides" },
  b: { access: "read", type: "f32", shape: "[batch, K, N] by strides" },
  bias: { access: "read", type: "f32", shape: "[N]; any buffer when useBias is 0" },
  c: { access: "read_write", type: "f32", shape: "[batch, M, N] by strides" },
} as const;

const params = {
  M: "u32", N: "u32", K: "u32", batch: "u32",
  aOffset: "u32", aBatch: "u32", aRow: "u32", aColumn: "u32",
  bOffset: "u32", bBatch: "u32", bRow: "u32", bColumn: "u32",
  cOffset: "u32", cBatch: "u32", cRow: "u32",
  useBias: "u32", accumulate: "u32",
} as const;

export type MatmulParams = Params<typeof params>;

function twin({ a, b, bias, c }: Arrays<typeof bindings>, p: MatmulParams): void {
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

/** One thread per element of C: the oracle the other two are held to. */
export const matmulNaive = defineKernel({
  name: "matmul-naive", sources: ["lib/matmul", "matmul-naive"], bindings, params, twin,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / 8), Math.ceil(M / 8), batch],
});

/** Rows and columns of C per workgroup of the tiled kernel. */
export const matmulTile = 32;

/** A tile of C per workgroup through workgroup memory, four rows by one vec4 per thread. */
export const matmulTiled = defineKernel({
  name: "matmul-tiled", sources: ["lib/matmul", "matmul-tiled"], bindings, params, twin,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / matmulTile), Math.ceil(M / matmulTile), batch],
});

/** For few rows (token-by-token generation): eight columns per workgroup, eight threads share each sum over K. */
export const matmulSmallM = defineKernel({
  name: "matmul-small-m", sources: ["lib/matmul", "matmul-small-m"], bindings, params, twin,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / 8), M, batch],
});

/** The kernel for a product of this shape. */
export function chooseMatmul({ M }: Pick<MatmulParams, "M">): typeof matmulTiled {
  return M <= 4 ? matmulSmallM : matmulTiled;
}
