/** The cases of kernels of general operators. */
import { binaryNames } from "../../kernels/binary.ts";
import { unaryNames, type UnaryName } from "../../kernels/unary-names.ts";
import { both, floats, integers, lengths, spare, type KernelCase } from "./case-values.ts";

/** Sizes and strides of operands that are repeated along no, some or all indices. */
const binarySpaces = [
  [1, 1, 1, 1],
  [2, 3, 5, 7],
  [1, 1, 3, 65],
].flatMap(([size0, size1, size2, size3]) =>
  [
    [
      [1, 1, 1, 1],
      [1, 1, 1, 1],
    ],
    [
      [1, 1, 0, 1],
      [1, 0, 1, 1],
    ],
    [
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ],
  ].map(([repeatsA, repeatsB]) => {
    const strides = [size1 * size2 * size3, size2 * size3, size3, 1];
    const [a0, a1, a2, a3] = strides.map((stride, index) => stride * repeatsA[index]);
    const [b0, b1, b2, b3] = strides.map((stride, index) => stride * repeatsB[index]);
    return { size: size0 * strides[0], space: { size0, size1, size2, size3, a0, a1, a2, a3, b0, b1, b2, b3 } };
  }),
);

/** Numbers of both signs and zeros, with many pairs of equal ones; exponents of a power are integers and halves too. */
const coarse = (length: number): Float32Array => floats(length, -3, 3).map((x, i) => (i % 3 === 0 ? x : Math.round(2 * x) / 2));

const binaryCases = (): KernelCase[] =>
  binaryNames.flatMap((note, kind) =>
    binarySpaces.map(({ size, space }, i): KernelCase => ({
      note,
      params: { ...space, kind, accumulate: i % 2 },
      arrays: { a: coarse(size), b: coarse(size), y: floats(size + spare) },
    })),
  );

const binaryGradientCases = (): KernelCase[] =>
  (["divide", "power", "maximum", "minimum", "keep", "drop"] as const).flatMap((note) =>
    binarySpaces.flatMap(({ size, space }, i) =>
      (note === "keep" || note === "drop" ? [1] : both).map((second): KernelCase => {
        const [a, b] = note === "power" ? [floats(size, 0.2, 2), coarse(size)] : [coarse(size), coarse(size)];
        const params = { ...space, kind: binaryNames.indexOf(note), second, accumulate: i % 2 };
        return { note, params, arrays: { a, b, y: floats(size, 0.5, 2), dy: floats(size), dx: floats(size + spare) } };
      }),
    ),
  );

/** α and β of a function in the cases; the limits of a clip are among the values. */
const parametersOf = (name: UnaryName): readonly [alpha: number, beta: number] => (name === "Clip" ? [-0.5, 1.5] : [0.3, 0.6]);

const unaryCases = (backward: boolean): KernelCase[] =>
  unaryNames.flatMap((note, kind) => {
    const [alpha, beta] = parametersOf(note);
    return lengths.map((length): KernelCase => {
      // Values at kinks and halves too; a root and a logarithm of positive numbers only.
      const x = floats(length + spare, -6, 6).map((value, i) => (i % 5 === 1 ? Math.round(2 * value) / 2 : value));
      if (["Sqrt", "Log", "Reciprocal"].includes(note)) x.forEach((value, i) => (x[i] = Math.abs(value) + 0.1));
      const params = { length, kind, alpha, beta };
      if (!backward) return { note, params, arrays: { x, y: floats(length + spare) } };
      const arrays = { x, y: floats(length + spare, 0.1, 0.9), dy: floats(length + spare), dx: floats(length + spare) };
      return { note, params: { ...params, accumulate: length % 2 }, arrays };
    });
  });

const unarySaturated: KernelCase[] = (["Exp", "Erf", "Gelu", "GeluTanh", "Silu", "Selu", "Softplus"] as const).map((note) => ({
  note: `${note}: arguments at which exp and tanh overflow`,
  params: { length: 6, kind: unaryNames.indexOf(note), alpha: 0.3, beta: 0.6 },
  arrays: { x: Float32Array.of(-1e6, -200, -90, 90, 200, 1e6), y: floats(6) },
}));

/** Sizes before, of and after an axis. */
const around = [
  [1, 1, 1],
  [3, 5, 1],
  [2, 7, 9],
  [1, 65, 3],
] as const;

const pickCases = (): KernelCase[] =>
  around.flatMap(([outer, size, inner]) =>
    both.map((accumulate): KernelCase => {
      // Lists of none to three sources.
      const counts = [...integers(size + 2, 3)];
      const starts = Uint32Array.from([0, ...counts], (_, i) => counts.slice(0, i).reduce((sum, count) => sum + count, 0));
      const count = counts.length;
      return {
        params: { outer, size, inner, count, fill: -2.5, accumulate },
        arrays: {
          x: floats(outer * size * inner),
          starts,
          sources: integers(starts[count] + 1, size - 1),
          y: floats(outer * count * inner + spare),
        },
      };
    }),
  );

/** [batch, channels, length, groups, taps, stride, dilation, before, positions] */
const windowSizes = [
  [1, 1, 1, 1, 1, 1, 1, 0, 1],
  [2, 6, 11, 3, 3, 2, 1, 1, 6],
  [1, 4, 20, 1, 5, 1, 2, 8, 20],
  [3, 5, 9, 5, 4, 3, 1, 2, 3],
] as const;

const windowCases = (names: readonly string[]): KernelCase[] =>
  windowSizes.flatMap(([batch, channels, length, groups, taps, stride, dilation, before, positions]) =>
    both.map((last): KernelCase => {
      const layout = last ? { xChannel: 1, xStep: channels } : { xChannel: length, xStep: 1 };
      const sizes = { batch, channels, length, groups, positions, taps, stride, dilation, before, xBatch: channels * length, ...layout };
      const lengthsOf: Readonly<Record<string, number>> = { x: batch * channels * length, windows: batch * channels * positions * taps };
      return {
        note: last ? "channels last" : "channels first",
        params: { ...sizes, fill: -1.5, accumulate: (batch + last) % 2 },
        arrays: Object.fromEntries(names.map((name, i) => [name, floats(lengthsOf[name] + (i ? spare : 0))])),
      };
    }),
  );

/** With many equal elements. */
const extremeForwardCases = (): KernelCase[] =>
  around.flatMap(([outer, size, inner]) =>
    [1, -1].map((sign) => ({
      params: { outer, size, inner, sign },
      arrays: { x: coarse(outer * size * inner), y: floats(outer * inner + spare), places: floats(outer * inner + spare) },
    })),
  );

const extremeBackwardCases = (): KernelCase[] =>
  around.flatMap(([outer, size, inner]) =>
    both.map((accumulate) => ({
      params: { outer, size, inner, accumulate },
      arrays: {
        places: Float32Array.from(integers(outer * inner, size - 1)),
        dy: floats(outer * inner),
        dx: floats(outer * size * inner + spare),
      },
    })),
  );

const cumulativeSumCases = (): KernelCase[] =>
  around.flatMap(([outer, size, inner]) =>
    both.flatMap((reverse) =>
      both.map((exclusive) => ({
        params: { outer, size, inner, reverse, exclusive, accumulate: (reverse + exclusive) % 2 },
        arrays: { x: floats(outer * size * inner), y: floats(outer * size * inner + spare) },
      })),
    ),
  );

const shiftRowsCases = (): KernelCase[] =>
  around.flatMap(([rows, size, inner]) =>
    both.flatMap((back) =>
      [0, 2].map((before): KernelCase => {
        const [outer, count] = [2 * rows, size + 3];
        return {
          params: { rows, outer, size, inner, count, before, back, accumulate: before / 2 },
          arrays: { x: floats(outer * size * inner), lengths: integers(rows, size + 1), y: floats(outer * count * inner + spare) },
        };
      }),
    ),
  );

/** Rows and columns around the sizes where eight threads, and where 64 threads, share a row. */
const rows = [
  [1, 2],
  [9, 7],
  [8, 8],
  [5, 65],
  [3, 256],
  [2, 257],
] as const;

const normalizeCases = (backward: boolean): KernelCase[] =>
  rows.map(([rows, columns]): KernelCase => {
    const size = rows * columns;
    const params = { rows, columns, eps: 1e-2 };
    if (backward)
      return {
        params: { ...params, accumulate: rows % 2 },
        arrays: { y: floats(size, -2, 2), variances: floats(rows, 0.2, 2), dy: floats(size), dx: floats(size + spare) },
      };
    return {
      params,
      arrays: { x: floats(size, -2, 5), y: floats(size + spare), means: floats(rows + spare), variances: floats(rows + spare) },
    };
  });

/** Cases by the stem of the kernel's name. */
export const operatorCases: Readonly<Record<string, () => KernelCase[]>> = {
  binary: binaryCases,
  "binary-gradient": binaryGradientCases,
  "unary-forward": () => [...unaryCases(false), ...unarySaturated],
  "unary-backward": () => unaryCases(true),
  pick: pickCases,
  "shift-rows": shiftRowsCases,
  unfold: () => windowCases(["x", "windows"]),
  fold: () => windowCases(["windows", "x"]),
  "extreme-forward": extremeForwardCases,
  "extreme-backward": extremeBackwardCases,
  "cumulative-sum": cumulativeSumCases,
  "normalize-forward": () => normalizeCases(false),
  "normalize-backward": () => normalizeCases(true),
};
