/** The gradients of weights, biases and inputs, for ops that multiply rows with a weight. */
import { columnSum } from "../kernels/column-sum.ts";
import type { View } from "../recording/recording.ts";
import { matmul } from "./linear.ts";
import type { Tape, Variable } from "./tape.ts";

/**
 * Places for the gradients of a weight and its bias if one product can write both. Otherwise this records the bias's
 * gradient and leaves out `sums`.
 */
export function weightAndBias(
  tape: Tape,
  weight: Variable,
  bias: Variable | undefined,
  dy: View,
  rows: number,
): { view: View; accumulate: 0 | 1; sums?: View } | undefined {
  const columns = weight.shape[0];
  const accumulates = (v: Variable): boolean => v.gradient !== undefined;
  const together = weight.needsGradient && bias?.needsGradient && accumulates(weight) === accumulates(bias);
  if (!together) biasGradient(tape, bias, dy, rows, columns);
  if (!weight.needsGradient) return undefined;
  return { ...tape.share(weight), ...(together ? { sums: tape.share(bias).view } : {}) };
}

/** ∂L/∂b (+)= column sums of dy [rows, columns]. */
export function biasGradient(tape: Tape, bias: Variable | undefined, dy: View, rows: number, columns: number): void {
  if (!bias?.needsGradient) return;
  const { view, accumulate } = tape.share(bias);
  tape.recording.dispatch(columnSum, { x: dy, sums: view }, { rows, columns, accumulate });
}

/**
 * ∂L/∂W (+)= dyᵀ·x and ∂L/∂b (+)= Σ dy for y = x·Wᵀ + b, over `rows` rows; dy [rows, O], W [O, I], and
 * x [rows, I] from element `offset` of its view on.
 */
export function weightGradients(
  tape: Tape,
  x: View,
  weight: Variable,
  bias: Variable | undefined,
  dy: View,
  rows: number,
  offset = 0,
): void {
  const [O, I] = weight.shape;
  const place = weightAndBias(tape, weight, bias, dy, rows);
  if (place)
    matmul(
      tape.recording,
      dy,
      x,
      place.view,
      { M: O, N: I, K: rows, aRow: 1, aColumn: O, bOffset: offset, accumulate: place.accumulate },
      place,
    );
}

/** ∂L/∂x (+)= dy·W for y = x·Wᵀ, over `rows` rows of x from `firstRow` on; `to` is the result of `Tape.share` for x. */
export function inputGradient(
  tape: Tape,
  weight: Variable,
  dy: View,
  rows: number,
  to: { view: View; accumulate: 0 | 1 },
  firstRow = 0,
): void {
  const [O, I] = weight.shape;
  matmul(tape.recording, dy, weight.view, to.view, { M: rows, N: I, K: O, cOffset: firstRow * I, accumulate: to.accumulate });
}

/** The gradients of y = x·Wᵀ + b, from dy. */
export function linearBackward(tape: Tape, x: Variable, weight: Variable, bias: Variable | undefined, dy: View, rows: number): void {
  weightGradients(tape, x.view, weight, bias, dy, rows);
  if (x.needsGradient) inputGradient(tape, weight, dy, rows, tape.share(x));
}
