import { unaryBackward, unaryForward } from "../kernels/unary.ts";
import { unaryNames, type UnaryName } from "../kernels/unary-names.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tape, Variable } from "./tape.ts";

/** Functions without a slope: they are flat, and jump. */
const flat: readonly UnaryName[] = ["Sign", "Floor", "Ceil", "Round", "Not"];

/** y = f(x), element by element. */
export function unary(tape: Tape, label: string, x: Variable, name: UnaryName, alpha = 0, beta = 0): Variable {
  const params = { length: sizeOf(x.shape), kind: unaryNames.indexOf(name), alpha, beta };
  const y = tape.result(label, x.shape, flat.includes(name) ? [] : [x]);
  tape.recording.dispatch(unaryForward, { x: x.view, y: y.view }, params);
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(unaryBackward, { x: x.view, y: y.view, dy: y.gradient!, dx: view }, { ...params, accumulate });
  });
  return y;
}
