import { RnnError } from "../errors.ts";
import type { NumericArray } from "../tensor/tensor.ts";

/**
 * Copies numbers into the array that the caller has given for them, or into a new one.
 * @throws RnnError `data` if the caller's has been transferred or made smaller since
 */
export function copyInto(into: Readonly<Record<string, NumericArray>>, name: string, values: NumericArray): NumericArray {
  if (!(name in into)) return values.slice();
  const target = into[name];
  if (target.length !== values.length)
    throw new RnnError(
      "data",
      "into",
      `the array for ${name} was transferred or resized while the pass ran; wait for the call before passing it on`,
    );
  target.set(values);
  return target;
}
