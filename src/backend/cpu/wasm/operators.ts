// What imported models need besides running.ts: functions of two operands, windows, picks along an axis, normalized rows.
import { inside, storeFirst, sumOf, sumWith } from "./lanes";

export { pick, unfold } from "./moves";

@external("env", "pow")
declare function pow(x: f64, y: f64): f64;

// The places of the names in src/kernels/binary.ts.
const add: usize = 0;
const multiply: usize = 1;
const subtract: usize = 2;
const divide: usize = 3;
const power: usize = 4;
const maximum: usize = 5;
const minimum: usize = 6;
const equal: usize = 7;
const less: usize = 8;
const lessOrEqual: usize = 9;
const and: usize = 10;
const or: usize = 11;
const keep: usize = 12;

/** 1 where a comparison held. */
@inline
function one(mask: v128): v128 {
  return v128.and(mask, f32x4.splat(1));
}

@inline
function isTrue(x: v128): v128 {
  return f32x4.ne(x, f32x4.splat(0));
}

/** One lane after the other, in float64 as in the twin. */
function powers(a: v128, b: v128): v128 {
  let y = f32x4.splat(<f32>pow(f32x4.extract_lane(a, 0), f32x4.extract_lane(b, 0)));
  y = f32x4.replace_lane(y, 1, <f32>pow(f32x4.extract_lane(a, 1), f32x4.extract_lane(b, 1)));
  y = f32x4.replace_lane(y, 2, <f32>pow(f32x4.extract_lane(a, 2), f32x4.extract_lane(b, 2)));
  return f32x4.replace_lane(y, 3, <f32>pow(f32x4.extract_lane(a, 3), f32x4.extract_lane(b, 3)));
}

function valueOf(kind: usize, a: v128, b: v128): v128 {
  if (kind == add) return f32x4.add(a, b);
  if (kind == multiply) return f32x4.mul(a, b);
  if (kind == subtract) return f32x4.sub(a, b);
  if (kind == divide) return f32x4.div(a, b);
  if (kind == power) return powers(a, b);
  if (kind == maximum) return f32x4.max(a, b);
  if (kind == minimum) return f32x4.min(a, b);
  if (kind == equal) return one(f32x4.eq(a, b));
  if (kind == less) return one(f32x4.lt(a, b));
  if (kind == lessOrEqual) return one(f32x4.le(a, b));
  if (kind == and) return one(v128.and(isTrue(a), isTrue(b)));
  if (kind == or) return one(v128.or(isTrue(a), isTrue(b)));
  return kind == keep ? v128.and(b, isTrue(a)) : v128.andnot(b, isTrue(a));
}

/** Up to four numbers of an operand, `stride` bytes apart. */
@inline
function operand(at: usize, stride: usize, left: usize): v128 {
  if (stride == 4) return v128.load(at);
  if (stride == 0) return v128.load32_splat(at);
  return scattered(at, stride, left);
}

function scattered(at: usize, stride: usize, left: usize): v128 {
  let x = v128.load32_splat(at);
  if (left > 1) x = v128.load_lane<f32>(at + stride, x, 1);
  if (left > 2) x = v128.load_lane<f32>(at + 2 * stride, x, 2);
  if (left > 3) x = v128.load_lane<f32>(at + 3 * stride, x, 3);
  return x;
}

/** Along the last index; strides in bytes. */
function binaryRow(kind: usize, a: usize, b: usize, y: usize, size: usize, aStride: usize, bStride: usize, accumulate: bool): void {
  for (let i: usize = 0; i < size; i += 4) {
    const left = size - i, to = y + (i << 2);
    const value = valueOf(kind, operand(a + i * aStride, aStride, left), operand(b + i * bStride, bStride, left));
    storeFirst(to, sumWith(to, value, accumulate), left);
  }
}

/** `binary` of src/kernels/binary.ts. */
export function binary(
  a: usize, b: usize, y: usize, size0: usize, size1: usize, size2: usize, size3: usize,
  a0: usize, a1: usize, a2: usize, a3: usize, b0: usize, b1: usize, b2: usize, b3: usize, kind: usize, accumulate: bool,
): void {
  for (let i: usize = 0; i < size0; i++) {
    for (let j: usize = 0; j < size1; j++) {
      let atA = a + (i * a0 + j * a1 << 2), atB = b + (i * b0 + j * b1 << 2);
      for (let k: usize = 0; k < size2; k++) {
        binaryRow(kind, atA, atB, y, size3, a3 << 2, b3 << 2, accumulate);
        atA += a2 << 2;
        atB += b2 << 2;
        y += size3 << 2;
      }
    }
  }
}

/** src/kernels/normalize.ts. */
export function normalizeForward(x: usize, y: usize, means: usize, variances: usize, rows: usize, columns: usize, eps: f32): void {
  const row = columns << 2;
  for (; rows > 0; rows--) {
    let sums = f32x4.splat(0), squares = sums;
    for (let i: usize = 0; i < row; i += 16) sums = f32x4.add(sums, inside(v128.load(x + i), (row - i) >> 2, 0));
    const mean = sumOf(sums) / <f32>columns;
    for (let i: usize = 0; i < row; i += 16) {
      const apart = inside(f32x4.sub(v128.load(x + i), f32x4.splat(mean)), (row - i) >> 2, 0);
      squares = f32x4.add(squares, f32x4.mul(apart, apart));
    }
    const variance = sumOf(squares) / <f32>columns;
    const deviation = f32x4.splat(sqrt<f32>(variance + eps));
    for (let i: usize = 0; i < row; i += 16) storeFirst(y + i, f32x4.div(f32x4.sub(v128.load(x + i), f32x4.splat(mean)), deviation), (row - i) >> 2);
    store<f32>(means, mean);
    store<f32>(variances, variance);
    x += row;
    y += row;
    means += 4;
    variances += 4;
  }
}
