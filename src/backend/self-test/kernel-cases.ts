/**
 * The cases on which `verify` and the tests run each kernel: params and buffer contents, at sizes around the tiles that
 * the kernel works in, so that every branch is reached.
 */
import { halfLength } from "../../kernels/half-storage.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { stemOf } from "../../kernels/twin.ts";
import { beginCases, both, floats, integers, lengths, spare, tables, type KernelCase } from "./case-values.ts";
import { matmulCases } from "./matmul-cases.ts";
import { operatorCases } from "./operator-cases.ts";
import { recurrentCases } from "./recurrent-cases.ts";
import { trainingCases } from "./training-cases.ts";

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
      [1.1, 0, 1],
    ].map(([temperature, topK, separate = 0]) => ({
      note: `temperature ${temperature}, topK ${topK}${separate ? ", separate rows" : ""}`,
      params: { rows, columns, capacity: 4, stream: 3, separate },
      arrays: {
        // Rounded coarsely, so that many logits are equal.
        logits: floats(rows * columns, -8, 8).map((x) => Math.round(x * 4) / 4),
        sampling: Float32Array.of(temperature, topK),
        random: Uint32Array.from({ length: separate ? 4 * rows : 4 }, (_, i) => [1, 2, 0xffffffff, 4][i % 4] + Math.floor(i / 4)),
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

/** Cases by the stem of the kernel's name. */
const table: Readonly<Record<string, (kernel: Kernel) => KernelCase[]>> = {
  ...matmulCases,
  ...trainingCases,
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
  "sample-token": sampleCases,
  "choose-tokens": chooseCases,
  "advance-position": () => [{ params: { by: 3 }, arrays: { position: Uint32Array.of(0xfffffff0, 1) } }],
};

/** The cases of a kernel; empty if nobody has written any. */
export function casesOf(kernel: Kernel): KernelCase[] {
  beginCases();
  return (kernel.recurrent ? recurrentCases : table[stemOf(kernel)])?.(kernel) ?? [];
}
