/** The two orders of the rows of recurrent weights: [gate, unit] in files, [unit, lane] on devices. */
import type { FloatArray } from "../tensor/tensor.ts";

export interface GateOrder {
  /** Gates of a unit in files; 1 for everything that is not a recurrent layer's. */
  readonly gates: number;
  /** For each gate of a unit on the device, its gate in files; -1 for zeros that files do not have. */
  readonly lanes: readonly number[];
}

/** Numbers on a device of an array that has `size` in files. */
export const deviceSizeOf = (size: number, { gates, lanes }: GateOrder): number => (size / gates) * lanes.length;

/**
 * A copy of an array in the device's order, or with `back` in that of files.
 * @param size its numbers in files
 * @param rows its rows in files
 */
export function reordered(values: FloatArray, size: number, rows: number, order: GateOrder, back: boolean): FloatArray {
  const { gates, lanes } = order;
  if (lanes.length === 1) return values.slice();
  const length = back ? size : deviceSizeOf(size, order);
  const result = values instanceof Float64Array ? new Float64Array(length) : new Float32Array(length);
  const units = rows / gates;
  const width = size / rows;
  for (let unit = 0; unit < units; unit++) {
    for (let lane = 0; lane < lanes.length; lane++) {
      if (lanes[lane] < 0) continue;
      const fileRow = lanes[lane] * units + unit;
      const deviceRow = unit * lanes.length + lane;
      const [from, to] = back ? [deviceRow, fileRow] : [fileRow, deviceRow];
      result.set(values.subarray(from * width, (from + 1) * width), to * width);
    }
  }
  return result;
}
