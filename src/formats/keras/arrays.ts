/** Turns Keras' arrays, in which inputs come first, into PyTorch's, in which outputs do. */
import { show } from "../../errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError } from "../imported.ts";
import { placeOf, where, type LayerConfig } from "./config.ts";

/** Transposes a matrix, and puts the blocks of its columns in another order. @param order the old place of each block */
export function transposed({ shape: [rows, columns], data }: Tensor, order: readonly number[] = [0]): Tensor {
  const size = columns / order.length;
  const result = new Float32Array(data.length);
  for (let column = 0; column < columns; column++) {
    const from = order[Math.floor(column / size)] * size + (column % size);
    for (let row = 0; row < rows; row++) result[column * rows + row] = data[row * columns + from];
  }
  return { shape: [columns, rows], data: result };
}

/** Puts the blocks of a vector in another order. */
export const reordered = ({ shape, data }: Tensor, order: readonly number[]): Tensor => ({
  shape,
  data: transposed({ shape: [1, data.length], data }, order).data,
});

/** @throws RnnError `format` unless an array has these sizes */
export function checkArray(layer: LayerConfig, name: string, { shape }: Tensor, expected: readonly number[]): void {
  if (shape.length === expected.length && shape.every((size, i) => size === expected[i])) return;
  throw formatError(where, `${name} of ${placeOf(layer)} must be [${expected.join(", ")}], got ${show([...shape])}`);
}

/** A matrix's sizes. */
export function matrixSizes(layer: LayerConfig, name: string, { shape }: Tensor): [number, number] {
  if (shape.length !== 2 || shape.includes(0))
    throw formatError(where, `${name} of ${placeOf(layer)} must be a matrix, got ${show([...shape])}`);
  return [shape[0], shape[1]];
}
