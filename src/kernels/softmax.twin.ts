/** The twins of softmax.ts. */
import type { NumericArray } from "../tensor/tensor.ts";
import { safeExp } from "./activations.twin.ts";
import { softmaxForward, softmaxBackward } from "./softmax.ts";
import { twin } from "./twin.ts";

/** The largest number of a row, and Σ_c e^(x_c - largest). */
export function rowOf(x: NumericArray, at: number, columns: number): { greatest: number; sum: number } {
  let greatest = -3.4e38;
  for (let column = 0; column < columns; column++) greatest = Math.max(greatest, x[at + column]);
  let sum = 0;
  for (let column = 0; column < columns; column++) sum += safeExp(x[at + column] - greatest);
  return { greatest, sum };
}

export const softmaxTwins = [
  twin(softmaxForward, ({ x, y }, { rows, columns, log }) => {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      const { greatest, sum } = rowOf(x, at, columns);
      const logSum = Math.log(sum);
      for (let column = 0; column < columns; column++) {
        const shifted = x[at + column] - greatest;
        y[at + column] = log ? shifted - logSum : safeExp(shifted) / sum;
      }
    }
  }),
  twin(softmaxBackward, ({ y, dy, dx }, { rows, columns, log, accumulate }) => {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += log ? dy[at + column] : dy[at + column] * y[at + column];
      for (let column = 0; column < columns; column++) {
        const i = at + column;
        const value = log ? dy[i] - safeExp(y[i]) * sum : y[i] * (dy[i] - sum);
        dx[i] = accumulate ? dx[i] + value : value;
      }
    }
  }),
];
