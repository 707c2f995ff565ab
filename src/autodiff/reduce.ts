/** Extreme elements, cumulative sums and normalized rows. */
import { cumulativeSum as cumulativeSumKernel } from "../kernels/cumulative-sum.ts";
import { extremeBackward, extremeForward } from "../kernels/extreme.ts";
import { normalizeBackward, normalizeForward } from "../kernels/normalize.ts";
import type { View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import { around } from "./parts.ts";
import type { Tape, Variable } from "./tape.ts";

/** The greatest elements along `axis` (`sign` 1) or the least (-1), and the places of the first such ones as numbers. */
export function extreme(tape: Tape, label: string, x: Variable, axis: number, sign: 1 | -1): { y: Variable; places: Variable } {
  const [outer, size, inner] = around(x.shape, axis);
  const shape = x.shape.filter((_, i) => i !== axis);
  const [y, places] = [tape.result(label, shape, [x]), tape.result(`${label}.places`, shape, [])];
  tape.recording.dispatch(extremeForward, { x: x.view, y: y.view, places: places.view }, { outer, size, inner, sign });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(extremeBackward, { places: places.view, dy: y.gradient!, dx: view }, { outer, size, inner, accumulate });
  });
  return { y, places };
}

/** The sum of all elements along `axis` up to each, from the end if `reverse`, and without itself if `exclusive`. */
export function cumulativeSum(tape: Tape, label: string, x: Variable, axis: number, reverse: boolean, exclusive: boolean): Variable {
  const [outer, size, inner] = around(x.shape, axis);
  const params = { outer, size, inner, exclusive: Number(exclusive) };
  const y = tape.result(label, x.shape, [x]);
  tape.recording.dispatch(cumulativeSumKernel, { x: x.view, y: y.view }, { ...params, reverse: Number(reverse), accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(cumulativeSumKernel, { x: y.gradient!, y: view }, { ...params, reverse: Number(!reverse), accumulate });
  });
  return y;
}

/** Rows of `columns` numbers with mean 0 and variance 1; and both statistics of each row. */
export function normalize(
  tape: Tape,
  label: string,
  x: Variable,
  columns: number,
  eps: number,
): { y: Variable; means: View; variances: View } {
  const rows = sizeOf(x.shape) / columns;
  const y = tape.result(label, x.shape, [x]);
  const [means, variances] = ["means", "variances"].map((name) => tape.recording.buffer(`${label}.${name}`, [rows]));
  tape.recording.dispatch(normalizeForward, { x: x.view, y: y.view, means, variances }, { rows, columns, eps });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(normalizeBackward, { y: y.view, variances, dy: y.gradient!, dx: view }, { rows, columns, eps, accumulate });
  });
  return { y, means, variances };
}
