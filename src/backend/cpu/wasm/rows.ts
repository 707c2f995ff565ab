// Kernels that sum over rows or columns of a matrix: softmax, cross-entropy, column sums.
import { clamp, exp } from "./functions";
import { inside, madd, storeFirst, sumOf, sumWith } from "./lanes";

/** The host's natural logarithm: once a row, so that the call costs nothing. */
@external("env", "log")
declare function log(x: f64): f64;

/** src/kernels/column-sum.ts. */
export function columnSum(x: usize, sums: usize, rows: usize, columns: usize, add: bool): void {
  for (let i: usize = 0; i < columns << 2; i += 64) sixteenSums(x + i, sums + i, rows, columns << 2, columns - (i >> 2), add);
}

/** A whole cache line of columns; a function of its own, see `wideTile` in matmul.ts. */
function sixteenSums(x: usize, sums: usize, rows: usize, row: usize, left: usize, add: bool): void {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (; rows > 0; rows--) {
    s0 = f32x4.add(s0, v128.load(x));
    s1 = f32x4.add(s1, v128.load(x, 16));
    s2 = f32x4.add(s2, v128.load(x, 32));
    s3 = f32x4.add(s3, v128.load(x, 48));
    x += row;
  }
  storeFirst(sums, sumWith(sums, s0, add), left);
  if (left > 4) storeFirst(sums + 16, sumWith(sums + 16, s1, add), left - 4);
  if (left > 8) storeFirst(sums + 32, sumWith(sums + 32, s2, add), left - 8);
  if (left > 12) storeFirst(sums + 48, sumWith(sums + 48, s3, add), left - 12);
}

function greatestOf(x: usize, columns: usize): f32 {
  let greatest = f32x4.splat(-3.4e38);
  for (let i: usize = 0; i < columns; i += 4) greatest = f32x4.max(greatest, inside(v128.load(x + (i << 2)), columns - i, -3.4e38));
  return max(max(f32x4.extract_lane(greatest, 0), f32x4.extract_lane(greatest, 1)), max(f32x4.extract_lane(greatest, 2), f32x4.extract_lane(greatest, 3)));
}

/** y = e^(x - shift); returns Σ y. */
function exponentials(x: usize, y: usize, columns: usize, shift: f32): f32 {
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < columns; i += 4) {
    const left = columns - i;
    const e = exp(clamp(f32x4.sub(v128.load(x + (i << 2)), f32x4.splat(shift)), -80, 80));
    storeFirst(y + (i << 2), e, left);
    sum = f32x4.add(sum, inside(e, left, 0));
  }
  return sumOf(sum);
}

function scaleRow(y: usize, columns: usize, factor: f32): void {
  for (let i: usize = 0; i < columns; i += 4) storeFirst(y + (i << 2), f32x4.mul(v128.load(y + (i << 2)), f32x4.splat(factor)), columns - i);
}

/** src/kernels/softmax.ts. */
export function softmaxForward(x: usize, y: usize, rows: usize, columns: usize, logarithm: bool): void {
  const row = columns << 2;
  for (; rows > 0; rows--) {
    const greatest = greatestOf(x, columns);
    const sum = exponentials(x, y, columns, greatest);
    if (!logarithm) scaleRow(y, columns, 1 / sum);
    else {
      const logSum = f32x4.splat(<f32>log(sum));
      for (let i: usize = 0; i < row; i += 16) {
        storeFirst(y + i, f32x4.sub(f32x4.sub(v128.load(x + i), f32x4.splat(greatest)), logSum), (row - i) >> 2);
      }
    }
    x += row;
    y += row;
  }
}

export function softmaxBackward(y: usize, dy: usize, dx: usize, rows: usize, columns: usize, logarithm: bool, add: bool): void {
  const row = columns << 2;
  for (; rows > 0; rows--) {
    let sums = f32x4.splat(0);
    for (let i: usize = 0; i < row; i += 16) {
      const d = v128.load(dy + i);
      sums = f32x4.add(sums, inside(logarithm ? d : f32x4.mul(d, v128.load(y + i)), (row - i) >> 2, 0));
    }
    const sum = f32x4.splat(sumOf(sums));
    for (let i: usize = 0; i < row; i += 16) {
      const value = v128.load(y + i), d = v128.load(dy + i);
      const derivative = logarithm ? f32x4.sub(d, f32x4.mul(exp(clamp(value, -80, 80)), sum)) : f32x4.mul(value, f32x4.sub(d, sum));
      storeFirst(dx + i, sumWith(dx + i, derivative, add), (row - i) >> 2);
    }
    y += row;
    dy += row;
    dx += row;
  }
}

/** `crossEntropy` of src/kernels/cross-entropy.ts. */
export function crossEntropy(
  logits: usize, targets: usize, weights: usize, normalizer: usize, losses: usize, dLogits: usize, rows: usize, columns: usize, ignoreIndex: i32,
): void {
  const row = columns << 2;
  for (; rows > 0; rows--) {
    const label = load<i32>(targets);
    const weight: f32 = label == ignoreIndex ? 0 : load<f32>(weights);
    if (weight == 0) {
      memory.fill(dLogits, 0, row);
      store<f32>(losses, 0);
    } else {
      const greatest = greatestOf(logits, columns);
      const sum = exponentials(logits, dLogits, columns, greatest);
      const scale = weight * load<f32>(normalizer, 4);
      scaleRow(dLogits, columns, scale / sum);
      const at = dLogits + (<usize>label << 2);
      store<f32>(at, load<f32>(at) - scale);
      store<f32>(losses, <f32>(<f64>weight * (<f64>greatest - <f64>load<f32>(logits + (<usize>label << 2)) + log(sum))));
    }
    logits += row;
    dLogits += row;
    targets += 4;
    weights += 4;
    losses += 4;
  }
}
