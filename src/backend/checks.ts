/** Checks of both backends for calls that apps may make themselves. */
import { checkBoolean, checkChoice, checkInteger, checkSize, RnnError, show } from "../errors.ts";
import type { ElementType } from "../kernels/kernel.ts";
import { hasMethods, isA, takeOptions } from "../options.ts";
import { Recording } from "../recording/recording.ts";
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

/** What errors call a buffer: its label, if that is one to be read. */
const placeOf = (label: string): string => (label === "" || label.length > 100 ? "a buffer" : label);

/**
 * The length of a span, which goes up to the buffer's end if none is given.
 * @throws RnnError `option` unless the buffer has elements [offset, offset + length)
 */
export function checkSpan({ label, length: whole }: DeviceBuffer, offset: number, length?: number): number {
  const rest = whole - checkInteger(placeOf(label), "offset", offset, 0, whole);
  return checkInteger(placeOf(label), "length", length === undefined ? rest : length, 0, rest);
}

/** The number of elements to write. @throws RnnError `data` if `data` is no list */
export function countOf(label: string, data: ArrayLike<number>): number {
  const length = typeof data === "object" && data !== null ? data.length : undefined;
  if (!Number.isSafeInteger(length)) throw new RnnError("data", placeOf(label), `data must be a list of numbers, got ${show(data)}`);
  return length!;
}

/** @throws RnnError `option` unless these are a recording and the memory of its external buffers */
export function takePreparation(recording: unknown, externals: unknown, options: PrepareOptions | undefined): Required<PrepareOptions> {
  if (!isA(recording, Recording)) throw new RnnError("option", "backend", `recording must be a Recording, got ${show(recording)}`);
  if (!hasMethods(externals, "get", "values"))
    throw new RnnError("option", "backend", `externals must be a Map from buffers to their memory, got ${show(externals)}`);
  const { keepAll = false } = takeOptions("backend", options, ["keepAll"]);
  return { keepAll: checkBoolean("backend", "keepAll", keepAll) };
}
