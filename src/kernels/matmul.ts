/**
 * Batched, strided matrix product: C[i] = A[i]·B[i] (+ bias) (+ C[i]).
 *
 * Strides let one kernel read transposed operands, single gates and slices: element (m, k) of A[i] is at
 * `aOffset + i*aBatch + m*aRow + k*aColumn`. Columns of C are contiguous.
 */
import type { Avoided } from "./self-test.ts";
import { defineKernel, type Params, type Workgroups } from "./kernel.ts";

const bindings = {
  a: { access: "read", type: "f32", shape: "[batch, M, K] by strides" },
  b: { access: "read", type: "f32", shape: "[batch, K, N] by strides" },
  bias: { access: "read", type: "f32", shape: "[N]; any buffer when useBias is 0" },
  c: { access: "read_write", type: "f32", shape: "[batch, M, N] by strides" },
} as const;

const params = {
  M: "u32",
  N: "u32",
  K: "u32",
  batch: "u32",
  aOffset: "u32",
  aBatch: "u32",
  aRow: "u32",
  aColumn: "u32",
  bOffset: "u32",
  bBatch: "u32",
  bRow: "u32",
  bColumn: "u32",
  cOffset: "u32",
  cBatch: "u32",
  cRow: "u32",
  useBias: "u32",
  accumulate: "u32",
} as const;

export type MatmulParams = Params<typeof params>;

/** One thread per element of C; the other variants are compared with it. */
export const matmulNaive = defineKernel({
  name: "matmul-naive",
  sources: ["lib/matmul", "lib/operands-strided", "matmul-naive"],
  bindings,
  params,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / 8), Math.ceil(M / 8), batch],
});

/** For few rows and a long K: eight columns per workgroup, eight threads share each sum over K. */
export const matmulSmallM = defineKernel({
  name: "matmul-small-m",
  sources: ["lib/matmul", "lib/operands-strided", "matmul-small-m"],
  bindings,
  params,
  workgroups: ({ M, N, batch }) => [Math.ceil(N / 8), M, batch],
});

/**
 * The layout of the operands, first A, then B: "n" is row-major, "t" transposed; both are read as vec4. "strided" is
 * everything else, read element by element.
 */
export type Operands = "nn" | "nt" | "tn" | "tt" | "strided";

/**
 * The block of C that a thread computes: 8 x 8 ("large") or 4 x 4 ("small"). In a "split" product sixteen threads share
 * each block; each computes a part of K. In a "staged" one, with blocks of 8 x 8, a workgroup's threads share what they read.
 */
const tiles = ["block large", "block small", "split large", "split small", "staged large"] as const;
type Tile = (typeof tiles)[number];

/** Rows and columns of C that a workgroup computes. */
const sideOf = (tile: Tile): number => (tile.endsWith("large") ? 64 : 32) / (tile.startsWith("split") ? 2 : 1);

function variant(layout: Operands, tile: Tile, sums: "row-sums" | "no-row-sums") {
  const side = sideOf(tile);
  const operands = layout === "strided" ? "lib/operands-strided" : "lib/operands-vec4";
  const orientation: Record<string, number> =
    layout === "strided" ? {} : { aAlongK: layout[0] === "n" ? 1 : 0, bAlongK: layout[1] === "t" ? 1 : 0 };
  const [kind, size] = tile.split(" ");
  const shader = `matmul-${kind}`;
  return {
    name: `${shader}:${layout}-${size}${sums === "row-sums" ? "-sums" : ""}`,
    sources: ["lib/matmul", operands, "lib/blocks", `lib/${sums}`, shader],
    constants: { ...orientation, large: size === "large" ? 1 : 0 },
    params,
    workgroups: ({ M, N, batch }: MatmulParams): Workgroups => [Math.ceil(N / side), Math.ceil(M / side), batch],
  };
}

const block = (layout: Operands, tile: Tile): typeof matmulNaive => defineKernel({ ...variant(layout, tile, "no-row-sums"), bindings });

/** For A = dYᵀ and a batch of one: the product, and sums_m (+)= Σ_k A[m, k], the gradient of a bias beside its weight's. */
const blockWithSums = (layout: Operands, tile: Tile) =>
  defineKernel({
    ...variant(layout, tile, "row-sums"),
    bindings: { ...bindings, sums: { access: "read_write", type: "f32", shape: "[M]" } },
  });

const variants = <T>(layouts: readonly Operands[], make: (layout: Operands, tile: Tile) => T) =>
  new Map<string, T>(tiles.flatMap((tile) => layouts.map((layout) => [`${layout} ${tile}`, make(layout, tile)] as const)));
const blocks = variants(["nn", "nt", "tn", "tt", "strided"], block);
const blocksWithSums = variants(["tn", "strided"], blockWithSums);
/** All variants of the register-tiled product, by layout of the operands and by tile. */
export const matmulBlocks = [...blocks.values()];
export const matmulBlocksWithSums = [...blocksWithSums.values()];

const fours = (...numbers: number[]): boolean => numbers.every((n) => n % 4 === 0);

/** The layout of the operands for these params. */
export function operandsOf(p: MatmulParams): Operands {
  const { M, N, K } = p;
  if (!fours(p.aOffset, p.bOffset) || (p.batch > 1 && !fours(p.aBatch, p.bBatch))) return "strided";
  const a = p.aColumn === 1 && fours(p.aRow, K) ? "n" : p.aRow === 1 && fours(p.aColumn, M) ? "t" : undefined;
  const b = p.bColumn === 1 && fours(p.bRow, N) ? "n" : p.bRow === 1 && fours(p.bColumn, K) ? "t" : undefined;
  return a && b ? `${a}${b}` : "strided";
}

/** What the choice of a product depends on besides its shape; see `Target`. */
interface On {
  readonly isGpu?: boolean;
  readonly measured?: { splitPays(blocks: number): boolean };
  readonly avoided?: Avoided;
}

/** The variant that `calibrate` compares with the chosen one for the same product. */
export const matmulSplit = (p: MatmulParams): typeof matmulNaive => blocks.get(`${operandsOf(p)} ${splitTile(p)}`)!;

/**
 * The kernel for a product of this shape. Blocks of 8 x 8 need the fewest loads, but only a large C has enough of
 * them to keep a GPU busy; with very few rows and a long K, threads must share the sums. For other shapes with few
 * blocks in C, GPUs gain from sharing and software adapters lose; a profile says it exactly.
 */
export function chooseMatmul(p: MatmulParams, on: On = {}): typeof matmulNaive {
  // It waits for memory at each k, which a GPU does for four.
  const chosen = p.M <= 4 && p.K >= 512 && !on.isGpu ? matmulSmallM : blocks.get(variantFor(p, on))!;
  const standIns = [blocks.get(`${operandsOf(p)} block small`)!, blocks.get("strided block small")!, matmulNaive];
  return [chosen, ...standIns].find(({ name }) => !on.avoided?.has(name)) ?? chosen;
}

/**
 * The same for a product with A = dYᵀ that also sums the columns of dY; undefined if all kernels that do this are wrong
 * on this device.
 */
export function chooseMatmulWithSums(p: MatmulParams, on: On = {}): ReturnType<typeof blockWithSums> | undefined {
  return [variantFor(p, on), "strided block small"]
    .map((variant) => blocksWithSums.get(variant)!)
    .find(({ name }) => !on.avoided?.has(name));
}

const variantFor = (p: MatmulParams, on: On): string => `${operandsOf(p)} ${tileFor(p, on)}`;

/** The smallest K that is shared: a thread then has two blocks of it. A profile, which has measured a longer one, decides from four on. */
const leastSplitK = 128;
const leastSplitKMeasured = 256;
/** A GPU with fewer workgroups than this idles. Each is a wave or two if K is not shared. */
const enoughGroups = 128;
/** With so many, a wave that waits for its slice of a staged product has another beside it that computes. */
const enoughToStage = 2 * enoughGroups;

/** Number of squares of this side that cover C. */
export const squaresOf = ({ M, N, batch }: Pick<MatmulParams, "M" | "N" | "batch">, side: number): number =>
  Math.ceil(M / side) * Math.ceil(N / side) * batch;

function tileFor(p: MatmulParams, { isGpu, measured }: On): Tile {
  const whole = p.M > 4 && squaresOf(p, 8) >= 512 ? "block large" : "block small";
  const groups = squaresOf(p, sideOf(whole));
  // With few rows, a GPU's threads always share K; nothing else was measured or would keep them busy.
  const splits = (isGpu && p.M <= 4) || (measured ? measured.splitPays(squaresOf(p, 4)) : isGpu && groups < enoughGroups);
  if (splits && p.K >= (measured ? leastSplitKMeasured : leastSplitK)) return splitTile(p);
  return isGpu && whole === "block large" && groups >= enoughToStage && p.K % 16 === 0 ? "staged large" : whole;
}

/** Of the larger blocks, a quarter of the workgroups suffices, since each has four waves. Of four rows they would waste half. */
const splitTile = (p: MatmulParams): Tile =>
  p.M > 4 && squaresOf(p, sideOf("split large")) >= enoughGroups / 4 ? "split large" : "split small";
