/** Frames: their shapes, how steps of them are recorded, and the checks of those that come. */
import { checkInteger, mostFloat, reasonOf, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { checkStepsAlike } from "../nn/steps-alike.ts";
import { isA } from "../options.ts";
import type { RecordingPlan, RunContext } from "../session/run-context.ts";
import type { Shape } from "../tensor/shape.ts";
import { finiteProblem, type NumericArray } from "../tensor/tensor.ts";

/** How the model wants `steps` frames of `rows` rows, with states that stay from run to run. @param features sizes of a row's frame */
export function framePlan(model: Module, features: Shape, steps: number, rows: number): RecordingPlan {
  return {
    inputShape: [...(model.batchFirst ? [rows, steps] : [steps, rows]), ...features],
    states: { kind: "carried" },
    steps: "all",
    training: false,
    differentiates: false,
  };
}

/** Steps that one recording computes together: the largest that fits comes first. */
export const stepSizes = [128, 16, 1];

/** The first of the sizes, which fall, that is at most `most`. */
export function largest(sizes: readonly number[], most: number): number {
  let i = 0;
  while (sizes[i] > most) i++;
  return sizes[i];
}

export const disposedError = (): RnnError => new RnnError("option", "stream", "has been disposed of, or its model has; create a new one");

/** Arrays in one, in their order. */
export function joined(parts: readonly ArrayLike<number>[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Whether one recording can compute several steps: their frames and outputs lie one behind the other. */
export const runsTogether = (model: Module, output: Shape, batch: number): boolean =>
  output.length > 2 && (batch === 1 || !model.batchFirst);

export function recordFrames(context: RunContext): void {
  // A download keeps the output's memory from being used by others.
  context.recording.download("output", context.output.view);
  context.keepStates();
}

/**
 * Sizes of one row's frame: none for ids.
 * @param where the function that the caller has called
 * @param given the caller's, for models that cannot say it
 * @throws RnnError `option` if the model cannot be stepped, or its frames' size is not known
 */
export function featuresOf(where: string, model: Module, given: number | undefined): Shape {
  if (model.readsBackwards)
    throw new RnnError(
      "option",
      where,
      "needs layers that read forwards only: a bidirectional or reversed one begins at the end of the sequence, which is yet to come",
    );
  checkStepsAlike(where, model);
  if (given !== undefined) checkInteger(where, "features", given, 1);
  if (model.idCount !== undefined) {
    if (given !== undefined) throw new RnnError("option", where, `features must be left out, since the model's input is ids, got ${given}`);
    return [];
  }
  const features = given ?? model.inputFeatures;
  if (features === undefined)
    throw new RnnError(
      "option",
      where,
      "features must be given: how many numbers a row of a frame has; this model does not say it. If each call of the model is a step, createStream and saveStream take inputShape instead",
    );
  return [features];
}

/** What frames must hold. */
export interface FrameRules {
  readonly where: string;
  /** Numbers of a row's frame. */
  readonly inputSize: number;
  /** Number of ids, if the frames are ids. */
  readonly ids: number | undefined;
}

/** Memory for frames. Ids can have more digits than float32. */
export function newFrames(ids: number | undefined, length: number): Float32Array | Float64Array {
  return ids === undefined ? new Float32Array(length) : new Float64Array(length);
}

/**
 * @param length numbers that there must be, or with `multiple` a multiple of them
 * @returns how many there are
 * @throws RnnError `shape`
 */
export function checkLength(rules: FrameRules, frames: ArrayLike<number>, length: number, multiple = false): number {
  let count: unknown = -1;
  try {
    if (typeof frames === "object" && frames !== null) count = frames.length;
  } catch (cause) {
    throw readingError(rules, cause);
  }
  if (typeof count === "number" && (multiple ? count >= length && count % length === 0 : count === length)) return count;
  throw lengthError(rules, frames, length, multiple);
}

export function checkInto(into: Float32Array, length: number, where = "stream.steps"): Float32Array {
  // `isA` would leave garbage. A Proxy is no view, and is not asked anything.
  const isArray = ArrayBuffer.isView(into) && into instanceof Float32Array;
  if (isArray && into.length === length) return into;
  throw new RnnError("shape", where, `into must be a Float32Array of ${length} numbers, got ${show(isArray ? into.length : into)}`);
}

/**
 * Reads each of `count` numbers from `at` on once, checks it, and puts it into `to`. A `try` and no
 * closure, which would be garbage.
 * @throws RnnError `data`
 */
export function takeFrames(rules: FrameRules, frames: ArrayLike<number>, at: number, count: number, to: NumericArray): void {
  const { ids } = rules;
  for (let i = 0; i < count; i++) {
    let value: number;
    try {
      value = frames[at + i];
    } catch (cause) {
      throw readingError(rules, cause);
    }
    const fits =
      typeof value === "number" && (ids === undefined ? value >= -mostFloat && value <= mostFloat : value >>> 0 === value && value < ids);
    if (!fits) throw numberError(rules, value, at + i);
    to[i] = value;
  }
}

const readingError = ({ where }: FrameRules, cause: unknown): RnnError =>
  cause instanceof RnnError ? cause : new RnnError("data", where, `a frame could not be read: ${reasonOf(cause)}`, { cause });

function lengthError({ where, inputSize, ids }: FrameRules, frames: unknown, length: number, multiple: boolean): RnnError {
  const isList = isA(frames, Array) || ArrayBuffer.isView(frames);
  const rows = length / inputSize;
  const each = ids === undefined ? `${inputSize} for each of ${rows} ${rows === 1 ? "row" : "rows"}` : "one for each row";
  return new RnnError(
    "shape",
    where,
    `${multiple ? "the frames must have a multiple of" : "a frame must have"} ${length} ${ids === undefined ? "numbers" : "ids"}, ${each}, got ${show(isList ? (frames as unknown as ArrayLike<number>).length : frames)}`,
  );
}

function numberError({ where, ids }: FrameRules, value: unknown, index: number): RnnError {
  const problem =
    ids !== undefined || typeof value !== "number"
      ? `a frame must hold ${ids === undefined ? "numbers" : `ids from 0 to ${ids - 1}`}, got ${show(value)} at index ${index}`
      : finiteProblem("a frame", value, index, -mostFloat);
  return new RnnError("data", where, `${problem}; the states are as they were`);
}
