/** What importing a model gives, whatever the format, and what every reader shares. */
import { clip, reasonOf, RnnError } from "../errors.ts";
import { isObject, type Json, type JsonObject } from "../io/json.ts";
import type { Module } from "../nn/module.ts";
import type { TensorLike } from "../tensor/take.ts";
import type { Tensor } from "../tensor/tensor.ts";

export { isObject, parseJson, type Json, type JsonObject } from "../io/json.ts";

/** The formats that `importModel` reads. */
export type FormatName = "onnx" | "keras" | "tfjs" | "tf1" | "pytorch" | "safetensors" | "rtneural" | "nam";

/** The contents of a file. */
export type FileBytes = Uint8Array | ArrayBuffer;

/** One file, or several by name, as a model in parts has them. */
export type ModelFiles = FileBytes | Readonly<Record<string, FileBytes>>;

/** An input or an output of an imported model. */
export interface ImportedValue {
  /** The file's name for it. */
  readonly name: string;
  /** Its sizes, if the file has them; null where any size will do. */
  readonly shape?: readonly (number | null)[];
  /** Number of ids, if it is ids. */
  readonly ids?: number;
  /**
   * Where `forward` takes or gives it: "input" and "output" for the first of each; "state." and its name for a state that
   * goes from one call to the next; of the others, the name under `further`.
   */
  readonly path: string;
}

/** What became of one node or layer of the file. */
export interface ImportedNode {
  /** Its name in the file. */
  readonly name: string;
  /** The file's word for what it is, such as "LSTM" or "Conv". */
  readonly kind: string;
  /** What it is now. */
  readonly became: string;
  /** Number of its parameters' elements. */
  readonly parameters: number;
}

/** A model that was read from a file. */
export interface ImportedModel {
  /** An ordinary module: it runs, learns and is saved like any other. */
  readonly model: Module;
  readonly format: FormatName;
  readonly inputs: readonly ImportedValue[];
  readonly outputs: readonly ImportedValue[];
  /** Every node or layer of the file, in its order. */
  readonly report: readonly ImportedNode[];
  /** The texts that ids stand for, in their order, if the files have them. */
  readonly tokens?: readonly string[];
}

/** Options of `importModel`. */
export interface ImportOptions {
  /** For files that hold only weights: the model that gets them. */
  model?: Module;
  /** Values for inputs of an ONNX graph that are to be fixed, by name. */
  constants?: Readonly<Record<string, TensorLike | number>>;
  /** Reads the file as this format, instead of finding the format by its content. */
  format?: FormatName;
}

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** The report of a file that has no layers, only tensors: names with numbers of elements. */
export const tensorReport = (tensors: Iterable<readonly [string, number]>): ImportedNode[] =>
  [...tensors].map(([name, size]) => ({ name, kind: "tensor", became: name, parameters: size }));

/** An error about a file, to be thrown. */
export const formatError = (where: string, problem: string): RnnError => new RnnError("format", where, problem);

/**
 * Runs a reader on a file that may be damaged.
 * @throws RnnError `format` whatever the reader met, with the cause; `load` if its code did not arrive
 */
export async function readingFile<T>(where: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof RnnError && (cause.kind === "format" || cause.kind === "load")) throw cause;
    if (cause instanceof RnnError) throw new RnnError("format", where, `the file describes what cannot be: ${cause.message}`, { cause });
    throw new RnnError("format", where, `the file is damaged or in a form that is not known: ${reasonOf(cause)}`, { cause });
  }
}

/** An object's own value; never one of `Object.prototype`. */
export const get = (object: JsonObject, name: string): Json | undefined => (Object.hasOwn(object, name) ? object[name] : undefined);

export function asObject(where: string, what: string, value: Json | undefined): JsonObject {
  if (!isObject(value)) throw formatError(where, `${clip(what)} must be an object, got ${shown(value)}`);
  return value;
}

export function asList(where: string, what: string, value: Json | undefined): readonly Json[] {
  if (!Array.isArray(value)) throw formatError(where, `${clip(what)} must be a list, got ${shown(value)}`);
  return value as readonly Json[];
}

export function asText(where: string, what: string, value: Json | undefined): string {
  if (typeof value !== "string") throw formatError(where, `${clip(what)} must be a text, got ${shown(value)}`);
  return value;
}

/** @throws RnnError `format` unless it is an integer from `least` to 2^31 */
export function asCount(where: string, what: string, value: Json | undefined, least = 0): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > 2 ** 31)
    throw formatError(where, `${clip(what)} must be an integer of at least ${least}, got ${shown(value)}`);
  return value;
}

const shown = (value: Json | undefined): string => (value === undefined ? "nothing" : clip(JSON.stringify(value), 80));
