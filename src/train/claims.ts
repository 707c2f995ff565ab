import { RnnError } from "../errors.ts";
import type { Parameter } from "../nn/parameter.ts";

/**
 * The loop that changes a parameter at present. Held weakly: a loop that was left without a word ends when it is
 * collected, and must not hold its trainer for as long as the parameter lives.
 */
const claimed = new WeakMap<Parameter, WeakRef<() => void>>();

/**
 * Claims parameters for one trainer's run. Two trainers on the same parameters would undo each other's updates.
 * @returns a function that releases them; the claim lasts while somebody holds it
 * @throws RnnError `option` if another run has claimed one of them; then none is claimed
 */
export function claim(parameters: ReadonlyMap<string, Parameter>): () => void {
  for (const [path, parameter] of parameters) {
    if (claimed.get(parameter)?.deref())
      throw new RnnError(
        "option",
        "Trainer",
        `another trainer is running on this model, or on one that shares "${path}" with it; end its loop first`,
      );
  }
  const release = (): void => {
    for (const parameter of parameters.values()) if (claimed.get(parameter) === mine) claimed.delete(parameter);
  };
  const mine = new WeakRef(release);
  for (const parameter of parameters.values()) claimed.set(parameter, mine);
  return release;
}
