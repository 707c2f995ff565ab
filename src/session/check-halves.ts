/** Checks weights that are stored in half precision; loaded with the first run that has some. */
import { RnnError } from "../errors.ts";
import type { ParameterStore } from "./parameter-store.ts";

/** The largest finite number in half precision. */
const mostHalf = 65504;

/** @throws RnnError `data`, naming the parameter, if a recurrent weight on the host is too large for half precision */
export function checkHalves(store: ParameterStore): void {
  for (const place of store.placed) {
    const { path, parameter } = place;
    // Values that training changed on the device are not checked here: the loss becomes NaN if they are too large.
    if (!/(^|\.)weight_hh_/.test(path) || place.fitting === parameter.version || parameter.newest) continue;
    const values = parameter.hostValues;
    const bad = values.findIndex((value) => Math.abs(value) > mostHalf);
    if (bad >= 0)
      throw new RnnError(
        "data",
        path,
        `has ${values[bad]} at index ${bad}, but storage "float16" holds numbers up to 65504; use storage "float32", or smaller weights`,
      );
    place.fitting = parameter.version;
  }
}
