/** Computes on the host what depends on no input: shapes, indices, and weights that a file assembles. */
import { sameShape, sizeOf, type Shape } from "../../tensor/shape.ts";
import { fail, type Kind, type Known } from "./graph.ts";

/** More numbers than all that one file has the host compute. */
const mostComputed = 2 ** 26;
let computed = 0;

/** Begins to count again: for each file, and each recording of its model. */
export function beginCount(): void {
  computed = 0;
}

/** An array for the result. Counting all of them bounds memory and time, whatever a file asks for. */
function make(shape: Shape, kind: Kind, like?: Known): Known {
  const count = sizeOf(shape);
  if (!(shape.every((n) => Number.isSafeInteger(n) && n >= 0) && (computed += count) <= mostComputed))
    return fail(`it asks for constants of [${shape.join(", ")}], more than ${mostComputed} numbers in all`);
  const single = kind === "float" && !(like?.kind === "float" && like.data instanceof Float64Array);
  return { shape, kind, data: single ? new Float32Array(count) : new Float64Array(count) };
}

export const isKnown = (value: object): value is Known => "data" in value;

export const scalar = (value: number, kind: Kind = "int"): Known => list([value], kind, []);

export function list(values: readonly number[], kind: Kind = "int", shape: Shape = [values.length]): Known {
  return { shape, kind, data: kind === "float" ? Float32Array.from(values) : Float64Array.from(values) };
}

export function filled(shape: Shape, value: number, like: Known): Known {
  const result = make(shape, like.kind, like);
  result.data.fill(value);
  return result;
}

export const reshaped = (x: Known, shape: Shape): Known => ({ ...x, shape });

/** Distances between neighbours along each axis. */
function strides(shape: Shape): number[] {
  const result = shape.map(() => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) result[axis] = result[axis + 1] * shape[axis + 1];
  return result;
}

/** Fills `result` with numbers of x: element (i, j, …) is at offsets[0][i] + offsets[1][j] + … */
function copyBy(x: Known, result: Known, offsets: readonly Int32Array[]): Known {
  const { shape, data } = result;
  if (data.length === 0) return result;
  const at = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    let from = 0;
    for (let axis = 0; axis < at.length; axis++) from += offsets[axis][at[axis]];
    data[i] = x.data[from];
    for (let axis = at.length - 1; axis >= 0; axis--) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
  return result;
}

/** The elements with these indices along one axis, in this order. */
export function selected(x: Known, axis: number, indices: readonly number[]): Known {
  const steps = strides(x.shape);
  const shape = x.shape.map((size, i) => (i === axis ? indices.length : size));
  const result = make(shape, x.kind, x);
  return copyBy(
    x,
    result,
    shape.map((size, i) => Int32Array.from({ length: size }, (_, k) => (i === axis ? indices[k] : k) * steps[i])),
  );
}

export function permuted(x: Known, axes: readonly number[]): Known {
  const steps = strides(x.shape);
  const shape = axes.map((axis) => x.shape[axis]);
  const result = make(shape, x.kind, x);
  return copyBy(
    x,
    result,
    shape.map((size, i) => Int32Array.from({ length: size }, (_, k) => k * steps[axes[i]])),
  );
}

/** x repeated along axes of size 1, and along new ones in front. */
export function expanded(x: Known, shape: Shape): Known {
  if (sameShape(x.shape, shape)) return x;
  const lacks = shape.length - x.shape.length;
  const steps = strides(x.shape);
  return copyBy(
    x,
    make(shape, x.kind, x),
    shape.map((size, i) => Int32Array.from({ length: size }, (_, k) => (i < lacks || x.shape[i - lacks] === 1 ? 0 : k * steps[i - lacks]))),
  );
}

export function joined(parts: readonly Known[], axis: number): Known {
  const [first] = parts;
  const shape = first.shape.map((size, i) => (i === axis ? parts.reduce((sum, part) => sum + part.shape[i], 0) : size));
  const result = make(shape, first.kind, first);
  const rows = sizeOf(shape.slice(0, axis));
  const width = sizeOf(shape.slice(axis));
  let start = 0;
  for (const part of parts) {
    const own = sizeOf(part.shape.slice(axis));
    for (let row = 0; row < rows; row++) result.data.set(part.data.subarray(row * own, (row + 1) * own), row * width + start);
    start += own;
  }
  return result;
}

/** The functions of two numbers, by ONNX' names; `bool` marks those that answer yes or no. */
export const pairs: Readonly<Record<string, { readonly of: (a: number, b: number) => number; readonly bool?: boolean }>> = {
  Add: { of: (a, b) => a + b },
  Sub: { of: (a, b) => a - b },
  Mul: { of: (a, b) => a * b },
  Div: { of: (a, b) => a / b },
  Pow: { of: (a, b) => a ** b },
  Mod: { of: (a, b) => a - b * Math.floor(a / b) },
  Min: { of: (a, b) => Math.min(a, b) },
  Max: { of: (a, b) => Math.max(a, b) },
  Equal: { of: (a, b) => Number(a === b), bool: true },
  Less: { of: (a, b) => Number(a < b), bool: true },
  LessOrEqual: { of: (a, b) => Number(a <= b), bool: true },
  Greater: { of: (a, b) => Number(a > b), bool: true },
  GreaterOrEqual: { of: (a, b) => Number(a >= b), bool: true },
  And: { of: (a, b) => Number(a !== 0 && b !== 0), bool: true },
  Or: { of: (a, b) => Number(a !== 0 || b !== 0), bool: true },
  Xor: { of: (a, b) => Number((a !== 0) !== (b !== 0)), bool: true },
};

export function paired(name: string, a: Known, b: Known, shape: Shape): Known {
  const { of, bool } = pairs[name];
  const [x, y] = [expanded(a, shape), expanded(b, shape)];
  const result = make(shape, bool ? "bool" : a.kind, a);
  // Integers divide towards zero.
  const round = name === "Div" && a.kind === "int" ? Math.trunc : (value: number) => value;
  for (let i = 0; i < result.data.length; i++) result.data[i] = round(of(x.data[i], y.data[i]));
  return result;
}

export function mapped(x: Known, of: (value: number) => number, kind: Kind = x.kind): Known {
  const result = make(x.shape, kind, x);
  for (let i = 0; i < result.data.length; i++) result.data[i] = of(x.data[i]);
  return result;
}

export function chosen(condition: Known, a: Known, b: Known, shape: Shape): Known {
  const [which, x, y] = [expanded(condition, shape), expanded(a, shape), expanded(b, shape)];
  const result = make(shape, a.kind, a);
  for (let i = 0; i < result.data.length; i++) result.data[i] = which.data[i] ? x.data[i] : y.data[i];
  return result;
}

/** Folds axis `axis` with `of`. */
export function reduced(x: Known, axis: number, of: (a: number, b: number) => number): Known {
  const parts = Array.from({ length: x.shape[axis] }, (_, i) => selected(x, axis, [i]));
  const shape = parts[0].shape;
  return parts.reduce((a, b) => {
    const result = make(shape, x.kind, x);
    for (let i = 0; i < result.data.length; i++) result.data[i] = of(a.data[i], b.data[i]);
    return result;
  });
}
