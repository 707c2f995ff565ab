import { activationBackward, activationForward, activationKinds } from "../kernels/activations.ts";
import { softmaxBackward, softmaxForward } from "../kernels/softmax.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

export type ActivationName = keyof typeof activationKinds;

/** y = σ(x), tanh(x) or max(0, x), element by element. */
export function activation(tape: Tape, label: string, x: Variable, name: ActivationName): Variable {
  const length = sizeOf(x.shape);
  const kind = activationKinds[name];
  const y = tape.result(label, x.shape, [x]);
  tape.recording.dispatch(activationForward, { x: x.view, y: y.view }, { length, kind });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(activationBackward, { y: y.view, dy: y.gradient!, dx: view }, { length, kind, accumulate });
  });
  return y;
}

/** Softmax (or its logarithm) over the last dimension. */
export function softmax(tape: Tape, label: string, x: Variable, { log = false }: { log?: boolean } = {}): Variable {
  const columns = x.shape[x.shape.length - 1];
  const params = { rows: sizeOf(x.shape) / columns, columns, log: log ? 1 : 0 };
  const y = tape.result(label, x.shape, [x]);
  tape.recording.dispatch(softmaxForward, { x: x.view, y: y.view }, params);
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(softmaxBackward, { y: y.view, dy: y.gradient!, dx: view }, { ...params, accumulate });
  });
  return y;
}
