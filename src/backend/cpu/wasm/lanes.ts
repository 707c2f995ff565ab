// Four float32 at a time: what the kernels of this folder share.

/** a·b + c, fused where the engine has relaxed SIMD: the two builds of this folder differ here only. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Sum of the four lanes, in a fixed order. */
@inline
export function sumOf(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}

/** The four sums of a, b, c, d as one vector: cheaper than four times `sumOf`. */
@inline
export function sumsOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/**
 * Column 0 of the 4x4 block whose rows are a, b, c, d; `column1` to `column3` are the others. x86 has an instruction for
 * each of these shuffles, which move pairs of lanes; any other shuffle of two vectors takes three.
 */
@inline
export function column0(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 0, 4, 1, 5), 0, 1, 4, 5);
}
@inline
export function column1(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 0, 4, 1, 5), 2, 3, 6, 7);
}
@inline
export function column2(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 2, 6, 3, 7), v128.shuffle<f32>(c, d, 2, 6, 3, 7), 0, 1, 4, 5);
}
@inline
export function column3(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 2, 6, 3, 7), v128.shuffle<f32>(c, d, 2, 6, 3, 7), 2, 3, 6, 7);
}

/** Stores the first `left` lanes of x, all four if there are more. Loops over a length end with it. */
@inline
export function storeFirst(to: usize, x: v128, left: usize): void {
  if (left >= 4) v128.store(to, x);
  else storeLanes(to, x, left);
}

function storeLanes(to: usize, x: v128, count: usize): void {
  v128.store32_lane(to, x, 0);
  if (count > 1) v128.store32_lane(to, x, 1, 4);
  if (count > 2) v128.store32_lane(to, x, 2, 8);
}

/** x, or x added to what `to` holds. */
@inline
export function sumWith(to: usize, x: v128, add: bool): v128 {
  return add ? f32x4.add(v128.load(to), x) : x;
}

/** The lanes of x that are still inside the row; the others become `otherwise`. */
@inline
export function inside(x: v128, left: usize, otherwise: f32): v128 {
  if (left >= 4) return x;
  return v128.bitselect(x, f32x4.splat(otherwise), i32x4.gt_s(i32x4.splat(<i32>left), i32x4(0, 1, 2, 3)));
}
