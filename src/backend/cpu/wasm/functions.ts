// exp, σ and tanh of four numbers. Errors measured against float64 (and held by test/device/wasm.test.ts):
// σ below 1.2e-7 absolute and 5e-6 relative, however far it is closed; tanh below 1.2e-7 absolute and 3e-7 relative, and
// exactly ±1 where float32 has it so, so that 1 - tanh² ends at 0. NaN stays NaN.
import { madd } from "./lanes";

// Constants lie in memory: V8 makes a constant vector anew at each use, by three instructions, and loads one by one instruction.
const table = memory.data<f32>([
  12582912, 1, 2, -87, 87, 20, -1.4426950408889634, 1.4426950408889634, 2.8853900817779268,
  0.6931471805599453, 0.24022647832186947, 0.055503619036024854, 0.009618527540820836, 0.0013390275107723413, 0.00015320992750052237,
]);
// Bytes from its beginning.
const magic: usize = 0, one: usize = 4, two: usize = 8, least: usize = 12, most: usize = 16, furthest: usize = 20;
const minusLog2e: usize = 24, log2e: usize = 28, twoLog2e: usize = 32;
const ln2: usize = 36, second: usize = 40, third: usize = 44, fourth: usize = 48, fifth: usize = 52, sixth: usize = 56;

/** Limits x without touching NaN: pmin and pmax return their first argument unless the comparison holds. */
@inline
export function clamp(x: v128, least: f32, most: f32): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(least)), f32x4.splat(most));
}

/** The integer nearest to x·scale in the low bits: the sum with 1.5·2²³ rounds. */
@inline
function nearest(x: v128, scale: v128): v128 {
  return madd(x, scale, v128.load32_splat(table, magic));
}

/** 2^f - 1, where f is x·scale minus the nearest integer: the polynomial with the smallest greatest relative error. */
@inline
function fraction(x: v128, scale: v128, nearest: v128): v128 {
  const f = madd(x, scale, f32x4.sub(v128.load32_splat(table, magic), nearest));
  const square = f32x4.mul(f, f);
  // Pairs first: the polynomial's latency, not its number of operations, is what costs.
  const low = madd(v128.load32_splat(table, third), f, v128.load32_splat(table, second));
  const high = madd(v128.load32_splat(table, fifth), f, v128.load32_splat(table, fourth));
  const p = madd(madd(v128.load32_splat(table, sixth), square, high), square, low);
  return madd(p, square, f32x4.mul(f, v128.load32_splat(table, ln2)));
}

/** 2^(x·scale) for |x·scale| <= 125.5: the integer goes into the exponent. */
@inline
function power(x: v128, scale: v128): v128 {
  const n = nearest(x, scale);
  return i32x4.add(f32x4.add(fraction(x, scale, n), v128.load32_splat(table, one)), i32x4.shl(n, 23));
}

/** e^x for |x| <= 87. */
@inline
export function exp(x: v128): v128 {
  return power(x, v128.load32_splat(table, log2e));
}

/** 1 / (1 + e^-x). */
@inline
export function sigmoid(x: v128): v128 {
  const limited = f32x4.pmin(f32x4.pmax(x, v128.load32_splat(table, least)), v128.load32_splat(table, most));
  return f32x4.div(v128.load32_splat(table, one), f32x4.add(v128.load32_splat(table, one), power(limited, v128.load32_splat(table, minusLog2e))));
}

/** ±m / (m + 2) with m = e^2|x| - 1. Never beyond ±1, so that 1 - tanh² is not negative; ±1 from 9.01 on. */
@inline
export function tanh(x: v128): v128 {
  const size = f32x4.pmin(f32x4.abs(x), v128.load32_splat(table, furthest));
  const n = nearest(size, v128.load32_splat(table, twoLog2e));
  const whole = i32x4.add(i32x4.shl(n, 23), v128.load32_splat(table, one));
  const m = madd(fraction(size, v128.load32_splat(table, twoLog2e), n), whole, f32x4.sub(whole, v128.load32_splat(table, one)));
  return v128.or(f32x4.div(m, f32x4.add(m, v128.load32_splat(table, two))), v128.and(x, f32x4.splat(-0.0)));
}
