/** Reads the description in a file that `saveStream` wrote: each value is checked before it is used. */
import { clip, RnnError } from "../errors.ts";
import { isObject, parseJson, type Json, type JsonObject } from "../io/json.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { mostBytes, streamVersion, type SavedStream } from "./stream-file.ts";

export const where = "createStream";

export function damaged(problem: string, cause?: unknown): RnnError {
  return new RnnError("format", where, `the stream in the file is damaged: ${problem}`, { cause });
}

export function takeInteger(value: Json | undefined, what: string, least: number, most: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw damaged(`${what} must be an integer from ${least} to ${most}`);
}

export function takeList(value: Json | undefined, what: string): readonly Json[] {
  if (Array.isArray(value)) return value as readonly Json[];
  throw damaged(`${what} must be a list`);
}

export function takeObject(value: Json | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw damaged(`${what} must be an object`);
}

export function takeText(value: Json | undefined, what: string): string {
  if (typeof value === "string") return value;
  throw damaged(`${what} must be a text`);
}

export function takeNumbers(value: Json | undefined, what: string): readonly number[] {
  const list = takeList(value, what);
  if (list.every((one) => Number.isFinite(one))) return list as readonly number[];
  throw damaged(`${what} must be finite numbers`);
}

/** What a file may say, before it is checked. */
export type Given<T> = { readonly [Key in keyof T]?: Json };

/** A state, and what a row of it begins with if not with zeros. */
export interface State {
  readonly path: string;
  /** [layers, rows, units] */
  readonly shape: Shape;
  readonly first: Float32Array | undefined;
}

export function takeStates(value: Json | undefined, batch: number): readonly State[] {
  const states = takeList(value, "states").map((state) => {
    const [path, sizes, first] = takeList(state, "a state");
    const shape = takeNumbers(sizes, "the shape of a state").map((size) => takeInteger(size, "a size of a state", 1, mostBytes));
    if (shape.length === 0 || (batch > 1 && shape[1] !== batch)) throw damaged("a state must be [layers, rows, units]");
    const row = first === undefined ? undefined : Float32Array.from(takeNumbers(first, "a first state"));
    if (row && row.length * batch !== sizeOf(shape)) throw damaged("a first state must be one row's");
    return { path: takeText(path, "the path of a state"), shape, first: row };
  });
  if (new Set(states.map(({ path }) => path)).size < states.length) throw damaged("two states have the same path");
  return states;
}

/** The description in a file's metadata. */
export function planIn(metadata: Readonly<Record<string, string>>): Given<SavedStream> {
  if (!Object.hasOwn(metadata, "stream"))
    throw new RnnError(
      "format",
      where,
      "the file must hold a stream, as saveStream of webgpu-rnn writes it; saveModel writes the model alone",
    );
  const plan: Given<SavedStream> = takeObject(parseJson(where, metadata.stream), "the description");
  if (plan.version !== streamVersion)
    throw new RnnError(
      "format",
      where,
      `the file was written by another version of webgpu-rnn; ${clip(takeText(plan.reader ?? "loadModel", "reader"))} reads it, and saveStream writes it anew`,
    );
  return plan;
}
