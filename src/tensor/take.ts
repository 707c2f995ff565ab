/**
 * Takes numbers from callers, in all public functions. They are copied once, at the moment of the call, into a new
 * array of the right type, and the copy is checked. Later changes of the original have no effect.
 */
import { clip, allocating, mostFloat, reading, RnnError, show } from "../errors.ts";
import { firstOutside } from "./finite.ts";
import { checkShape, sizeOf, type Shape } from "./shape.ts";
import { copyInto } from "./spare.ts";
import { finiteProblem, type NumericArray, type Tensor } from "./tensor.ts";

/** A list of numbers: an array, any typed array, or any object with a length and indices. */
export type Numbers = ArrayLike<number> | ArrayLike<bigint> | ArrayLike<boolean>;
/** Nested lists of equal lengths, one level for each axis. */
export type NestedNumbers = Numbers | readonly (number | boolean | NestedNumbers)[];
/**
 * Anything accepted as a tensor: shape and data (any array of numbers), or nested lists alone, which define the shape.
 */
export type TensorLike = { readonly shape: Shape; readonly data: NestedNumbers } | NestedNumbers;

/** The condition on the numbers. */
export interface Content {
  readonly type: "f32" | "u32" | "i32" | "any";
  readonly least: number;
  readonly most: number;
  /** True if true and false count as 1 and 0. */
  readonly booleans?: boolean;
}

/** Numbers that are finite in float32. */
export const finite: Content = { type: "f32", least: -mostFloat, most: mostFloat };
/** Weights of a mask: none is negative. */
export const weights: Content = { type: "f32", least: 0, most: mostFloat, booleans: true };
/** Integers from 0 to count - 1. */
export const idsBelow = (count: number): Content => ({ type: "u32", least: 0, most: count - 1 });
/** Any integers; the loss checks the range. */
export const integers: Content = { type: "i32", least: -(2 ** 31), most: 2 ** 31 - 1 };
/** Most axes of a tensor. */
const mostAxes = 16;
/** Most numbers in nested lists; typed arrays may have more. */
const mostListed = 2 ** 26;

const typeOf = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype) as object, Symbol.toStringTag)!;
/**
 * The type name of a typed array; undefined for anything else. It works for arrays of other windows too, and cannot be
 * faked.
 */
export const typedArrayName = (value: unknown): string | undefined => typeOf.get!.call(value) as string | undefined;

const isList = (value: unknown): value is ArrayLike<unknown> => Array.isArray(value) || typedArrayName(value) !== undefined;
/** For example the `arguments` of a function. */
const hasIndices = (value: unknown): value is ArrayLike<unknown> =>
  isList(value) || (typeof value === "object" && value !== null && Number.isSafeInteger((value as { length?: unknown }).length));

const owned: Readonly<Record<string, NumericArray["constructor"]>> = { Float32Array, Float64Array, Int32Array, Uint32Array };
const nearest: Readonly<Record<string, string>> = {
  Float16Array: "Float32Array",
  Uint8Array: "Uint32Array",
  Uint8ClampedArray: "Uint32Array",
  Uint16Array: "Uint32Array",
  Int8Array: "Int32Array",
  Int16Array: "Int32Array",
};

type ArrayType = new (from: ArrayLike<number>) => NumericArray;

/** The type to which an array of type `tag` can be copied without hiding that a number is wrong. */
function copyType(tag: string | undefined, { type }: Content): ArrayType | undefined {
  if (tag === undefined || tag.startsWith("Big")) return undefined;
  if (type === "any") return owned[nearest[tag] ?? tag] as ArrayType;
  if (type === "f32") return tag === "Float64Array" ? Float64Array : Float32Array;
  if (tag.startsWith("Float")) return undefined;
  if (type === "u32") return Uint32Array;
  return tag === "Uint32Array" ? undefined : Int32Array;
}

const listType: Readonly<Record<Content["type"], ArrayType>> = { any: Float32Array, f32: Float32Array, u32: Uint32Array, i32: Int32Array };

/** Throws the error about one number. */
function refuse(where: string, name: string, value: unknown, at: number, { type, least, most }: Content): never {
  if (typeof value === "bigint" && (type === "f32" || type === "any"))
    throw new RnnError(
      "data",
      where,
      `${name} must be numbers, got the bigint ${show(value)} at index ${at}; Number() makes a number of it`,
    );
  if (type !== "f32" && type !== "any")
    throw new RnnError(
      "data",
      where,
      `${name} must be integers${type === "i32" ? "" : ` from ${least} to ${most}`}, got ${show(value)} at index ${at}`,
    );
  if (typeof value === "number") throw new RnnError("data", where, finiteProblem(name, value, at, type === "any" ? -mostFloat : least));
  throw new RnnError("data", where, `${name} must be numbers, got ${show(value)} at index ${at}`);
}

/** Reads the numbers of nested lists, each once, and checks them; `sizes` receives the shape. */
function gather(where: string, name: string, list: ArrayLike<unknown>, content: Content): { numbers: number[]; sizes: number[] } {
  const sizes: number[] = [];
  for (let level: unknown = list; isList(level) || (sizes.length === 0 && hasIndices(level)); level = level[0]) {
    if (sizes.push(level.length) > mostAxes)
      throw new RnnError("limit", where, `${name} must be nested at most ${mostAxes} deep; does a list contain itself?`);
    if (level.length === 0) break;
  }
  if (sizeOf(sizes) > mostListed)
    throw new RnnError(
      "limit",
      where,
      `${name} must be a typed array if it has more than ${mostListed} numbers, got lists of [${sizes.join(", ")}]`,
    );
  const numbers: number[] = [];
  const integral = content.type === "u32" || content.type === "i32";
  const add = (value: unknown): void => {
    const number =
      typeof value === "bigint" && integral ? Number(value) : typeof value === "boolean" && content.booleans ? Number(value) : value;
    const fits =
      typeof number === "number" &&
      (content.type === "any"
        ? isFiniteAlike(number)
        : number >= content.least && number <= content.most && (!integral || Number.isInteger(number)));
    if (!fits) refuse(where, name, value, numbers.length, content);
    numbers.push(number);
  };
  const walk = (rows: ArrayLike<unknown>, depth: number): void => {
    if (rows.length !== sizes[depth])
      throw new RnnError(
        "shape",
        where,
        `${name} must have rows of equal lengths; the first one at depth ${depth} has ${sizes[depth]}, another ${rows.length}`,
      );
    for (let i = 0; i < sizes[depth]; i++) {
      const row = rows[i];
      if (depth === sizes.length - 1 && !isList(row)) add(row);
      else if (depth < sizes.length - 1 && isList(row)) walk(row, depth + 1);
      else throw new RnnError("shape", where, `${name} must be numbers in rows of equal depth, got ${show(row)} at depth ${depth + 1}`);
    }
  };
  walk(list, 0);
  return { numbers, sizes };
}

/** Refuses finite numbers that are infinite in float32. */
const isFiniteAlike = (value: number): boolean => !Number.isFinite(value) || Math.abs(value) <= mostFloat;

/** Copies a typed array and checks the copy. */
function copyOf(where: string, name: string, source: ArrayLike<number>, Type: ArrayType, content: Content): NumericArray {
  const copy = allocating(where, name, () => copyInto(Type, source));
  const { type, least, most } = content;
  if (type === "any") return copy;
  const bad = firstOutside(copy, least, most);
  if (bad >= 0) refuse(where, name, type === "f32" ? copy[bad] : source[bad], bad, content);
  return copy;
}

/** The list's numbers in a new array, and the shape that the list defines. */
function take(where: string, name: string, list: ArrayLike<unknown>, content: Content): { data: NumericArray; sizes: readonly number[] } {
  const Type = copyType(typedArrayName(list), content);
  if (Type) return { data: copyOf(where, name, list as ArrayLike<number>, Type, content), sizes: [list.length] };
  const { numbers, sizes } = gather(where, name, list, content);
  return { data: allocating(where, name, () => new listType[content.type](numbers)), sizes };
}

/** Copies a shape as it is at this moment. Callers check the sizes. @throws RnnError `shape` if it is no list */
export function takeShape(where: string, name: string, shape: unknown): number[] {
  return reading("shape", where, `the shape of ${name}`, () => {
    if (!isList(shape)) throw new RnnError("shape", where, `the shape of ${name} must be a list of sizes, got ${show(shape)}`);
    const { length } = shape;
    if (length > mostAxes) throw new RnnError("limit", where, `${name} may have at most ${mostAxes} axes, got ${length}`);
    const sizes: number[] = [];
    for (let i = 0; i < length; i++) sizes.push(shape[i] as number);
    return sizes;
  });
}

/**
 * Copies and checks a tensor as it is at this moment.
 * @param pattern sizes that it must have, as in `checkShape`
 * @throws RnnError `shape` if it is no tensor or its data do not fill its shape, `data` for a number that `content`
 * excludes
 */
export function takeTensor(
  where: string,
  called: string,
  value: unknown,
  content: Content,
  pattern?: readonly (number | string)[],
): Tensor {
  // It may come from a file.
  const name = clip(called);
  return reading("data", where, name, () => {
    const wrapped = typeof value === "object" && value !== null && !isList(value);
    const { shape: given, data: list } = (wrapped ? value : { data: value }) as { shape?: unknown; data?: unknown };
    if (!hasIndices(list) || (wrapped && given === undefined)) {
      const got = wrapped && given !== undefined ? `data in ${show(list)}` : show(value);
      throw new RnnError("shape", where, `${name} must be a tensor { shape, data }, a typed array or nested lists of numbers, got ${got}`);
    }
    const known = given === undefined ? undefined : takeShape(where, name, given);
    // Checked before the data: with a wrong shape, the error about the shape helps more.
    if (known && pattern) checkShape(where, name, known, pattern);
    const { data, sizes } = take(where, name, list, content);
    const shape = known ?? sizes;
    if (pattern && !known) checkShape(where, name, shape, pattern);
    if (!shape.every((n) => Number.isSafeInteger(n) && n >= 0) || sizeOf(shape) !== data.length) {
      throw new RnnError("shape", where, `${name} of shape ${show(shape)} must hold ${sizeOf(shape)} numbers, got ${data.length}`);
    }
    return { shape, data };
  });
}

/**
 * Copies and checks a flat list of numbers as it is at this moment.
 * @param what a word for the list in messages
 * @throws RnnError `data` if it is no list, or for a number that `content` excludes
 */
export function takeList(where: string, name: string, value: unknown, content: Content, what = "a list of numbers"): NumericArray {
  return reading("data", where, name, () => {
    if (!hasIndices(value)) throw new RnnError("data", where, `${name} must be ${what}, got ${show(value)}`);
    const { data, sizes } = take(where, name, value, content);
    if (sizes.length !== 1) throw new RnnError("data", where, `${name} must be ${what}, got lists in a list`);
    return data;
  });
}

/** True if this is meant as a tensor, and not as an object that contains one. */
export const looksLikeTensor = (value: unknown): boolean =>
  reading(
    "data",
    "inputs",
    "input",
    () => typeof value !== "object" || value === null || isList(value) || "shape" in value || "data" in value,
  );
