/**
 * Kernels that have a WebAssembly version: kernel name -> a function that turns addresses and params into calls.
 * A kernel that is not listed here runs as its twin; recurrent ones are in fast-recurrent.ts.
 */
import { RnnError } from "../../errors.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM } from "../../kernels/matmul.ts";
import { direct, needing, blockOf, worthSharing, type Addresses, type FastKernel, type Keep, type Params, type Pieces } from "./calls.ts";
import { Part } from "../../part.ts";
import { recurrentKernel } from "./fast-recurrent.ts";
import { keptPanels, panelsLength, panelStrides } from "./panels.ts";
import type { WasmExports } from "./wasm-code.ts";
import type { Means } from "./work-space.ts";

/** A kernel that consists of calls of exports only. */
type PlainKernel = (at: Addresses, params: Params) => Pieces;

/** Cuts [first, end) into parts of `size`. If less than `least` is left over, the last part has that too. */
function partsOf(first: number, end: number, size: number, least: number): [from: number, to: number][] {
  const count = Math.max(1, Math.floor((end - first - least) / size) + 1);
  return Array.from({ length: count }, (_, i) => [first + i * size, i + 1 === count ? end : first + (i + 1) * size]);
}

function matmulKernel({ exports, threads }: Means): PlainKernel & FastKernel {
  return (at: Addresses, p: Params, _?: unknown, keep?: Keep) => {
    const a = at.a + 4 * p.aOffset;
    const c = at.c + 4 * p.cOffset;
    const bias = p.useBias ? at.bias : 0;
    const { M, N, K, batch, aBatch, aRow, aColumn, cBatch, cRow, accumulate } = p;
    // A matrix that all products share is packed once.
    const count = p.bBatch === 0 ? 1 : batch;
    const matrix = { binding: "b", address: at.b, count, apart: p.bBatch, offset: p.bOffset, N, K };
    const panels = keep && keptPanels(keep, exports, matrix, ["packPanels", N, K, p.bRow, p.bColumn]);
    const b = panels ?? at.b + 4 * p.bOffset;
    const { bRow, bColumn, bBatch } = panels === undefined ? p : { ...panelStrides, bBatch: count === 1 ? 0 : panelsLength(N, K) };
    // Parts have at least 16 rows. That is a cache line of a transposed A, and enough that results do not depend on the
    // number of parts.
    const least = batch === 1 && M * N * K >= worthSharing ? 16 : M;
    // On one thread, a large product is cut in the same way, so that the event loop can run.
    const [rows, columns] = least === 16 ? blockOf(N, K) : [M, N];
    return threads.parallel(
      M,
      least,
      (first, end) =>
        partsOf(first, end, rows, least).flatMap(([from, to]) =>
          partsOf(0, N, columns, 1).map(([column, last]) => {
            return {
              name: "matmul",
              args: [
                a + 4 * from * aRow,
                b + 4 * column * (panels === undefined ? bColumn : K),
                bias && bias + 4 * column,
                c + 4 * (from * cRow + column),
                to - from,
                last - column,
                K,
                batch,
                aBatch,
                aRow,
                aColumn,
                bBatch,
                bRow,
                bColumn,
                cBatch,
                cRow,
                accumulate,
              ],
            };
          }),
        ),
      1,
    );
  };
}

/** A product with A = dYᵀ, and the sums of A's rows, which are the columns of a contiguous dY. */
function matmulWithSums(exports: WasmExports, product: PlainKernel): FastKernel {
  return (at, p) => {
    if (p.aRow !== 1 || p.aColumn !== p.M) throw new RnnError("shape", "CpuBackend", "row sums need A = dYᵀ with a contiguous dY");
    const x = at.a + 4 * p.aOffset;
    const { M, K, accumulate } = p;
    return [...product(at, p), () => exports.columnSum(x, at.sums, K, M, accumulate)];
  };
}

/**
 * Orders the indices: last the one along which the output is contiguous, before it the one along which the input is.
 * `wasm/copies.ts` then copies rows or blocks.
 */
function stridedCopyKernel(exports: WasmExports): PlainKernel {
  return (at, p) => {
    const indices = [0, 1, 2].map((i) => ({ size: p[`size${i}`], from: 4 * p[`from${i}`], to: 4 * p[`to${i}`] }));
    // The strides of an index of size 1 do not matter.
    const rank = ({ size, from, to }: (typeof indices)[number]): number => (size === 1 ? 0 : to === 4 ? 2 : from === 4 ? 1 : 0);
    const [i, j, k] = indices.sort((a, b) => rank(a) - rank(b));
    const from = at.input + 4 * p.fromOffset;
    const to = at.output + 4 * p.toOffset;
    return [() => exports.stridedCopy(from, to, i.size, j.size, k.size, i.from, j.from, k.from, i.to, j.to, k.to, p.accumulate)];
  };
}

/** Made of copies and a gather, which have WebAssembly versions. */
function prepareLayerKernel(exports: WasmExports): FastKernel {
  const copy = stridedCopyKernel(exports);
  return (at, { H, G, width, fanIn, biasRow, useBias, backward, rows, columns, firstId }) => {
    const packed = { size0: fanIn, fromOffset: 0, toOffset: 0, to0: H * width, accumulate: 0 };
    // Without gaps between units, the gates of all units are one run.
    const [units, gates] = width === G ? [1, H * G] : [H, G];
    const forward = copy(
      { input: at.weight, output: at.forwardWeights },
      { ...packed, size1: units, size2: gates, from0: 1, from1: gates * fanIn, from2: fanIn, to1: width, to2: 1 },
    );
    const back = Array.from({ length: H / fanIn }, (_, head) => {
      const block = fanIn * G;
      return copy(
        { input: at.weight + 4 * head * block * fanIn, output: at.backwardWeights + 4 * head * fanIn * width },
        { ...packed, size1: fanIn, size2: G, from0: block, from1: 1, from2: fanIn, to1: width, to2: 1 },
      );
    }).flat();
    const last = at.forwardWeights + 4 * biasRow * H * width;
    return [
      ...forward,
      // The sum of one row is the row; of no rows, zeros.
      ...Array.from(
        { length: units },
        (_, unit) => () => exports.columnSum(at.bias + 4 * unit * gates, last + 4 * unit * width, useBias, gates, 0),
      ),
      ...(backward ? back : []),
      ...(rows ? [() => exports.embeddingGather(at.table, at.ids + 4 * firstId, at.gathered, rows, columns)] : []),
    ];
  };
}

const runningKernels = (exports: WasmExports, product: PlainKernel & FastKernel): [string, FastKernel][] => [
  ...[matmulNaive, matmulSmallM, ...matmulBlocks].map(({ name }): [string, FastKernel] => [name, product]),
  ...matmulBlocksWithSums.map(({ name }): [string, FastKernel] => [name, matmulWithSums(exports, product)]),
  ["strided-copy", stridedCopyKernel(exports)],
  ["prepare-layer", prepareLayerKernel(exports)],
  ["column-sum", direct(exports, "columnSum", ["x", "sums"], ["rows", "columns", "accumulate"])],
  ["softmax-forward", direct(exports, "softmaxForward", ["x", "y"], ["rows", "columns", "log"])],
  ["activation-forward", direct(exports, "activationForward", ["x", "y"], ["length", "kind"])],
  ["mask-steps", direct(exports, "maskSteps", ["x", "lengths", "y"], ["T", "B", "H", "accumulate"])],
  [
    "embedding-gather",
    (at, { rows, columns, firstId }) => [() => exports.embeddingGather(at.weight, at.ids + 4 * firstId, at.y, rows, columns)],
  ],
];

/** Kernels of fast-training.ts. */
const trainingNames = [
  "softmax-backward",
  "cross-entropy",
  "squared-error",
  "activation-backward",
  "dropout",
  "embedding-scatter",
  "gradient-norm-partial",
  "gradient-norm",
  "sgd",
  "rmsprop",
  "adam",
] as const;

const trainingCalls = new Part("training on the CPU", () => import("./fast-training.ts"));

function trainingKernel(exports: WasmExports, name: (typeof trainingNames)[number]): FastKernel {
  return needing(["training"], (...given) => trainingCalls.now.trainingKernels[name](exports)(...given), trainingCalls);
}

/** Kernels of fast-operators.ts. */
const operatorNames = ["binary", "pick", "unfold", "normalize-forward"] as const;

const operatorCalls = new Part("operators on the CPU", () => import("./fast-operators.ts"));

function operatorKernel(exports: WasmExports, name: (typeof operatorNames)[number]): FastKernel {
  return needing(["operators"], (...given) => operatorCalls.now.operatorKernels[name](exports)(...given), operatorCalls);
}

/** The WebAssembly version of a kernel, if it has one. */
export function fastKernels(means: Means): (kernel: Kernel) => FastKernel | undefined {
  const { exports } = means;
  const byName = new Map<string, FastKernel>([
    ...runningKernels(exports, matmulKernel(means)),
    ...trainingNames.map((name): [string, FastKernel] => [name, trainingKernel(exports, name)]),
    ...operatorNames.map((name): [string, FastKernel] => [name, operatorKernel(exports, name)]),
  ]);
  return ({ name, recurrent }) => (recurrent ? recurrentKernel(recurrent, means) : byName.get(name));
}
