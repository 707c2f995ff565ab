/** The cases of the kernels that only training runs: losses, the norm of the gradient, optimisers. */
import { normGroups } from "../../kernels/gradient-norm.ts";
import { keptLength } from "../../kernels/optimizers.ts";
import { floats, integers, lengths, spare, tables, vectors, type KernelCase } from "./case-values.ts";

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

const lossSumCases = (): KernelCase[] =>
  [1, 255, 256, 257, 2003].map((length) => ({
    params: { length },
    arrays: { losses: floats(length, 0, 2), normalizer: Float32Array.of(3, 0.37), loss: floats(1 + spare) },
  }));

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

/** Cases by the stem of the kernel's name. */
export const trainingCases: Readonly<Record<string, () => KernelCase[]>> = {
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
};
