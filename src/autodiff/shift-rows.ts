import { shiftRows as shiftRowsKernel } from "../kernels/shift-rows.ts";
import type { View } from "../recording/recording.ts";
import { around } from "./parts.ts";
import type { Tape, Variable } from "./tape.ts";

/**
 * Of each row, `count` indices of `axis` from lengths[row] - before on; 0 where x has none.
 * @param x [rows times any number, ...]
 * @param lengths [rows] u32
 */
export function shiftRows(tape: Tape, label: string, x: Variable, axis: number, lengths: View, count: number, before: number): Variable {
  const [outer, size, inner] = around(x.shape, axis);
  const rows = lengths.shape[0];
  const y = tape.result(
    label,
    x.shape.map((n, i) => (i === axis ? count : n)),
    [x],
  );
  const params = { rows, outer, inner, before };
  tape.recording.dispatch(shiftRowsKernel, { x: x.view, lengths, y: y.view }, { ...params, size, count, back: 0, accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(
      shiftRowsKernel,
      { x: y.gradient!, lengths, y: view },
      { ...params, size: count, count: size, back: 1, accumulate },
    );
  });
  return y;
}
