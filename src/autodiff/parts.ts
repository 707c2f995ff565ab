/** Ops that join variables along an axis, and cut parts out. */
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { copy, rearranged, turned, type Layout } from "./layout.ts";
import type { Tape, Variable } from "./tape.ts";

/** A shape as [product of the axes before `axis`, size of `axis`, product of the axes after it]. */
export function around(shape: Shape, axis: number): [outer: number, size: number, inner: number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

const withAxis = (shape: Shape, axis: number, size: number): Shape => shape.map((n, i) => (i === axis ? size : n));

/** Joins variables that differ in the size of `axis` only. */
export function concat(tape: Tape, label: string, parts: readonly Variable[], axis: number): Variable {
  const total = parts.reduce((sum, p) => sum + p.shape[axis], 0);
  let toOffset = 0;
  const layouts = parts.map((part): Layout => {
    const [outer, size, inner] = around(part.shape, axis);
    const layout: Layout = { sizes: [outer, size, inner], from: [size * inner, inner, 1], to: [total * inner, inner, 1], toOffset };
    toOffset += size * inner;
    return layout;
  });
  return rearranged(tape, label, withAxis(parts[0].shape, axis, total), parts, layouts);
}

/** Indices [start, end) of `axis`. */
export function slice(tape: Tape, label: string, x: Variable, axis: number, start: number, end: number): Variable {
  const [outer, size, inner] = around(x.shape, axis);
  const kept = end - start;
  const shape = withAxis(x.shape, axis, kept);
  const y = tape.result(label, shape, [x]);
  const layout: Layout = {
    sizes: [outer, kept, inner],
    from: [size * inner, inner, 1],
    to: [kept * inner, inner, 1],
    fromOffset: start * inner,
  };
  copy(tape, x.view, y.view, layout, 0);
  tape.record([y], () => {
    // The first share of a gradient must write every element: those outside the slice get 0.
    if (!x.gradient) fillGradient(tape, x);
    copy(tape, y.gradient!, tape.share(x).view, turned(layout), 1);
  });
  return y;
}

/** ∂L/∂x = 0, for ops whose share does not write all of x. */
function fillGradient(tape: Tape, x: Variable): void {
  const zero = tape.recording.buffer("zero", [1], "constant");
  const { view } = tape.share(x);
  copy(tape, zero, view, { sizes: [1, 1, sizeOf(x.shape)], from: [0, 0, 0], to: [0, 0, 1] }, 0);
}
