import { dropout as dropoutKernel } from "../kernels/dropout.ts";
import type { View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

export interface DropoutOptions {
  /** Probability of zero. */
  readonly p: number;
  /** [4] u32: seed and step. */
  readonly random: View;
  /** The random stream, different for each mask of a step. */
  readonly stream: number;
}

/** y = x ⊙ mask / (1 - p). The mask is not stored; the gradient draws it again. */
export function dropout(tape: Tape, label: string, x: Variable, { p, random, stream }: DropoutOptions): Variable {
  const length = sizeOf(x.shape);
  const y = tape.result(`${label}.y`, x.shape, [x]);
  tape.recording.dispatch(dropoutKernel, { x: x.view, random, y: y.view }, { length, stream, p, accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(dropoutKernel, { x: y.gradient!, random, y: view }, { length, stream, p, accumulate });
  });
  return y;
}
