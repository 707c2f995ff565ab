/**
 * Estimates what a time step costs a GPU, for the choice of a strategy where nothing was measured. `npm run kernels`
 * estimates with the same formula from machine code (`scripts/kernels/estimate.ts`).
 */
import { holdsWeights, isSmall, sharedGroup } from "../kernels/loop.ts";
import { weightWords } from "../kernels/recurrent-kernel.ts";
import { sharedStep, stepRows } from "../kernels/step.ts";
import type { LayerShape } from "./strategy.ts";

/** A GPU as estimates know it. */
export interface Gpu {
  /** What runs a whole workgroup on four SIMDs: a compute unit, or on AMD's RDNA a pair of them. */
  readonly units: number;
  readonly clockMHz: number;
  /** Cycles that a SIMD issues a vector instruction for, for a wave of 64 threads. */
  readonly vectorCycles: number;
  /** Bytes a cycle: what a unit reads through its own caches, and all of them through L2. */
  readonly cacheBytes: number;
  readonly l2Bytes: number;
  /** Cost of a dispatch that waits for the one before. */
  readonly dispatchMicroseconds: number;
}

/**
 * Radeon RX 6800: 60 compute units in pairs, each with two SIMDs and a cache. These and the clock are the maker's; a dependent dispatch
 * is taken as the middle of 2 to 6 µs.
 */
export const midRangeGpu: Gpu = { units: 30, clockMHz: 2100, vectorCycles: 2, cacheBytes: 128, l2Bytes: 1024, dispatchMicroseconds: 4 };

/** An integrated GPU of AMD's GCN: Radeon Vega 8 of a Ryzen 4000. */
export const smallGpu: Gpu = { ...midRangeGpu, units: 8, clockMHz: 1750, vectorCycles: 4, cacheBytes: 64, l2Bytes: 256 };

/** What is done in a time step. */
export interface StepWork {
  readonly workgroups: number;
  /** Bytes of weights that a workgroup reads. */
  readonly bytes: number;
  /** Cycles in which a unit does all else. */
  readonly cycles: number;
  readonly dispatches: 0 | 1;
}

/** Rows of a workgroup, its threads, and those that share a sum. */
interface Group {
  readonly rows: number;
  readonly constants: { readonly shares: number; readonly threads: number };
}

/** Workgroups of the unit that has the most. */
export const groupsPerUnit = ({ units }: Gpu, workgroups: number): number => Math.ceil(workgroups / units);

/** A step takes as long as its instructions or as reading its weights, whichever takes longer, and its dispatch. */
export function stepMicroseconds(gpu: Gpu, { workgroups, bytes, cycles, dispatches }: StepWork): number {
  const read = bytes * Math.max(groupsPerUnit(gpu, workgroups) / gpu.cacheBytes, workgroups / gpu.l2Bytes);
  return Math.max(cycles, read) / gpu.clockMHz + dispatches * gpu.dispatchMicroseconds;
}

/**
 * Microseconds of a time step in both strategies. In the loop each workgroup reads all weights; those of a step share
 * them out. Undefined where this does not decide: where the loop's threads keep the weights, and for layers that no loop
 * runs or whose heads read few of them.
 */
export function estimatedMicroseconds(
  { B, H, G, lanes, phases, heads, half, regularized }: Required<LayerShape>,
  mostThreads: number,
  gpu: Gpu = isSmall({ shared: mostThreads }) ? smallGpu : midRangeGpu,
): { readonly loop: number; readonly step: number } | undefined {
  const form = { shared: mostThreads, half };
  if (heads > 1 || regularized === "batch" || holdsWeights(H, G, form)) return undefined;
  /** For workgroups of so many units. Each phase multiplies all gates. */
  const of = (units: number, { rows, constants }: Group, dispatches: 0 | 1): number => {
    const workgroups = Math.ceil(H / units) * Math.ceil(B / rows) * lanes;
    // Waves of 64 threads on each of a unit's four SIMDs, as if all had room: those that wait for room take about as long.
    const waves = Math.ceil((groupsPerUnit(gpu, workgroups) * constants.threads) / 256);
    // Cycles of a piece of work, by those of its vector instructions and of its waits. Waves wait together, but issue one after the other.
    const piece = (issue: number, stalls: number): number => Math.max(issue + stalls, waves * issue);
    // The numbers are fitted to machine code of 1 to 4 gates and rows and 128 to 1,024 units. Once a step: loading states or
    // gradients, adding up shares of sums, computing gates. For each eight units of k: the products of all rows, and what does
    // not depend on rows, which is loads, addresses and waits.
    const once = piece(38 * (G + 4) * gpu.vectorCycles, dispatches ? 1000 : 1700);
    const cycles = once + Math.ceil(H / 8 / constants.shares) * piece((8.6 * G * rows + 18) * gpu.vectorCycles, 300);
    return phases * stepMicroseconds(gpu, { workgroups, bytes: 4 * weightWords(G, form) * H * units, cycles, dispatches });
  };
  // With norms or zoneout a workgroup of the loop has one row, and a step has a second dispatch.
  const row = regularized === "row";
  const loop = of(H, sharedGroup(H, row ? 1 : B, G, form), 0);
  const constants = sharedStep({});
  const rows = row ? 4 : stepRows(form, G, B, H);
  return { loop, step: of(constants.units, { rows, constants }, 1) + (row ? gpu.dispatchMicroseconds : 0) };
}
