import { RnnError, show } from "../errors.ts";
import { checkShape, sizeOf, type Shape } from "./shape.ts";

/** Numbers with a fraction: float32 everywhere, float64 on the CPU backend where it is asked for. */
export type FloatArray = Float32Array | Float64Array;
/** The data of a tensor. */
export type NumericArray = FloatArray | Int32Array | Uint32Array;

/** A host tensor: row-major numbers and their shape. Plain data; nothing to dispose of. */
export interface Tensor<A extends NumericArray = NumericArray> {
  readonly shape: Shape;
  readonly data: A;
}

type Nested = number | readonly Nested[];

/** Appends the numbers of `values`, which must have the sizes of `shape` from `depth` on. */
function flatten(values: Nested, shape: Shape, depth: number, into: number[]): void {
  if (depth === shape.length) {
    if (typeof values !== "number") throw new RnnError("shape", "tensor", `values must be numbers in rows of equal depth, got ${show(values)} at depth ${depth}`);
    into.push(values);
  } else {
    if (!Array.isArray(values)) throw new RnnError("shape", "tensor", `values must be numbers in rows of equal depth, got ${show(values)} at depth ${depth}`);
    if (values.length !== shape[depth]) throw new RnnError("shape", "tensor", `rows must have equal lengths; the first one at depth ${depth} has ${shape[depth]}, another ${values.length}`);
    for (const value of values as readonly Nested[]) flatten(value, shape, depth + 1, into);
  }
}

/**
 * Makes a tensor from nested arrays, or from flat numbers and a shape.
 * @throws RnnError `shape` if rows differ in length or the shape does not hold the data
 */
export function tensor(values: Nested | NumericArray, shape?: Shape): Tensor {
  if (ArrayBuffer.isView(values)) return checkTensor("tensor", "values", { shape: shape ?? [values.length], data: values });
  const found: number[] = [];
  for (let level: Nested = values; Array.isArray(level); level = level[0] as Nested) {
    found.push(level.length);
    if (level.length === 0) break;
  }
  const flat: number[] = [];
  flatten(values, found, 0, flat);
  return checkTensor("tensor", "values", { shape: shape ?? found, data: Float32Array.from(flat) });
}

const arrayTypes = ["Float32Array", "Float64Array", "Int32Array", "Uint32Array"];

/**
 * Checks that `value` is a tensor whose data fills its shape, and (if given) that the shape fits `pattern`.
 * @throws RnnError `shape`
 */
export function checkTensor(where: string, name: string, value: unknown, pattern?: readonly (number | string)[]): Tensor {
  const { shape, data } = (value ?? {}) as Partial<Tensor>;
  // The tag, unlike instanceof, is right for arrays from other windows, too.
  if (!Array.isArray(shape) || data == null || !arrayTypes.includes(data[Symbol.toStringTag])) {
    const got = Array.isArray(shape) ? `data in ${show(data)}` : show(value);
    throw new RnnError("shape", where, `${name} must be a tensor { shape, data } with data in a ${arrayTypes.join(", ")}, got ${got}`);
  }
  if (pattern) checkShape(where, name, shape, pattern);
  if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || sizeOf(shape) !== data.length) {
    throw new RnnError("shape", where, `${name} of shape ${show(shape)} must hold ${sizeOf(shape)} numbers, got ${data.length}`);
  }
  return { shape, data };
}

/**
 * Refuses NaN, infinities and what is below `least`, naming the first index.
 * @throws RnnError `data`
 */
export function checkFinite(where: string, name: string, data: ArrayLike<number>, least = -Infinity): void {
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i]) && data[i] >= least) continue;
    throw new RnnError("data", where, `${name} must be finite numbers${least === -Infinity ? "" : ` of at least ${least}`}, got ${data[i]} at index ${i}`);
  }
}

/** A mask's weights. @throws RnnError `shape` or `data` unless they have this shape and none is negative */
export function checkMask(where: string, mask: unknown, shape: Shape): NumericArray {
  const { data } = checkTensor(where, "mask", mask, shape);
  checkFinite(where, "mask", data, 0);
  return data;
}

/**
 * Refuses class or token ids that are not integers in [0, count); `ignore` is let through.
 * @throws RnnError `data`
 */
export function checkIds(where: string, name: string, data: ArrayLike<number>, count: number, ignore?: number): void {
  for (let i = 0; i < data.length; i++) {
    const id = data[i];
    if (id === ignore || (Number.isInteger(id) && id >= 0 && id < count)) continue;
    throw new RnnError("data", where, `${name} must be integers from 0 to ${count - 1}, got ${id} at index ${i}`);
  }
}
