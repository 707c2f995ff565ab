import { subview, type View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import { carriedLabel, sliceOf, type RunContext } from "./run-context.ts";

/**
 * Records copies of the states that a model gives its layers first, to where they are carried. Must come last, as
 * `keepStates`.
 * @param ofSome only rows that the input `rows.<path>` names get them. It has a place for each row of each layer, and
 * names there a row of the states that are carried, or of the first states, whose rows are counted behind those
 */
export function keepFirstStates(context: RunContext, ofSome = false): void {
  const { recording } = context;
  for (const [path, { shape, values }] of context.firstStates) {
    const carried = context.external(carriedLabel(path), shape);
    const copyTo = (to: View): void => values.forEach(({ view }, i) => recording.copy(view, sliceOf(to, shape, i)));
    if (!ofSome) {
      copyTo(carried);
      continue;
    }
    const both = recording.buffer(`${path}.both`, [2, ...shape]);
    recording.copy(carried, subview(both, 0, shape));
    copyTo(subview(both, sizeOf(shape), shape));
    recording.copy(context.rowsOf(path, both, shape), carried);
  }
}
