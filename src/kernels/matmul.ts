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

/** One thread per element of C: the oracle the others are held to. */
export const matmulNaive = defineKernel({
  name: "matmul-naive", sources: ["lib/matmul", "lib/operands-strided", "matmul-naive"], bindings, params, twin,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / 8), Math.ceil(M / 8), batch],
});

/** For few rows and a long K: eight columns per workgroup, eight threads share each sum over K. */
export const matmulSmallM = defineKernel({
  name: "matmul-small-m", sources: ["lib/matmul", "lib/operands-strided", "matmul-small-m"], bindings, params, twin,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / 8), M, batch],
});

/**
 * How the operands lie: "n" is row-major as written, "t" transposed, first A and then B, both read in vec4; "strided"
 * is everything else, read element by element.
 */
export type Operands = "nn" | "nt" | "tn" | "tt" | "strided";
export const operands: readonly Operands[] = ["nn", "nt", "tn", "tt", "strided"];

/** Elements of C that one thread adds up along either side. */
const sideOf = (large: boolean): number => (large ? 8 : 4);

function block(lie: Operands, large: boolean): typeof matmulNaive {
  const across = 8 * sideOf(large);
  const source = lie === "strided" ? "lib/operands-strided" : "lib/operands-vec4";
  const orientation: Record<string, number> = lie === "strided" ? {} : { aAlongK: lie[0] === "n" ? 1 : 0, bAlongK: lie[1] === "t" ? 1 : 0 };
  return defineKernel({
    name: `matmul-block:${lie}-${large ? "large" : "small"}`, sources: ["lib/matmul", source, "matmul-block"],
    constants: { ...orientation, large: large ? 1 : 0 }, bindings, params, twin,
    workgroups: ({ M, N, batch }) => [Math.ceil(N / across), Math.ceil(M / across), batch],
  });
}

const blocks = new Map([true, false].flatMap((large) => operands.map((lie) => [`${lie} ${large}`, block(lie, large)] as const)));
/** All variants of the register-tiled product: how the operands lie, and whether a thread owns 8 x 8 of C or 4 x 4. */
export const matmulBlocks = [...blocks.values()];

const fours = (...numbers: number[]): boolean => numbers.every((n) => n % 4 === 0);

/** How the operands lie, as far as the kernels care. */
export function operandsOf(p: MatmulParams): Operands {
  const { M, N, K } = p;
  if (!fours(p.aOffset, p.bOffset) || (p.batch > 1 && !fours(p.aBatch, p.bBatch))) return "strided";
  const a = p.aColumn === 1 && fours(p.aRow, K) ? "n" : p.aRow === 1 && fours(p.aColumn, M) ? "t" : undefined;
  const b = p.bColumn === 1 && fours(p.bRow, N) ? "n" : p.bRow === 1 && fours(p.bColumn, K) ? "t" : undefined;
  return a && b ? `${a}${b}` : "strided";
}

/**
 * The kernel for a product of this shape. Blocks of 8 x 8 need the fewest loads, but only a large C has enough of
 * them to keep a GPU busy; with very few rows and a long K, threads must share the sums.
 */
export function chooseMatmul(p: MatmulParams): typeof matmulNaive {
  if (p.M <= 4 && p.K >= 512) return matmulSmallM;
  const threads = Math.ceil(p.M / 8) * Math.ceil(p.N / 8) * p.batch;
  return blocks.get(`${operandsOf(p)} ${p.M > 4 && threads >= 512}`)!;
}
