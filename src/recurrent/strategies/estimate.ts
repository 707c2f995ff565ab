/**
 * Estimates what a time step costs a GPU, for the choice of a strategy where nothing was measured. `npm run kernels`
 * estimates with the same formula from machine code (`scripts/kernels/estimate.ts`).
 */
import { holdsWeights, sharedRows } from "../kernels/loop.ts";
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

/** Workgroups of the compute unit that has the most. */
export const groupsPerUnit = ({ computeUnits }: Gpu, workgroups: number): number => Math.ceil(workgroups / computeUnits);

/** A step takes as long as its instructions or as reading its weights, whichever takes longer, and its dispatch. */
export function stepMicroseconds(gpu: Gpu, { workgroups, bytes, cycles, dispatches }: StepWork): number {
  const own = (groupsPerUnit(gpu, workgroups) * bytes) / gpu.cacheBytesPerCycle;
  const shared = (workgroups * bytes) / gpu.l2BytesPerCycle;
  return Math.max(cycles, own, shared) / (gpu.clockGHz * 1000) + dispatches * gpu.dispatchMicroseconds;
}

/** Instructions of an inner loop besides the G multiply-adds of a product, in the machine code for four rows: loads, addresses, waits. */
const otherInstructions = 1.6;
/** Cycles for what a step does once: it brings states or gradients in, adds up shares of sums, and computes gates. */
const onceCycles = 2000;

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
  /** For workgroups that compute so many rows of the batch, and so many units. Each phase multiplies all gates. */
  const of = (rows: number, units: number, dispatches: 0 | 1): number => {
    const workgroups = Math.ceil(H / units) * Math.ceil(B / rows) * lanes;
    const instructions = (groupsPerUnit(gpu, workgroups) * rows * units * H * (G + otherInstructions)) / (gpu.waveSize * gpu.simdsPerUnit);
    const cycles = onceCycles + instructions * gpu.vectorCycles;
    return phases * stepMicroseconds(gpu, { workgroups, bytes: 4 * words * H * units, cycles, dispatches });
  };
  const step = of(rowsPerThread, sharedStep.units, 1);
  // With norms or zoneout a workgroup of the loop has one row, and a step has a second dispatch.
  if (regularized === "row") return { loop: of(1, H, 0), step: step + gpu.dispatchMicroseconds };
  return { loop: of(sharedRows(H, B, G, form), H, 0), step };
}
