/** Estimates what a time step costs a GPU on which nothing was measured. */
import { holdsWeights } from "../kernels/loop.ts";
import type { LayerShape } from "./strategy.ts";

/**
 * A mid-range GPU, as `scripts/kernels/estimate.mjs` describes it: compute units, bytes that one of them reads in a
 * microsecond, and microseconds of a dispatch that waits for the one before and of what it does besides reading weights.
 */
const gpu = { computeUnits: 60, bytes: 64 * 2100, dispatch: 5 };

/**
 * Microseconds of a time step, of which reading weights takes most: in the loop each workgroup reads all of them, unless
 * its threads keep them; a step's workgroups have 32 units each. Undefined where this is not what counts.
 */
export function estimatedMicroseconds(
  { B, H, G, lanes, phases, regularized }: Required<LayerShape>,
  mostThreads: number,
): { readonly loop: number; readonly step: number } | undefined {
  if (phases > 1 || regularized !== "none" || holdsWeights(H, mostThreads)) return undefined;
  const fours = Math.ceil(B / 4) * lanes;
  const microseconds = (groups: number, units: number): number => (Math.ceil(groups / gpu.computeUnits) * 4 * G * H * units) / gpu.bytes;
  return { loop: microseconds(fours, H), step: gpu.dispatch + microseconds(fours * Math.ceil(H / 32), 32) };
}
