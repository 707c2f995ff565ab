import { groupsOf, permute } from "./layout.ts";
import type { Tape, Variable } from "./tape.ts";

/** Puts axis `axes[i]` of x at place i, for any axes. Those of size 1 cost no copy. */
export function turn(tape: Tape, label: string, x: Variable, axes: readonly number[]): Variable {
  const isWide = (axis: number): boolean => x.shape[axis] !== 1;
  const wide = [...axes.keys()].filter(isWide);
  const shape = axes.map((axis) => x.shape[axis]);
  if (wide.length < 2) return x.reshaped(shape);
  const squeezed = x.reshaped(wide.map((axis) => x.shape[axis]));
  const order = axes.filter(isWide).map((axis) => wide.indexOf(axis));
  const turned = groupsOf(order).length > 3 ? permuteByMoves : permute;
  return turned(tape, label, squeezed, order).reshaped(shape);
}

/** Moves one axis to the front at a time, the last one first. */
function permuteByMoves(tape: Tape, label: string, x: Variable, axes: readonly number[]): Variable {
  let order = axes.map((_, i) => i);
  let y = x;
  for (const axis of [...axes].reverse()) {
    const at = order.indexOf(axis);
    const move = [at, ...order.keys()].filter((place, i) => i === 0 || place !== at);
    y = permute(tape, label, y, move);
    order = move.map((place) => order[place]);
  }
  return y;
}
