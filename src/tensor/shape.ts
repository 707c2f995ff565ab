import { RnnError, show } from "../errors.ts";

/** Sizes of each dimension, outermost first (row-major). `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/**
 * Checks `shape` against a pattern whose strings stand for any size of at least 1.
 * @example checkShape("LSTM", "input", shape, ["steps", "batch", 28])
 * @throws RnnError `shape`: `LSTM: input must be [steps, batch, 28], got [35, 16, 27]`
 */
export function checkShape(where: string, name: string, shape: Shape, pattern: readonly (number | string)[]): void {
  const fits = shape.length === pattern.length && pattern.every((p, i) => (typeof p === "number" ? shape[i] === p : shape[i] >= 1));
  if (!fits) throw new RnnError("shape", where, `${name} must be [${pattern.join(", ")}], got ${show([...shape])}`);
}
