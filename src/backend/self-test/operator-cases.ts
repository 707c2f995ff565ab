/** The cases of kernels of general operators. */
import { binaryNames } from "../../kernels/binary.ts";
import { unaryNames, type UnaryName } from "../../kernels/unary.ts";
import { floats, spare, type KernelCase } from "./case-values.ts";

/** Sizes around one workgroup of an element-wise kernel, and primes. */
const lengths = [1, 63, 64, 65, 257];
const both = [0, 1] as const;

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

/** α and β of a function in the cases. */
const parametersOf = (name: UnaryName): readonly [alpha: number, beta: number] => (name === "Clip" ? [-0.7, 1.1] : [0.3, 0.6]);

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

/** Cases by the stem of the kernel's name. */
export const operatorCases: Readonly<Record<string, () => KernelCase[]>> = {
  binary: binaryCases,
  "binary-gradient": binaryGradientCases,
  "unary-forward": () => [...unaryCases(false), ...unarySaturated],
  "unary-backward": () => unaryCases(true),
};
