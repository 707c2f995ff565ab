/** The op that hides what rows do not have. */
import { maskSteps as maskStepsKernel } from "../kernels/mask-steps.ts";
import type { View } from "../recording/recording.ts";
import type { Tape, Variable } from "./tape.ts";

/** Zeros where a row has ended: x [T, B, H], lengths [B] u32. */
export function maskSteps(tape: Tape, label: string, x: Variable, lengths: View): Variable {
  const [T, B, H] = x.shape;
  const y = tape.result(label, x.shape, [x]);
  tape.recording.dispatch(maskStepsKernel, { x: x.view, lengths, y: y.view }, { T, B, H, accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(maskStepsKernel, { x: y.gradient!, lengths, y: view }, { T, B, H, accumulate });
  });
  return y;
}
