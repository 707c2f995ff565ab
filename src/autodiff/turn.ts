import { permute } from "./layout.ts";
import type { Tape, Variable } from "./tape.ts";

/** The same as `permute`, with fewer copies: axes of size 1 are anywhere at once. Axis `axes[i]` of x goes to place i. */
export function turn(tape: Tape, label: string, x: Variable, axes: readonly number[]): Variable {
  const isWide = (axis: number): boolean => x.shape[axis] !== 1;
  const wide = [...axes.keys()].filter(isWide);
  const shape = axes.map((axis) => x.shape[axis]);
  if (wide.length < 2) return x.reshaped(shape);
  const squeezed = x.reshaped(wide.map((axis) => x.shape[axis]));
  const order = axes.filter(isWide).map((axis) => wide.indexOf(axis));
  return permute(tape, label, squeezed, order).reshaped(shape);
}
