import { RnnError } from "../errors.ts";
import type { Parameter } from "../nn/parameter.ts";

/** The trainer that changes a parameter at present. */
const claimed = new WeakMap<Parameter, object>();

/**
 * Claims parameters for one trainer's run. Two trainers on the same parameters would undo each other's updates.
 * @returns a function that releases them
 * @throws RnnError `option` if another run has claimed one of them; then none is claimed
 */
export function claim(parameters: ReadonlyMap<string, Parameter>, owner: object): () => void {
  for (const [path, parameter] of parameters) {
    if (claimed.has(parameter))
      throw new RnnError(
        "option",
        "Trainer",
        `another trainer is running on this model, or on one that shares "${path}" with it; end its loop first`,
      );
  }
  for (const parameter of parameters.values()) claimed.set(parameter, owner);
  return () => {
    for (const parameter of parameters.values()) if (claimed.get(parameter) === owner) claimed.delete(parameter);
  };
}
