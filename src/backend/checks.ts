/** Checks of both backends for calls that apps may make themselves. */
import { checkBoolean, checkChoice, checkInteger, checkSize, reading, RnnError, show } from "../errors.ts";
import type { ElementType } from "../kernels/kernel.ts";
import { hasMethods, isA, takeOptions } from "../options.ts";
import { Recording } from "../recording/recording.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { DeviceBuffer, PrepareOptions } from "./backend.ts";
import { checkHeld } from "./ledger.ts";

/** The buffer in its backend's own type. @throws RnnError `option` if another kind of backend made it */
export function knownBuffer<B extends DeviceBuffer>(buffer: DeviceBuffer, kind: abstract new (...args: never[]) => B): B {
  if (!isA(buffer, kind)) throw new RnnError("option", "backend", `buffer must come from this backend's createBuffer, got ${show(buffer)}`);
  return buffer;
}

/** The same, for calls that use its memory. @throws RnnError `option` also if it has been freed */
export function heldBuffer<B extends DeviceBuffer>(buffer: DeviceBuffer, kind: abstract new (...args: never[]) => B): B {
  const known = knownBuffer(buffer, kind);
  checkHeld(known);
  return known;
}

/** @throws RnnError `option` or `limit` unless these describe a buffer */
export function checkNewBuffer(label: string, type: ElementType, length: number): void {
  if (typeof label !== "string") throw new RnnError("option", "createBuffer", `label must be a text, got ${show(label)}`);
  checkChoice("createBuffer", "type", type, ["f32", "u32", "i32"]);
  checkSize("createBuffer", "length", length, 0);
}

/** The name of a buffer in errors: its label, unless that is empty or very long. */
const placeOf = (label: string): string => (label === "" || label.length > 100 ? "a buffer" : label);

/**
 * The length of a span, which goes up to the buffer's end if none is given.
 * @throws RnnError `option` unless the buffer has elements [offset, offset + length)
 */
export function checkSpan({ label, length: whole }: DeviceBuffer, offset: number, length?: number): number {
  const rest = whole - checkInteger(placeOf(label), "offset", offset, 0, whole);
  return checkInteger(placeOf(label), "length", length === undefined ? rest : length, 0, rest);
}

/**
 * The numbers to write, `data` itself if it is a `Type`. Reading any other list may run code of the caller's, such as a
 * getter. That code may let the memory grow, free the buffer or end the backend, so check all three afterwards.
 * @throws RnnError `data` if `data` is no list, or `option` unless the buffer has room for it from `offset` on
 */
export function numbersOf<A extends NumericArray>(
  buffer: DeviceBuffer,
  Type: new (length: number) => A,
  data: ArrayLike<number>,
  offset: number,
): A {
  return reading("data", placeOf(buffer.label), "data", () => {
    if (typeof data !== "object" || !Number.isSafeInteger((data as typeof data | null)?.length))
      throw new RnnError("data", placeOf(buffer.label), `data must be a list of numbers, got ${show(data)}`);
    const { length } = data;
    checkSpan(buffer, offset, length);
    if (data instanceof Type) return data;
    const numbers = new Type(length);
    numbers.set(data);
    return numbers;
  });
}

/** @throws RnnError `option` unless these are a recording and the memory of its external buffers */
export function takePreparation(recording: unknown, externals: unknown, options: PrepareOptions | undefined): Required<PrepareOptions> {
  if (!isA(recording, Recording)) throw new RnnError("option", "backend", `recording must be a Recording, got ${show(recording)}`);
  if (!hasMethods(externals, "get", "values"))
    throw new RnnError("option", "backend", `externals must be a Map from buffers to their memory, got ${show(externals)}`);
  const { keepAll = false } = takeOptions("backend", options, ["keepAll"]);
  return { keepAll: checkBoolean("backend", "keepAll", keepAll) };
}
