// exp, σ and tanh of four numbers. Errors measured against float64 (and held by test/device/wasm.test.ts):
// σ below 1.2e-7 absolute and 5e-6 relative, however far it is closed; tanh below 1.2e-7 absolute and 3e-7 relative, and
// exactly ±1 where float32 has it so, so that 1 - tanh² ends at 0. NaN stays NaN.
import { madd } from "./lanes";

/** Limits x without touching NaN: pmin and pmax return their first argument unless the comparison holds. */
@inline
export function clamp(x: v128, least: f32, most: f32): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(least)), f32x4.splat(most));
}

/** The integer nearest to x·scale in the low bits: the sum with 1.5·2²³ rounds. */
@inline
function nearest(x: v128, scale: v128): v128 {
  return madd(x, scale, f32x4.splat(12582912.0));
}

/** 2^f - 1 for what x·scale is beyond the nearest integer: a polynomial with the least greatest relative error. */
@inline
function fraction(x: v128, scale: v128, nearest: v128): v128 {
  const f = madd(x, scale, f32x4.sub(f32x4.splat(12582912.0), nearest));
  const square = f32x4.mul(f, f);
  // Pairs first: the polynomial's latency, not its number of operations, is what costs.
  const low = madd(f32x4.splat(0.055503619036024854), f, f32x4.splat(0.24022647832186947));
  const high = madd(f32x4.splat(0.0013390275107723413), f, f32x4.splat(0.009618527540820836));
  const p = madd(madd(f32x4.splat(0.00015320992750052237), square, high), square, low);
  return madd(p, square, f32x4.mul(f, f32x4.splat(0.6931471805599453)));
}

/** 2^(x·scale) for |x·scale| <= 125.5: the integer goes into the exponent. */
@inline
function power(x: v128, scale: f32): v128 {
  const factor = f32x4.splat(scale);
  const n = nearest(x, factor);
  return i32x4.add(f32x4.add(fraction(x, factor, n), f32x4.splat(1)), i32x4.shl(n, 23));
}

/** e^x for |x| <= 87. */
@inline
export function exp(x: v128): v128 {
  return power(x, 1.4426950408889634);
}

/** 1 / (1 + e^-x). */
@inline
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, power(clamp(x, -87, 87), -1.4426950408889634)));
}

/** ±m / (m + 2) with m = e^2|x| - 1. Never beyond ±1, so that 1 - tanh² is not negative; ±1 from 9.01 on. */
@inline
export function tanh(x: v128): v128 {
  const size = f32x4.pmin(f32x4.abs(x), f32x4.splat(20));
  const factor = f32x4.splat(2.8853900817779268);
  const n = nearest(size, factor);
  const whole = i32x4.add(i32x4.shl(n, 23), i32x4.splat(0x3f800000));
  const m = madd(fraction(size, factor, n), whole, f32x4.sub(whole, f32x4.splat(1)));
  return v128.or(f32x4.div(m, f32x4.add(m, f32x4.splat(2))), v128.and(x, f32x4.splat(-0.0)));
}
