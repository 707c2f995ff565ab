/** What computes the steps of a stream: the recordings of a model, or those of a file. */
import type { Shape } from "../tensor/shape.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";

/** Rows of `stepRows` that one recording computes together: the largest that fit come first. */
export const rowSizes = [256, 64, 16, 4, 1];

/** Where a recording keeps a state. */
export interface StateMemory {
  readonly path: string;
  /** [layers, rows, units] */
  readonly shape: Shape;
  /** Its array may be another one after `begin`. */
  readonly buffer: { readonly array: NumericArray };
}

/** A recording of some steps of some rows, ready to run. */
export interface Ready {
  readonly states: readonly StateMemory[];
  /** Its input and its output; other arrays after `begin` if the memory has grown. */
  readonly from: NumericArray;
  readonly to: NumericArray;
  /** Computes `to` and the next states. Allocates nothing. */
  run(): void;
}

export interface Executor {
  /** Rows of a frame. */
  readonly batch: number;
  /** Numbers of one row in a frame, and in the result of a step. */
  readonly inputSize: number;
  readonly outputSize: number;
  /** Number of ids, if the frames are ids. */
  readonly ids: number | undefined;
  /** Whether one recording can compute several steps. */
  readonly runsTogether: boolean;
  /** One step of all rows. Its states are the stream's. */
  readonly one: Ready;
  /** Several steps of all rows, with the states of `one`. */
  several(steps: number): Ready;
  /** One step of some rows, with states of its own. */
  some(rows: number): Ready;
  /** What one row of a state begins with, [layers, units]; undefined for zeros. */
  firstOf(path: string): FloatArray | undefined;
  /** Must be called before each run. @returns what rows began with before, if they begin with something else now */
  begin(ready: Ready): ReadonlyMap<string, FloatArray> | undefined;
  free(): void;
}
