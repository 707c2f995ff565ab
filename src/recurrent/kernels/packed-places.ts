/** The places of packed weights, for the twins and for WebAssembly. */
import { laneStart } from "./lanes.ts";
import { matrixRows, perUnitRows, type KernelForm, type Read } from "./recurrent-kernel.ts";

/** The first of the `read` units whose states a unit reads. */
export const firstRead = (unit: number, read: number): number => (read === 0 ? 0 : unit - (unit % read));

/** Where a matrix of packed weights begins, in units of `weightWidth`. */
export const forwardMatrix = (cell: Read, n: number, H: number, form: KernelForm): number =>
  laneStart(n, (matrixRows(cell, H, form) + 1 + perUnitRows(cell)) * H);
export const backwardMatrix = (cell: Read, n: number, H: number, form: KernelForm): number =>
  laneStart(n, (matrixRows(cell, H, form) + perUnitRows(cell)) * H);
