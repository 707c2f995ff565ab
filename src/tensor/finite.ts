import { mostFloat, RnnError } from "../errors.ts";
import { finiteProblem } from "./tensor.ts";

/**
 * Refuses NaN, infinities and numbers that are infinite in float32; the error names the first index.
 * @throws RnnError `data`
 */
export function checkFinite(where: string, name: string, data: ArrayLike<number>): void {
  for (let i = 0; i < data.length; i++)
    if (!(data[i] >= -mostFloat && data[i] <= mostFloat)) throw new RnnError("data", where, finiteProblem(name, data[i], i, -mostFloat));
}
