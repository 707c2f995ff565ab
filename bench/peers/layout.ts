/** Other libraries want the same numbers in other orders: batch first, transposed weights, gates in other places. */
import type { Outcome, Problem } from "../problem.ts";

/** [rows, columns] to [columns, rows]. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) result[c * rows + r] = data[r * columns + c];
  return result;
}

/** [first, second, width] to [second, first, width]: between steps first and batch first. */
export function swapFirstTwo(data: Float32Array, first: number, second: number, width: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let i = 0; i < first; i++) {
    for (let j = 0; j < second; j++)
      result.set(data.subarray((i * second + j) * width, (i * second + j + 1) * width), (j * first + i) * width);
  }
  return result;
}

/** Blocks of equal length in another order: result block i is block `order[i]`. */
export function reorder(data: Float32Array, order: readonly number[]): Float32Array {
  const size = data.length / order.length;
  const result = new Float32Array(data.length);
  order.forEach((from, to) => result.set(data.subarray(from * size, (from + 1) * size), to * size));
  return result;
}

export const inverse = (order: readonly number[]): number[] => order.map((_, i) => order.indexOf(i));

export const add = (a: Float32Array, b: Float32Array): Float32Array => a.map((v, i) => v + b[i]);

/** The weights of a layer as libraries with one bias and [inputs, gates·hidden] matrices have them. */
export interface KerasWeights {
  /** [input, G·H] */
  readonly kernel: Float32Array;
  /** [H, G·H] */
  readonly recurrent: Float32Array;
  /** [G·H]: the sum of PyTorch's two. */
  readonly bias: Float32Array;
}

/** @param order where each of the library's gates stands among PyTorch's */
export function toKeras({ weights, input, hidden }: Problem, order: readonly number[]): KerasWeights {
  const GH = order.length * hidden;
  return {
    kernel: transpose(reorder(weights.weight_ih_l0.data, order), GH, input),
    recurrent: transpose(reorder(weights.weight_hh_l0.data, order), GH, hidden),
    bias: reorder(add(weights.bias_ih_l0.data, weights.bias_hh_l0.data), order),
  };
}

/** Weights, or gradients, back under PyTorch's names; `prefix` is "gradient" or "updated". */
export function fromKeras(
  { input, hidden }: Problem,
  order: readonly number[],
  prefix: string,
  { kernel, recurrent, bias }: KerasWeights,
): Outcome {
  const back = inverse(order);
  const GH = order.length * hidden;
  return {
    [`${prefix} weight_ih_l0`]: reorder(transpose(kernel, input, GH), back),
    [`${prefix} weight_hh_l0`]: reorder(transpose(recurrent, hidden, GH), back),
    // Both of PyTorch's biases have this gradient; what one becomes after a step of both cannot be told from the sum.
    ...(prefix === "gradient" ? { "gradient bias_ih_l0": reorder(bias, back) } : {}),
  };
}

/** What a library with one bias can show of a training step. */
export const kerasTrainingNames = [
  "output",
  "gradient weight_ih_l0",
  "gradient weight_hh_l0",
  "gradient bias_ih_l0",
  "updated weight_ih_l0",
  "updated weight_hh_l0",
];
