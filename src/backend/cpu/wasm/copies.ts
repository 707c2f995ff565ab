// Kernels that move rows and elements about: embeddings and strided copies.
import { addRow } from "./elementwise";
import { column0, column1, column2, column3, sumWith } from "./lanes";

/** src/kernels/embedding.ts. */
export function embeddingGather(weight: usize, ids: usize, y: usize, rows: usize, columns: usize): void {
  const row = columns << 2;
  for (let n: usize = 0; n < rows; n++) memory.copy(y + n * row, weight + load<usize>(ids + (n << 2)) * row, row);
}

export function embeddingScatter(dy: usize, ids: usize, dWeight: usize, rows: usize, columns: usize, vocabulary: usize, add: bool): void {
  const row = columns << 2;
  if (!add) memory.fill(dWeight, 0, vocabulary * row);
  for (let n: usize = 0; n < rows; n++) addRow(dWeight + load<usize>(ids + (n << 2)) * row, dy + n * row, row);
}

/**
 * src/kernels/strided-copy.ts; strides in bytes. The caller has ordered the indices so that, if at all possible, the
 * output is contiguous along the last and the input along the last (a copy of rows) or the one before (a transposition).
 */
export function stridedCopy(
  from: usize, to: usize, size0: usize, size1: usize, size2: usize,
  from0: usize, from1: usize, from2: usize, to0: usize, to1: usize, to2: usize, add: bool,
): void {
  for (let i: usize = 0; i < size0; i++) {
    if (to2 == 4 && from2 == 4) copyRows(from, to, size1, size2, from1, to1, add);
    else if (to2 == 4 && from1 == 4) transpose(from, to, size1, size2, from2, to1, add);
    else copyElements(from, to, size1, size2, from1, from2, to1, to2, add);
    from += from0;
    to += to0;
  }
}

function copyRows(from: usize, to: usize, size1: usize, size2: usize, from1: usize, to1: usize, add: bool): void {
  for (let j: usize = 0; j < size1; j++) {
    if (add) addRow(to, from, size2 << 2);
    else memory.copy(to, from, size2 << 2);
    from += from1;
    to += to1;
  }
}

/** Blocks of 4 by 4; what they leave over at two edges, element by element. */
function transpose(from: usize, to: usize, size1: usize, size2: usize, from2: usize, to1: usize, add: bool): void {
  const whole1 = size1 & ~3, whole2 = size2 & ~3;
  for (let j: usize = 0; j < whole1; j += 4) {
    for (let k: usize = 0; k < whole2; k += 4) {
      const source = from + (j << 2) + k * from2;
      const a = v128.load(source), b = v128.load(source + from2), c = v128.load(source + 2 * from2), d = v128.load(source + 3 * from2);
      let target = to + j * to1 + (k << 2);
      v128.store(target, sumWith(target, column0(a, b, c, d), add));
      target += to1;
      v128.store(target, sumWith(target, column1(a, b, c, d), add));
      target += to1;
      v128.store(target, sumWith(target, column2(a, b, c, d), add));
      target += to1;
      v128.store(target, sumWith(target, column3(a, b, c, d), add));
    }
  }
  copyElements(from + whole2 * from2, to + (whole2 << 2), whole1, size2 - whole2, 4, from2, to1, 4, add);
  copyElements(from + (whole1 << 2), to + whole1 * to1, size1 - whole1, size2, 4, from2, to1, 4, add);
}

function copyElements(from: usize, to: usize, size1: usize, size2: usize, from1: usize, from2: usize, to1: usize, to2: usize, add: bool): void {
  for (let j: usize = 0; j < size1; j++) {
    let source = from, target = to;
    for (let k: usize = 0; k < size2; k++) {
      const value = load<f32>(source);
      store<f32>(target, add ? load<f32>(target) + value : value);
      source += from2;
      target += to2;
    }
    from += from1;
    to += to1;
  }
}
