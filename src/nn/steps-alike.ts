import { RnnError } from "../errors.ts";
import type { Module } from "./module.ts";

/** @throws RnnError `option` if single steps of the model are not what they are in a whole sequence, whatever its states are */
export function checkStepsAlike(where: string, model: Module): void {
  const whole = model.needsWholeSequences;
  if (whole)
    throw new RnnError(
      "option",
      where,
      `needs a model that goes on from step to step, and ${whole.path === "" ? "this" : `"${whole.path}"`} needs whole sequences: ${whole.reason}`,
    );
  if (model.countsSteps)
    throw new RnnError(
      "option",
      where,
      'needs layers that treat all steps alike: normalization "batch" with normalizedSteps above 1 has statistics for each of the first steps, and a step by itself is always the first; use normalizedSteps: 1',
    );
}
