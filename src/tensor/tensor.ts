import { mostFloat, RnnError, show } from "../errors.ts";
import type { Shape } from "./shape.ts";

/** Floating-point numbers: float32, or float64 on a CPU backend with that precision. */
export type FloatArray = Float32Array | Float64Array;
/** The data of a tensor. */
export type NumericArray = FloatArray | Int32Array | Uint32Array;

/** A host tensor: row-major numbers and their shape. Plain data; nothing to dispose of. */
export interface Tensor<A extends NumericArray = NumericArray> {
  readonly shape: Shape;
  readonly data: A;
}

/** Describes the fault of a number that is not finite, or below `least`. */
export function finiteProblem(name: string, value: number, index: number, least: number): string {
  const also = Number.isFinite(value) && Math.abs(value) > mostFloat ? " up to 3.4e38, as float32 holds them" : "";
  return `${name} must be finite numbers${least === -mostFloat ? "" : ` of at least ${least}`}${also}, got ${value} at index ${index}`;
}

/**
 * Refuses class or token ids that are not integers in [0, count), except `ignore`.
 * @throws RnnError `data`
 */
export function checkIds(where: string, name: string, data: ArrayLike<number>, count: number, ignore?: number): void {
  for (let i = 0; i < data.length; i++) {
    const id = data[i];
    if (id === ignore || (Number.isInteger(id) && id >= 0 && id < count)) continue;
    throw new RnnError("data", where, `${name} must be integers from 0 to ${count - 1}, got ${show(id)} at index ${i}`);
  }
}
