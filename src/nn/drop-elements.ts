import { dropout } from "../autodiff/dropout.ts";
import { combined } from "../autodiff/elementwise.ts";
import type { Variable } from "../autodiff/tape.ts";
import type { Context } from "./context.ts";

/** x with some elements set to 0; with `time`, the same elements at every index of that axis. */
export function dropElements(context: Context, name: string, x: Variable, p: number, time?: number): Variable {
  const { tape, random } = context;
  const label = context.label(name);
  const options = { p, random, stream: context.randomStream() };
  if (time === undefined) return dropout(tape, label, x, options);
  const shape = x.shape.map((n, axis) => (axis === time ? 1 : n));
  const ones = tape.leaf(
    `${label}.ones`,
    tape.recording.buffer(`${label}.ones`, shape, "constant", "f32", new Float64Array(shape.reduce((size, n) => size * n, 1)).fill(1)),
  );
  return combined(tape, label, "multiply", x, dropout(tape, `${label}.mask`, ones, options), x.shape);
}
