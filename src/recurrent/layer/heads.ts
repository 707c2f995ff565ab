/** A recurrent matrix of heads: units see the states of their own head only. */
import { combined } from "../../autodiff/elementwise.ts";
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";

/**
 * The whole matrix [G·H, H] of one that has its blocks only: zeros where unit and state are of different heads. It is
 * made when the parameters have changed, so that every strategy and kernel serves it.
 * @param weight [G·H, H/heads], in device order, whose rows go unit by unit
 */
export function blockDiagonal({ tape }: Context, label: string, weight: Variable, heads: number): Variable {
  const [rows, block] = weight.shape;
  const same = Float64Array.from({ length: heads * heads }, (_, i) => (i % (heads + 1) === 0 ? 1 : 0));
  const ofHead = tape.leaf(`${label}.heads`, tape.recording.buffer(`${label}.heads`, [heads, 1, heads, 1], "constant", "f32", same));
  const shape = [heads, rows / heads, heads, block];
  const blocks = weight.reshaped([heads, rows / heads, 1, block]);
  return tape.recording
    .derive([weight.view], () => combined(tape, `${label}.blocks`, "multiply", blocks, ofHead, shape))
    .reshaped([rows, heads * block]);
}
