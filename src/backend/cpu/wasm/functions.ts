// exp, σ and tanh of four numbers. Errors measured against float64 (and held by test/device/wasm.test.ts):
// exp below 1 ulp; σ below 1e-7 absolute and 1.5 ulp; tanh below 4.5e-7, absolute and relative. NaN stays NaN.
import { madd } from "./lanes";

/** Limits x without touching NaN: pmin and pmax return their first argument unless the comparison holds. */
@inline
export function clamp(x: v128, least: f32, most: f32): v128 {
  return f32x4.pmin(f32x4.pmax(x, f32x4.splat(least)), f32x4.splat(most));
}

/**
 * e^x for |x| <= 87: x = n ln 2 + r with |r| <= ½ ln 2, a polynomial in r (minimax for relative error), and n put into
 * the exponent. Adding 1.5·2²³ rounds to an integer and leaves it in the low bits.
 */
@inline
export function exp(x: v128): v128 {
  const rounder = f32x4.splat(12582912.0);
  const shifted = madd(x, f32x4.splat(1.44269504), rounder);
  const n = f32x4.sub(shifted, rounder);
  // ln 2 in two parts, the first short enough that n times it is exact.
  const r = madd(n, f32x4.splat(2.1219444e-4), madd(n, f32x4.splat(-0.693359375), x));
  const square = f32x4.mul(r, r);
  // Pairs first: the polynomial's latency, not its number of operations, is what costs.
  const low = madd(f32x4.splat(0.1666651964187622), r, f32x4.splat(0.4999999403953552));
  const high = madd(f32x4.splat(0.008368780836462975), r, f32x4.splat(0.04166839271783829));
  let p = madd(madd(f32x4.splat(0.0013814467238262296), square, high), square, low);
  p = f32x4.add(madd(p, square, r), f32x4.splat(1));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000)));
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(clamp(x, -40, 40)))));
}

/**
 * A rational function, x P(x²) / Q(x²), with the least greatest relative error on [-7.8, 7.8], where tanh is within
 * 3.4e-7 of ±1. Half the time of one by exp; never beyond ±1, so that 1 - tanh² is not negative.
 */
@inline
export function tanh(x: v128): v128 {
  const limited = clamp(x, -7.8, 7.8);
  const square = f32x4.mul(limited, limited);
  let p = madd(f32x4.splat(8.156699550454505e-6), square, f32x4.splat(0.0020819073542952538));
  p = madd(p, square, f32x4.splat(0.0907318964600563));
  p = madd(p, square, f32x4.splat(0.7010049223899841));
  let q = madd(f32x4.splat(1.7709049870973104e-7), square, f32x4.splat(0.00016919082554522902));
  q = madd(q, square, f32x4.splat(0.016748690977692604));
  q = madd(q, square, f32x4.splat(0.32439956068992615));
  q = madd(q, square, f32x4.splat(0.7010050415992737));
  return f32x4.div(f32x4.mul(p, limited), q);
}

/** σ for gates, by tanh: its error is as small beside 1, but not beside σ itself where that is near 0. */
@inline
export function gate(x: v128): v128 {
  const half = f32x4.splat(0.5);
  return madd(tanh(f32x4.mul(x, half)), half, half);
}
