import { RnnError } from "../errors.ts";
import type { NumericArray } from "../tensor/tensor.ts";

/**
 * Copies numbers into an array that the caller has given for them.
 * @throws RnnError `data` if it has been transferred or made smaller since
 */
export function putInto(target: NumericArray, name: string, values: NumericArray): NumericArray {
  if (target.length !== values.length)
    throw new RnnError(
      "data",
      "into",
      `the array for ${name} was transferred or resized while the pass ran; wait for the call before you pass it on`,
    );
  target.set(values);
  return target;
}
