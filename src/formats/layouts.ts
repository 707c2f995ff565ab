/** Turns arrays in which inputs come first, as in TensorFlow and Keras, into PyTorch's, in which outputs do. */
import type { Tensor } from "../tensor/tensor.ts";

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
