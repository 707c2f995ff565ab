/** The cases of the kernels of matrix products. */
import type { Kernel } from "../../kernels/kernel.ts";
import { both, floats, spare, type KernelCase } from "./case-values.ts";

/** A product of any size, with A and B transposed or not, and `gap` unused elements wherever offsets and strides allow them. */
function matmulCase(
  M: number,
  N: number,
  K: number,
  [transposedA, transposedB]: readonly [boolean, boolean],
  { batch = 1, gap = 0, accumulate = 0 } = {},
): KernelCase {
  const [aRow, aColumn] = transposedA ? [1, M + gap] : [K + gap, 1];
  const [bRow, bColumn] = transposedB ? [1, K + gap] : [N + gap, 1];
  const aBatch = (transposedA ? K * aColumn : M * aRow) + gap;
  const bBatch = (transposedB ? N * bColumn : K * bRow) + gap;
  const cRow = N + gap;
  return {
    note: `${transposedA ? "t" : "n"}${transposedB ? "t" : "n"}`,
    params: {
      M,
      N,
      K,
      batch,
      aOffset: 2 * gap,
      aBatch,
      aRow,
      aColumn,
      bOffset: gap,
      bBatch,
      bRow,
      bColumn,
      cOffset: gap,
      cBatch: M * cRow + 1,
      cRow,
      useBias: 1 - accumulate,
      accumulate,
    },
    arrays: {
      a: floats(2 * gap + batch * aBatch),
      b: floats(gap + batch * bBatch),
      bias: floats(N),
      c: floats(gap + batch * (M * cRow + 1) + spare),
    },
  };
}

const matmulSizes = [
  [1, 1, 1],
  [31, 33, 16],
  [32, 32, 17],
  [33, 31, 15],
  [4, 65, 37],
  [65, 67, 6],
  [5, 7, 64],
  [9, 18, 131],
] as const;

const upTo = (multiple: number, n: number): number => Math.ceil(n / multiple) * multiple;
/** K must be a multiple of this in a kernel's products. */
const stepOfK = ({ name }: Kernel): number => (name.startsWith("matmul-staged") ? 16 : 1);

function anySizes(kernel: Kernel): KernelCase[] {
  const step = stepOfK(kernel);
  const plain = matmulSizes.flatMap(([M, N, K]) =>
    both.map((accumulate) => matmulCase(M, N, upTo(step, K), [false, false], { accumulate })),
  );
  return [...plain, matmulCase(9, 35, upTo(step, 19), [true, true], { batch: 3, gap: 3, accumulate: 1 })];
}

/** Axes that are read as vec4 have multiples of 4, the others any size. */
function blockCases(kernel: Kernel): KernelCase[] {
  const layout = /:(\w+)/.exec(kernel.name)![1];
  const step = stepOfK(kernel);
  if (!("sums" in kernel.bindings)) return layout === "strided" ? anySizes(kernel) : alignedCases(layout, step);
  // Row sums need A = dYᵀ with a contiguous dY, and no batch.
  const odd = matmulSizes.flatMap(([M, N, K]) => both.map((accumulate) => matmulCase(M, N, upTo(step, K), [true, false], { accumulate })));
  const cases = layout === "strided" ? odd : alignedCases(layout, step).filter(({ params }) => params.batch === 1);
  return cases.map((one) => ({ ...one, arrays: { ...one.arrays, sums: floats(one.params.M + spare) } }));
}

function alignedCases(layout: string, step: number): KernelCase[] {
  const transposed = [layout[0] === "t", layout[1] === "t"] as const;
  const multiples = { M: transposed[0] ? 4 : 1, N: transposed[1] ? 1 : 4, K: Math.max(step, !transposed[0] || transposed[1] ? 4 : 1) };
  const sizes = [
    [1, 1, 1],
    [9, 35, 19],
    [33, 31, 15],
    [32, 32, 64],
    [63, 65, 4],
    [67, 130, 21],
    [12, 9, 131],
  ].map(([M, N, K]) => [upTo(multiples.M, M), upTo(multiples.N, N), upTo(multiples.K, K)] as const);
  return [
    ...sizes.flatMap(([M, N, K]) => both.map((accumulate) => matmulCase(M, N, K, transposed, { accumulate }))),
    matmulCase(...sizes[1], transposed, { batch: 3, gap: 4, accumulate: 1 }),
  ];
}

/** Cases by the stem of the kernel's name. */
export const matmulCases: Readonly<Record<string, (kernel: Kernel) => KernelCase[]>> = {
  "matmul-naive": anySizes,
  "matmul-small-m": anySizes,
  "matmul-block": blockCases,
  "matmul-split": blockCases,
  "matmul-staged": blockCases,
};
