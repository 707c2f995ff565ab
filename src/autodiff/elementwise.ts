/**
 * Functions of two operands that are broadcast to one shape, and sums over axes, the inverse of that in the backward
 * pass.
 */
import { RnnError } from "../errors.ts";
import { binary, binaryGradient, binaryNames, type BinaryName } from "../kernels/binary.ts";
import type { View } from "../recording/recording.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { around } from "./parts.ts";
import { matmul } from "./linear.ts";
import type { Tape, Variable } from "./tape.ts";

/** The shape to which both operands are broadcast, aligned at their last axes; undefined if they do not fit. */
export function broadcastShape(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const [wideA, wideB] = [padded(a, rank), padded(b, rank)];
  const fits = wideA.every((n, i) => n === wideB[i] || n === 1 || wideB[i] === 1);
  return fits ? wideA.map((n, i) => Math.max(n, wideB[i])) : undefined;
}

/** The shape with axes of size 1 added in front. */
const padded = (shape: Shape, rank: number): Shape => [...new Array<number>(rank - shape.length).fill(1), ...shape];

interface Axis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** The index space of `shape` with the strides of both operands, neighbouring axes joined where both allow it. */
function axesOf(shape: Shape, a: Shape, b: Shape): Axis[] {
  const strides = (operand: Shape): number[] =>
    padded(operand, shape.length).map((n, i, wide) => (n === 1 ? 0 : sizeOf(wide.slice(i + 1))));
  const [ofA, ofB] = [strides(a), strides(b)];
  const axes: Axis[] = [];
  shape.forEach((size, i) => {
    if (size === 1) return;
    const axis = { size, a: ofA[i], b: ofB[i] };
    const last = axes.at(-1);
    if (last && last.a === axis.a * size && last.b === axis.b * size) axes[axes.length - 1] = { ...axis, size: last.size * size };
    else axes.push(axis);
  });
  if (axes.length > 4)
    throw new RnnError(
      "shape",
      "broadcast",
      `[${a.join(", ")}] and [${b.join(", ")}] alternate in more than 4 axes; reshape or permute them first`,
    );
  while (axes.length < 4) axes.unshift({ size: 1, a: 0, b: 0 });
  return axes;
}

/** The index space of both operands, as params of the kernels. */
function spaceOf(shape: Shape, a: Shape, b: Shape) {
  const [w, i, j, k] = axesOf(shape, a, b);
  return {
    ...{ size0: w.size, size1: i.size, size2: j.size, size3: k.size },
    ...{ a0: w.a, a1: i.a, a2: j.a, a3: k.a },
    ...{ b0: w.b, b1: i.b, b2: j.b, b3: k.b },
  };
}

/** y (+)= f(a, b); y is of `shape`, which both are broadcast to. */
function combine(tape: Tape, name: BinaryName, a: View, b: View, y: View, shape: Shape, accumulate: 0 | 1): void {
  const params = { ...spaceOf(shape, a.shape, b.shape), kind: binaryNames.indexOf(name), accumulate };
  tape.recording.dispatch(binary, { a, b, y }, params);
}

/** Functions without a slope: they are flat, and jump. */
const flat: readonly BinaryName[] = ["equal", "less", "lessOrEqual", "and", "or"];

type Pair = readonly [Variable, Variable];

/** f(a, b), both broadcast to `shape`. */
export function combined(tape: Tape, label: string, name: BinaryName, a: Variable, b: Variable, shape: Shape): Variable {
  const y = tape.result(label, shape, flat.includes(name) ? [] : [a, b]);
  combine(tape, name, a.view, b.view, y.view, shape, 0);
  tape.record([y], () => {
    operandGradient(tape, label, name, [a, b], 0, y);
    operandGradient(tape, label, name, [a, b], 1, y);
  });
  return y;
}

/** a where the condition is not 0, else b; all three are broadcast to `shape`. No gradient goes to the condition. */
export function where(tape: Tape, label: string, condition: Variable, a: Variable, b: Variable, shape: Shape): Variable {
  const y = tape.result(label, shape, [a, b]);
  combine(tape, "keep", condition.view, a.view, y.view, shape, 0);
  combine(tape, "drop", condition.view, b.view, y.view, shape, 1);
  tape.record([y], () => {
    operandGradient(tape, label, "keep", [condition, a], 1, y);
    operandGradient(tape, label, "drop", [condition, b], 1, y);
  });
  return y;
}

/** Slopes that are the same everywhere. */
const constantSlopes: Readonly<Partial<Record<BinaryName, readonly [number, number]>>> = { add: [1, 1], subtract: [1, -1] };

/** ∂L/∂v (+)= dy·slope for one operand v of y = f(a, b), summed to v's shape. */
function operandGradient(tape: Tape, label: string, name: BinaryName, [a, b]: Pair, second: 0 | 1, y: Variable): void {
  const v = second ? b : a;
  if (!v.needsGradient) return;
  const { shape } = y;
  const dy = y.gradient!;
  const slope = constantSlopes[name]?.[second];
  const record = (dx: View, accumulate: 0 | 1): void => {
    if (slope !== undefined) combine(tape, "multiply", dy, constant(tape, `${label}.slope`, [], slope), dx, shape, accumulate);
    else if (name === "multiply") combine(tape, "multiply", dy, (second ? a : b).view, dx, shape, accumulate);
    else {
      const params = { ...spaceOf(shape, a.shape, b.shape), kind: binaryNames.indexOf(name), second, accumulate };
      tape.recording.dispatch(binaryGradient, { a: a.view, b: b.view, y: y.view, dy, dx }, params);
    }
  };
  const rest = axesToSum(v.shape, shape);
  if (rest.length === 0) {
    const { view, accumulate } = tape.share(v);
    record(view, accumulate);
    return;
  }
  let product = dy;
  if (slope === undefined) {
    product = tape.recording.buffer(`${label}.d.product`, shape);
    record(product, 0);
  }
  rest.forEach((axis, i) => {
    const last = i === rest.length - 1;
    const summed = product.shape.map((n, at) => (at === axis ? 1 : n));
    const { view, accumulate } = last ? tape.share(v) : { view: tape.recording.buffer(`${label}.d.sum`, summed), accumulate: 0 as const };
    addUp(tape, label, product, axis, { ...view, shape: summed }, { factor: last ? (slope ?? 1) : 1, accumulate });
    product = { ...view, shape: summed };
  });
}

/** The axes of `shape` along which an operand of shape `of` was repeated. */
function axesToSum(of: Shape, shape: Shape): number[] {
  const wide = padded(of, shape.length);
  return [...shape.keys()].filter((axis) => wide[axis] === 1 && shape[axis] > 1);
}

const constant = (tape: Tape, label: string, shape: Shape, value: number): View =>
  tape.recording.buffer(label, shape, "constant", "f32", new Float64Array(sizeOf(shape)).fill(value));

/** WebGPU's limit on workgroups in a dimension. The batch of a product is one dimension. */
export const mostProducts = 65535;

/** y (+)= factor · Σ over `axis` of x: a product with a vector of `factor`s. */
function addUp(
  tape: Tape,
  label: string,
  x: View,
  axis: number,
  y: View,
  { factor = 1, accumulate = 0 }: { factor?: number; accumulate?: 0 | 1 },
): void {
  const [outer, size, inner] = around(x.shape, axis);
  const ones = constant(tape, `${label}.factors`, [size], factor);
  if (inner === 1) matmul(tape.recording, x, ones, y, { M: outer, N: 1, K: size, accumulate });
  else if (outer <= mostProducts)
    matmul(tape.recording, ones, x, y, { M: 1, N: inner, K: size, batch: outer, bBatch: size * inner, cBatch: inner, accumulate });
  else
    throw new RnnError(
      "limit",
      label,
      `a sum over axis ${axis} of [${x.shape.join(", ")}] is of ${outer} parts, more than one dispatch can cover; permute that axis to the front or to the end`,
    );
}

/** factor · Σ over `axis`; the result does not have this axis. */
export function sum(tape: Tape, label: string, x: Variable, axis: number, factor = 1): Variable {
  const y = tape.result(
    label,
    x.shape.filter((_, i) => i !== axis),
    [x],
  );
  addUp(tape, label, x.view, axis, y.view, { factor });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    const dy = { ...y.gradient!, shape: x.shape.map((n, i) => (i === axis ? 1 : n)) };
    combine(tape, "multiply", dy, constant(tape, `${label}.factor`, [], factor), view, x.shape, accumulate);
  });
  return y;
}

/** running += momentum·(factor·value - running), for statistics over many batches; no gradient goes to them. */
export function blend(tape: Tape, label: string, running: View, value: View, momentum: number, factor = 1): void {
  const { shape } = running;
  const of = (name: string, number: number): View => constant(tape, `${label}.${name}`, [], number);
  const buffer = (name: string): View => tape.recording.buffer(`${label}.${name}`, shape);
  const [scaled, change] = [factor === 1 ? value : buffer("scaled"), buffer("change")];
  if (factor !== 1) combine(tape, "multiply", value, of("factor", factor), scaled, shape, 0);
  combine(tape, "subtract", scaled, running, change, shape, 0);
  combine(tape, "multiply", change, of("momentum", momentum), running, shape, 1);
}
