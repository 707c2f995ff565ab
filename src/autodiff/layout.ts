/** Ops that move elements: strided copies, and the reverse copies for the gradient. */
import { stridedCopy } from "../kernels/strided-copy.ts";
import { bindable, type View } from "../recording/recording.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

/** Sizes of the index space, and the stride of each index on either side. */
export interface Layout {
  readonly sizes: readonly [number, number, number];
  readonly from: readonly [number, number, number];
  readonly to: readonly [number, number, number];
  readonly fromOffset?: number;
  readonly toOffset?: number;
}

/** Records y (+)= x, element by element. */
export function copy(
  tape: Tape,
  input: View,
  output: View,
  { sizes, from, to, fromOffset = 0, toOffset = 0 }: Layout,
  accumulate: 0 | 1,
): void {
  // Final states are slots of a layer's buffer, which may start where no binding may.
  const source = bindable(input);
  tape.recording.dispatch(
    stridedCopy,
    { input: source.view, output },
    {
      size0: sizes[0],
      size1: sizes[1],
      size2: sizes[2],
      fromOffset: source.before + fromOffset,
      from0: from[0],
      from1: from[1],
      from2: from[2],
      toOffset,
      to0: to[0],
      to1: to[1],
      to2: to[2],
      accumulate,
    },
  );
}

/** The way back. */
export const turned = ({ sizes, from, to, fromOffset, toOffset }: Layout): Layout => ({
  sizes,
  from: to,
  to: from,
  fromOffset: toOffset,
  toOffset: fromOffset,
});

/** A variable of `shape` that is copied from several, each by its layout. */
export function rearranged(tape: Tape, label: string, shape: Shape, sources: readonly Variable[], layouts: readonly Layout[]): Variable {
  const y = tape.result(label, shape, sources);
  sources.forEach((x, i) => copy(tape, x.view, y.view, layouts[i], 0));
  tape.record([y], () => {
    sources.forEach((x, i) => {
      if (!x.needsGradient) return;
      const { view, accumulate } = tape.share(x);
      copy(tape, y.gradient!, view, turned(layouts[i]), accumulate);
    });
  });
  return y;
}

/** Joins neighbouring axes that stay neighbours. */
export function groupsOf(axes: readonly number[]): number[][] {
  const groups: number[][] = [];
  for (const axis of axes) {
    const last = groups.at(-1);
    if (last && last.at(-1) === axis - 1) last.push(axis);
    else groups.push([axis]);
  }
  return groups;
}

/** Puts axis `axes[i]` of x at place i. A copy has three indices, so `axes` must have at most three groups; `turn` takes any. */
export function permute(tape: Tape, label: string, x: Variable, axes: readonly number[]): Variable {
  const groups = groupsOf(axes);
  if (groups.length === 1) return x;
  const sizeOfGroup = (group: readonly number[]): number => sizeOf(group.map((axis) => x.shape[axis]));
  const sizes = [...groups.map(sizeOfGroup), 1];
  const from = [...groups.map((group) => sizeOf(x.shape.slice(group.at(-1)! + 1))), 0];
  const to = sizes.map((_, i) => sizeOf(sizes.slice(i + 1)));
  const three = (list: readonly number[]): [number, number, number] => [list[0], list[1], list[2]];
  return rearranged(
    tape,
    label,
    axes.map((axis) => x.shape[axis]),
    [x],
    [{ sizes: three(sizes), from: three(from), to: three(to) }],
  );
}
