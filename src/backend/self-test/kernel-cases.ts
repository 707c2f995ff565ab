/**
 * The cases on which `verify` and the tests run each kernel: params and buffer contents, at sizes around the tiles that
 * the kernel works in, so that every branch is reached.
 */
import { normGroups } from "../../kernels/gradient-norm.ts";
import { halfLength } from "../../kernels/half-storage.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { keptLength } from "../../kernels/optimizers.ts";
import { stemOf } from "../../kernels/twin.ts";
import { beginCases, floats, integers, spare, type KernelCase } from "./case-values.ts";
import { operatorCases } from "./operator-cases.ts";
import { recurrentCases } from "./recurrent-cases.ts";

const vectors = (names: readonly string[], length: number): Record<string, Float32Array> =>
  Object.fromEntries(names.map((name) => [name, floats(length + spare)]));

/** Sizes around one workgroup of an element-wise kernel, and primes. */
const lengths = [1, 63, 64, 65, 257];
/** Rows and columns around the sizes where eight threads, and where 64 threads, share a row. */
const tables = [
  [1, 1],
  [9, 7],
  [8, 8],
  [5, 65],
  [3, 256],
  [2, 257],
  [3, 520],
] as const;
const both = [0, 1] as const;

/** Any sizes, with A and B transposed (1) or not (0), and gaps of 4 elements wherever strides allow them. */
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

function matmulCases(): KernelCase[] {
  const plain = matmulSizes.flatMap(([M, N, K]) => both.map((accumulate) => matmulCase(M, N, K, [false, false], { accumulate })));
  return [...plain, matmulCase(9, 35, 19, [true, true], { batch: 3, gap: 3, accumulate: 1 })];
}

/** Axes that are read as vec4 have multiples of 4, the others any size. */
function matmulBlockCases({ name, bindings }: Kernel): KernelCase[] {
  const lie = /:(\w+)/.exec(name)![1];
  if (!("sums" in bindings)) return lie === "strided" ? matmulCases() : alignedCases(lie);
  // Row sums need a whole A = dYᵀ.
  const odd = matmulSizes.flatMap(([M, N, K]) => both.map((accumulate) => matmulCase(M, N, K, [true, false], { accumulate })));
  const cases = lie === "strided" ? odd : alignedCases(lie).filter(({ params }) => params.batch === 1);
  return cases.map((one) => ({ ...one, arrays: { ...one.arrays, sums: floats(one.params.M + spare) } }));
}

function alignedCases(lie: string): KernelCase[] {
  const transposed = [lie[0] === "t", lie[1] === "t"] as const;
  const fours = { M: transposed[0], N: !transposed[1], K: !transposed[0] || transposed[1] };
  const sizes = [
    [1, 1, 1],
    [9, 35, 19],
    [33, 31, 15],
    [32, 32, 64],
    [63, 65, 4],
    [67, 130, 21],
    [12, 9, 131],
  ].map(
    ([M, N, K]) => [fours.M ? Math.ceil(M / 4) * 4 : M, fours.N ? Math.ceil(N / 4) * 4 : N, fours.K ? Math.ceil(K / 4) * 4 : K] as const,
  );
  return [
    ...sizes.flatMap(([M, N, K]) => both.map((accumulate) => matmulCase(M, N, K, transposed, { accumulate }))),
    matmulCase(...sizes[1], transposed, { batch: 3, gap: 4, accumulate: 1 }),
  ];
}

function stridedCopyCases(): KernelCase[] {
  return both.flatMap((accumulate) =>
    [
      [1, 1, 1],
      [3, 5, 7],
      [2, 9, 64],
    ].map(([size0, size1, size2]): KernelCase => {
      const size = size0 * size1 * size2;
      return {
        note: "reversed order of indices",
        params: {
          size0,
          size1,
          size2,
          fromOffset: 2,
          from0: size1 * size2,
          from1: size2,
          from2: 1,
          toOffset: 1,
          to0: 1,
          to1: size0,
          to2: size0 * size1,
          accumulate,
        },
        arrays: { input: floats(size + 2), output: floats(size + 1 + spare) },
      };
    }),
  );
}

const prepareLayerCases = (): KernelCase[] =>
  [
    [1, 1, 1, 1, 0, 1, 1],
    [7, 1, 4, 4, 5, 1, 28],
    [33, 3, 3, 3, 0, 0, 1],
    [16, 1, 4, 4, 70, 1, 5],
    [5, 1, 1, 1, 13, 0, 64],
    [18, 3, 4, 4, 0, 1, 1],
    // Units with a number that no gate fills.
    [9, 1, 3, 4, 2, 1, 3],
    [12, 2, 3, 4, 0, 1, 1],
  ].map(([H, heads, G, width, rows, backward, columns], i) => ({
    // Stacked layers have their biases behind H rows of any matrix.
    params: {
      H,
      G,
      width,
      fanIn: H / heads,
      biasRow: i % 2 ? H : H / heads,
      useBias: i % 2,
      backward,
      rows,
      columns,
      firstId: rows ? i : 0,
    },
    arrays: {
      weight: floats((H * G * H) / heads),
      bias: floats(H * G),
      forwardWeights: floats((H + 1) * H * width + spare),
      backwardWeights: floats(H * H * width + spare),
      table: floats(3 * columns),
      ids: integers(Math.max(1, rows + i), 2),
      gathered: floats(rows * columns + spare),
    },
  }));

const activationCases = (names: readonly string[], withAccumulate: boolean): KernelCase[] =>
  lengths.flatMap((length) =>
    [0, 1, 2].map((kind) => {
      const arrays = Object.fromEntries(names.map((name) => [name, floats(length + spare, name === "x" ? -6 : -1, name === "x" ? 6 : 1)]));
      return { params: { length, kind, ...(withAccumulate ? { accumulate: length % 2 } : {}) }, arrays };
    }),
  );

const saturated: KernelCase[] = [0, 1, 2].map((kind) => ({
  note: "arguments at which exp and tanh overflow",
  params: { length: 6, kind },
  arrays: { x: Float32Array.of(-1e30, -200, -90, 90, 200, 1e30), y: floats(6) },
}));

const softmaxCases = (backward: boolean): KernelCase[] =>
  tables.flatMap(([rows, columns]) =>
    both.map((log): KernelCase => {
      const size = rows * columns;
      const arrays: KernelCase["arrays"] = backward
        ? { y: floats(size, log ? -5 : 0, log ? -0.1 : 0.2), dy: floats(size), dx: floats(size + spare) }
        : { x: floats(size, -20, 20), y: floats(size + spare) };
      return { params: { rows, columns, log, ...(backward ? { accumulate: rows % 2 } : {}) }, arrays };
    }),
  );

const weightsWithZeros = (length: number): Float32Array => floats(length, 0, 2).map((w, i) => (i % 4 === 3 ? 0 : w));
/** Class indices; every fifth is to be ignored. */
const targetsOf = (rows: number, columns: number): Int32Array =>
  Int32Array.from(integers(rows, columns - 1), (id, i) => (i % 5 === 2 ? -100 : id));

const crossEntropyCases = (): KernelCase[] =>
  tables.map(([rows, columns]) => ({
    params: { rows, columns, ignoreIndex: -100 },
    arrays: {
      logits: floats(rows * columns, -9, 9),
      targets: targetsOf(rows, columns),
      weights: weightsWithZeros(rows),
      normalizer: Float32Array.of(3, 0.37),
      losses: floats(rows + spare),
      dLogits: floats(rows * columns + spare),
    },
  }));

const elementLossCases = (extra: Record<string, number>): KernelCase[] =>
  lengths.map((length) => ({
    params: { length, ...extra },
    arrays: {
      x: floats(length, -30, 30),
      targets: floats(length, 0, 1),
      weights: weightsWithZeros(length),
      normalizer: Float32Array.of(3, 0.37),
      losses: floats(length + spare),
      dx: floats(length + spare),
    },
  }));

const embeddingTables = [
  [1, 1, 1],
  [7, 63, 5],
  [2049, 3, 4],
  [13, 65, 31],
  [100, 130, 3],
  [40, 300, 5],
] as const;
const gatherCases = (): KernelCase[] =>
  embeddingTables.map(([rows, columns, vocabulary], firstId) => ({
    params: { rows, columns, firstId },
    arrays: { weight: floats(vocabulary * columns), ids: integers(firstId + rows, vocabulary - 1), y: floats(rows * columns + spare) },
  }));
const scatterCases = (): KernelCase[] =>
  embeddingTables.flatMap(([rows, columns, vocabulary]) =>
    both.map((accumulate) => ({
      params: { rows, columns, vocabulary, accumulate, firstId: 3 * accumulate },
      arrays: {
        dy: floats(rows * columns),
        ids: integers(3 * accumulate + rows, vocabulary - 1),
        dWeight: floats(vocabulary * columns + spare),
      },
    })),
  );

const columnSumCases = (): KernelCase[] =>
  [
    [1, 1],
    [257, 1],
    [300, 2],
    [65, 3],
    [31, 15],
    [17, 16],
    [129, 17],
    [40, 131],
  ].flatMap(([rows, columns]) =>
    both.map((accumulate) => ({
      params: { rows, columns, accumulate },
      arrays: { x: floats(rows * columns), sums: floats(columns + spare) },
    })),
  );

const perUnitCases = (): KernelCase[] =>
  [
    [1, 1, 4],
    [17, 15, 3],
    [40, 16, 4],
    [65, 33, 4],
    [9, 5, 1],
  ].flatMap(([rows, H, G]) =>
    both.map((accumulate) => ({
      params: { rows, H, G, cPrevious: 3, cCurrent: 3 + H, before: 3, after: 8, accumulate },
      arrays: { dGates: floats(rows * H * G), c: floats((rows + 1) * H + 3), dOwn: floats(H * G + spare) },
    })),
  );

const normPartialCases = (): KernelCase[] =>
  [1, 1023, 1025, 70_001, 300_000].map((length) => {
    const groups = length === 1 ? 1 : normGroups;
    return { params: { length, groups }, arrays: { gradients: floats(length), partial: floats(groups + spare) } };
  });

const norm = (healthy: number): Float32Array => Float32Array.of(9, 9, healthy, 9);
const normCase = (
  values: Float32Array,
  losses: Float32Array,
  rest: { squared?: number; maxNorm?: number; mostNorm?: number; healthy?: number; note?: string },
): KernelCase => ({
  note: rest.note,
  params: {
    length: values.length,
    squared: rest.squared ?? 1,
    rows: losses.length,
    maxNorm: rest.maxNorm ?? 1,
    mostNorm: rest.mostNorm ?? 0,
  },
  arrays: { values, losses, normalizer: Float32Array.of(3, 0.37), loss: floats(1 + spare), norm: norm(rest.healthy ?? 1) },
});
const normCases = (): KernelCase[] => [
  ...[
    [4, 1],
    [64, 255],
    [1020, 256],
    [1028, 257],
    [70_016, 2003],
  ].flatMap(([length, rows]) =>
    [
      [0, 0],
      [1, 0.5],
      [0, 1e4],
    ].map(([squared, maxNorm]) => normCase(floats(length, squared ? 0 : -2, 3), floats(rows), { squared, maxNorm })),
  ),
  normCase(floats(4, 0, 1), Float32Array.of(1, NaN), { note: "NaN loss" }),
  normCase(Float32Array.of(1, Infinity, 0, 0), floats(1), { note: "infinite sum of squares" }),
  normCase(Float32Array.of(3e38, 3e38, 0, 0), floats(1), { note: "sum of squares that overflows", maxNorm: 0 }),
  normCase(Float32Array.of(3e30, 0, 0, 0), floats(1), { note: "square that overflows", squared: 0 }),
  normCase(floats(64, 4, 5), floats(1), { note: "a norm that is allowed", maxNorm: 0, mostNorm: 24 }),
  normCase(floats(64, 4, 5), floats(1), { note: "a norm beyond the most", maxNorm: 0, mostNorm: 15 }),
  normCase(floats(4, 0, 1), floats(1), { note: "unhealthy before", healthy: 0 }),
];

function optimizerCases(moments: readonly string[], variants: readonly Record<string, number>[]): KernelCase[] {
  // A healthy step; a failed one with something to restore; a failed one with nothing to restore.
  const cases = [
    [1, 1, 1, 0],
    [65, 0, 1, 1],
    [257, 0.4, 1, 1],
    [65, 0, 0, 1],
    [130, 0.4, 0, 0],
  ];
  return variants.flatMap((variant) =>
    cases.map(([length, last, healthy, keeps]): KernelCase => ({
      note: healthy ? undefined : keeps ? "gives back" : "has nothing to give back",
      params: { length, ...variant },
      arrays: {
        ...vectors(["parameters", "gradients"], length),
        lastGood: floats(keptLength(length, moments.length) + spare, 0.3, 1),
        // Moments are averages of gradients and of their squares, so they are no larger.
        ...Object.fromEntries(
          moments.map((name) => [
            name,
            name === "squareAverage" || name === "secondMoment" ? floats(length + spare, 0.3, 1) : floats(length + spare, -0.5, 0.5),
          ]),
        ),
        norm: Float32Array.of(2, 0.7, healthy, keeps),
        control: Float32Array.of(0.05, 0.3, 0.02, last),
      },
    })),
  );
}

const dropoutCases = (): KernelCase[] =>
  [1, 255, 256, 257, 1031].flatMap((length) =>
    [0, 0.3, 0.7, 1].map((p) => ({
      params: { length, stream: 5, p, accumulate: length % 2 },
      arrays: { x: floats(length), random: Uint32Array.of(0xdeadbeef, 17, 41, 0), y: floats(length + spare) },
    })),
  );

const sampleCases = (): KernelCase[] =>
  [
    [1, 1],
    [2, 3],
    [3, 63],
    [5, 100],
    [2, 257],
    [1, 1031],
    [40, 5],
  ].flatMap(([rows, columns]) =>
    [
      // The temperature is so high that each of the topK tokens is likely, and the next one would be too.
      [0, 0],
      [1, 0],
      [0.7, 5],
      [1.3, 40],
      [99, 2],
    ].map(([temperature, topK]) => ({
      note: `temperature ${temperature}, topK ${topK}`,
      params: { rows, columns, capacity: 4, stream: 3 },
      arrays: {
        // Rounded coarsely, so that many logits are equal.
        logits: floats(rows * columns, -8, 8).map((x) => Math.round(x * 4) / 4),
        sampling: Float32Array.of(temperature, topK),
        random: Uint32Array.of(1, 2, 0xffffffff, 4),
        position: Uint32Array.of(columns === 3 ? 4 : 2),
        tokens: integers(rows + spare, 9),
        history: integers(4 * rows + spare, 9),
      },
    })),
  );

const chooseCases = (): KernelCase[] =>
  [
    [1, 0, 0.5],
    [7, 3, 0],
    [66, 5, 1],
    [65, 0, 0.3],
  ].map(([rows, offset, rate]) => ({
    note: `rate ${rate}`,
    params: { rows, offset, stream: 7 },
    arrays: {
      given: integers(offset + rows, 9),
      drawn: integers(rows, 9).map((id) => id + 10),
      rate: Float32Array.of(rate),
      random: Uint32Array.of(3, 4, 5, 6),
      tokens: integers(rows + spare, 9),
    },
  }));

const maskCases = (): KernelCase[] =>
  [
    [1, 1, 1],
    [5, 3, 7],
    [4, 2, 64],
  ].flatMap(([T, B, H]) =>
    both.map((accumulate) => ({
      params: { T, B, H, accumulate },
      arrays: { x: floats(T * B * H), lengths: integers(B, T), y: floats(T * B * H + spare) },
    })),
  );

const stepBitsCases = (): KernelCase[] =>
  [
    [1, 1],
    [31, 3],
    [32, 2],
    [65, 40],
  ].map(([T, B]) => ({
    params: { T, B },
    arrays: { mask: floats(T * B).map((x) => Number(x > 0)), words: integers(B * (1 + Math.ceil(T / 32)) + spare, 9) },
  }));

/**
 * Numbers of every magnitude of half precision, with subnormal ones and midpoints between two; none above the largest,
 * where WGSL leaves the result open.
 */
const halfNumbers = (length: number): Float32Array =>
  floats(length).map((x, i) => [x, x * 1e-6, x * 6.5e4, Math.round(x * 4096) / 2048, 0][i % 5]);
const halfSizes = [
  [1, 1],
  [5, 2],
  [300, 2],
  [63, 3],
  [40, 4],
  [7, 1],
] as const;
const toHalfCases = (): KernelCase[] =>
  halfSizes.map(([length, width]) => ({
    params: { length, width },
    arrays: { x: halfNumbers(length), y: new Uint32Array(halfLength(length, width) + spare).fill(7) },
  }));
const fromHalfCases = (): KernelCase[] =>
  halfSizes.map(([length, width]) => ({
    params: { length, width },
    arrays: {
      x: integers(halfLength(length, width), 0x3bff).map((x, i) => x | (integers(i + 1, 0x3bff)[i] << 16)),
      y: floats(length + spare),
    },
  }));

const lossSumCases = (): KernelCase[] =>
  [1, 255, 256, 257, 2003].map((length) => ({
    params: { length },
    arrays: { losses: floats(length, 0, 2), normalizer: Float32Array.of(3, 0.37), loss: floats(1 + spare) },
  }));

/** Cases by the stem of the kernel's name. */
const table: Readonly<Record<string, (kernel: Kernel) => KernelCase[]>> = {
  "matmul-naive": matmulCases,
  "matmul-small-m": matmulCases,
  "matmul-block": matmulBlockCases,
  "matmul-split": matmulBlockCases,
  "strided-copy": stridedCopyCases,
  "to-half": toHalfCases,
  "from-half": fromHalfCases,
  ...operatorCases,
  "prepare-layer": prepareLayerCases,
  "activation-forward": () => [...activationCases(["x", "y"], false), ...saturated],
  "activation-backward": () => activationCases(["y", "dy", "dx"], true),
  "softmax-forward": () => softmaxCases(false),
  "softmax-backward": () => softmaxCases(true),
  dropout: dropoutCases,
  "mask-steps": maskCases,
  "step-bits": stepBitsCases,
  "column-sum": columnSumCases,
  "per-unit-gradient": perUnitCases,
  "embedding-gather": gatherCases,
  "embedding-scatter": scatterCases,
  "loss-sum": lossSumCases,
  "cross-entropy": crossEntropyCases,
  "binary-cross-entropy": () => elementLossCases({}),
  "squared-error": () => [...elementLossCases({ factor: 1 }), ...elementLossCases({ factor: 0.5 })],
  "gradient-norm-partial": normPartialCases,
  "gradient-norm": normCases,
  sgd: () =>
    optimizerCases(
      ["velocity"],
      [
        { momentum: 0, dampening: 0, nesterov: 0, weightDecay: 0, clipValue: 0 },
        { momentum: 0.9, dampening: 0.3, nesterov: 0, weightDecay: 0.01, clipValue: 0.4 },
        { momentum: 0.8, dampening: 0, nesterov: 1, weightDecay: 0.1, clipValue: 0 },
      ],
    ),
  rmsprop: () =>
    optimizerCases(
      ["squareAverage", "gradientAverage", "velocity"],
      [
        { alpha: 0.99, eps: 1e-8, momentum: 0, centered: 0, weightDecay: 0, clipValue: 0 },
        { alpha: 0.9, eps: 1e-5, momentum: 0.5, centered: 1, weightDecay: 0.01, clipValue: 0.4 },
      ],
    ),
  adam: () =>
    optimizerCases(
      ["firstMoment", "secondMoment"],
      [
        { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, decoupled: 0, clipValue: 0 },
        { beta1: 0.8, beta2: 0.95, eps: 1e-6, weightDecay: 0.1, decoupled: 0, clipValue: 0.4 },
        { beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, decoupled: 1, clipValue: 0 },
      ],
    ),
  "sample-token": sampleCases,
  "choose-tokens": chooseCases,
  "advance-position": () => [{ params: { by: 3 }, arrays: { position: Uint32Array.of(0xfffffff0, 1) } }],
};

/** The cases of a kernel; empty if nobody has written any. */
export function casesOf(kernel: Kernel): KernelCase[] {
  beginCases();
  return (kernel.recurrent ? recurrentCases : table[stemOf(kernel)])?.(kernel) ?? [];
}
