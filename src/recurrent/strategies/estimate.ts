/**
 * Estimates what a time step costs a GPU, for the choice of a strategy where nothing was measured. `npm run kernels`
 * estimates with the same formula from machine code (`scripts/kernels/estimate.ts`).
 */
import { holdsWeights, sharedGroup } from "../kernels/loop.ts";
import { weightWords } from "../kernels/recurrent-kernel.ts";
import { rowsPerThread, sharedStep } from "../kernels/step.ts";
import type { LayerShape } from "./strategy.ts";

/** A GPU as estimates know it. */
export interface Gpu {
  readonly computeUnits: number;
  readonly simdsPerUnit: number;
  readonly clockGHz: number;
  /** Threads that execute an instruction together, and the cycles that a SIMD issues a vector instruction for. */
  readonly waveSize: number;
  readonly vectorCycles: number;
  /** What a compute unit reads through its own cache, and all of them through L2. */
  readonly cacheBytesPerCycle: number;
  readonly l2BytesPerCycle: number;
  /** Cost of a dispatch that waits for the one before. */
  readonly dispatchMicroseconds: number;
}

/** Radeon RX 6800. Compute units and clock are the maker's; a dependent dispatch is taken as the middle of 2 to 6 µs. */
export const midRangeGpu: Gpu = {
  computeUnits: 60,
  simdsPerUnit: 2,
  clockGHz: 2.1,
  waveSize: 64,
  vectorCycles: 2,
  cacheBytesPerCycle: 64,
  l2BytesPerCycle: 1024,
  dispatchMicroseconds: 4,
};

/** What is done in a time step. */
export interface StepWork {
  readonly workgroups: number;
  /** Bytes of weights that a workgroup reads. */
  readonly bytes: number;
  /** Cycles in which a compute unit does all else. */
  readonly cycles: number;
  readonly dispatches: 0 | 1;
}

/** Rows of a workgroup, its threads, and those that share a sum. */
interface Group {
  readonly rows: number;
  readonly constants: { readonly shares: number; readonly threads: number };
}

/** Workgroups of the compute unit that has the most. */
export const groupsPerUnit = ({ computeUnits }: Gpu, workgroups: number): number => Math.ceil(workgroups / computeUnits);

/** A step takes as long as its instructions or as reading its weights, whichever takes longer, and its dispatch. */
export function stepMicroseconds(gpu: Gpu, { workgroups, bytes, cycles, dispatches }: StepWork): number {
  const own = (groupsPerUnit(gpu, workgroups) * bytes) / gpu.cacheBytesPerCycle;
  const shared = (workgroups * bytes) / gpu.l2BytesPerCycle;
  return Math.max(cycles, own, shared) / (gpu.clockGHz * 1000) + dispatches * gpu.dispatchMicroseconds;
}

/**
 * Cycles of a SIMD for a piece of code, by those in which a wave issues it and those in which it alone would wait for memory. Waves
 * wait at the same time, but issue one after the other.
 */
const pieceCycles = (waves: number, issue: number, stalls: number): number => Math.max(issue + stalls, waves * issue);

/**
 * Microseconds of a time step in both strategies. In the loop each workgroup reads all weights; those of a step share
 * them out. Undefined where this does not decide: where the loop's threads keep the weights, and for layers that no loop
 * runs or whose heads read few of them.
 */
export function estimatedMicroseconds(
  { B, H, G, lanes, phases, heads, half, regularized }: Required<LayerShape>,
  mostThreads: number,
  gpu: Gpu = midRangeGpu,
): { readonly loop: number; readonly step: number } | undefined {
  const form = { shared: mostThreads, half };
  if (heads > 1 || regularized === "batch" || holdsWeights(H, G, form)) return undefined;
  const words = weightWords(G, form);
  /** For workgroups of so many units. Each phase multiplies all gates. */
  const of = (units: number, { rows, constants }: Group, dispatches: 0 | 1): number => {
    const { shares, threads } = constants;
    const workgroups = Math.ceil(H / units) * Math.ceil(B / rows) * lanes;
    const waves = Math.ceil((groupsPerUnit(gpu, workgroups) * Math.ceil(threads / gpu.waveSize)) / gpu.simdsPerUnit);
    // The numbers are fitted to machine code of 1 to 4 gates and rows and 160 to 512 units. What a step does once: it brings states or
    // gradients in, adds up shares of sums, and computes gates. For eight units of k there are products of all rows, and what
    // does not depend on rows: loads, addresses and waits.
    const once = pieceCycles(waves, 250 + 125 * G, 2200);
    const cycles = once + Math.ceil(H / 8 / shares) * pieceCycles(waves, 8 * G * rows * gpu.vectorCycles + 44, 300);
    return phases * stepMicroseconds(gpu, { workgroups, bytes: 4 * words * H * units, cycles, dispatches });
  };
  // With norms or zoneout a workgroup of the loop has one row, and a step has a second dispatch.
  const row = regularized === "row";
  const loop = of(H, sharedGroup(H, row ? 1 : B, G, form), 0);
  return { loop, step: of(sharedStep.units, { rows: rowsPerThread, constants: sharedStep }, 1) + (row ? gpu.dispatchMicroseconds : 0) };
}
