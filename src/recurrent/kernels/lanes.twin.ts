/** What twins ask of `lengths`, as shaders/lib/lane.wgsl does. */
import type { NumericArray } from "../../tensor/tensor.ts";
import { hasBits } from "./lanes.ts";

/** Whether a row has step t. */
export function hasStep(lengths: NumericArray, row: number, t: number): boolean {
  const steps = lengths[row];
  if (steps < hasBits) return t < steps;
  return ((lengths[steps - hasBits + (t >>> 5)] >>> (t & 31)) & 1) === 1;
}
