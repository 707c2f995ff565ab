/** Frames: their shapes, how steps of them are recorded, and the checks of those that come. */
import { checkInteger, mostFloat, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
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

export function recordFrames(context: RunContext): void {
  // A download keeps the output's memory from being used by others.
  context.recording.download("output", context.output.view);
  context.keepStates();
}

/**
 * Sizes of one row's frame: none for ids.
 * @param given the caller's, for models that cannot say it
 * @throws RnnError `option` if the model cannot be stepped, or its frames' size is not known
 */
export function featuresOf(model: Module, given: number | undefined): Shape {
  if (model.readsBackwards)
    throw new RnnError(
      "option",
      "createStream",
      "needs layers that read forwards only: a bidirectional or reversed one begins at the end of the sequence, which is yet to come",
    );
  if (given !== undefined) checkInteger("createStream", "features", given, 1);
  if (model.idCount !== undefined) {
    if (given !== undefined)
      throw new RnnError("option", "createStream", `features must be left out, since the model's input is ids, got ${given}`);
    return [];
  }
  const features = given ?? model.inputFeatures;
  if (features === undefined)
    throw new RnnError(
      "option",
      "createStream",
      "features must be given: how many numbers a row of a frame has; this model does not say it",
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

/**
 * @param length numbers that there must be, or with `multiple` a multiple of them
 * @param into takes a copy of what was checked
 * @throws RnnError `shape` or `data`
 */
export function checkFrames(rules: FrameRules, frames: ArrayLike<number>, length: number, multiple = false, into?: NumericArray): void {
  const count = typeof frames === "object" && frames !== null ? frames.length : -1;
  if (multiple ? count < length || count % length !== 0 : count !== length) throw lengthError(rules, frames, length, multiple);
  const { ids } = rules;
  if (ids === undefined) {
    for (let i = 0; i < count; i++) {
      const value = frames[i];
      if (typeof value !== "number" || !(value >= -mostFloat && value <= mostFloat)) throw numberError(rules, value, i);
      if (into) into[i] = value;
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    const id = frames[i];
    if (typeof id !== "number" || id >>> 0 !== id || id >= ids) throw numberError(rules, id, i);
    if (into) into[i] = id;
  }
}

function lengthError({ where, inputSize, ids }: FrameRules, frames: unknown, length: number, multiple: boolean): RnnError {
  const isList = typeof frames === "object" && frames !== null && "length" in frames;
  const rows = length / inputSize;
  const each = ids === undefined ? `${inputSize} for each of ${rows} ${rows === 1 ? "row" : "rows"}` : "one for each row";
  return new RnnError(
    "shape",
    where,
    `${multiple ? "the frames must have a multiple of" : "a frame must have"} ${length} ${ids === undefined ? "numbers" : "ids"}, ${each}, got ${show(isList ? frames.length : frames)}`,
  );
}

function numberError({ where, ids }: FrameRules, value: unknown, index: number): RnnError {
  const problem =
    ids !== undefined || typeof value !== "number"
      ? `a frame must hold ${ids === undefined ? "numbers" : `ids from 0 to ${ids - 1}`}, got ${show(value)} at index ${index}`
      : finiteProblem("a frame", value, index, -mostFloat);
  return new RnnError("data", where, `${problem}; the states are as they were`);
}
