// exp, σ and tanh of four numbers. Errors measured against float64 (and held by test/device/wasm.test.ts):
// exp below 1 ulp; σ below 1e-7 absolute and 1.5 ulp; tanh below 2e-7 absolute and 3 ulp. NaN stays NaN.
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

/** 1 - 2 / (e^2x + 1), exactly ±1 from |x| = 9.02 on; near 0, where that would cancel, an odd polynomial. */
export function tanh(x: v128): v128 {
  const one = f32x4.splat(1);
  const limited = clamp(x, -15, 15);
  const far = f32x4.sub(one, f32x4.div(f32x4.splat(2), f32x4.add(exp(f32x4.add(limited, limited)), one)));
  const square = f32x4.mul(x, x);
  let p = f32x4.splat(-0.0056669749319553375);
  p = madd(p, square, f32x4.splat(0.02060617506504059));
  p = madd(p, square, f32x4.splat(-0.05373000726103783));
  p = madd(p, square, f32x4.splat(0.13331331312656403));
  p = madd(p, square, f32x4.splat(-0.33333277702331543));
  const near = madd(p, f32x4.mul(square, x), x);
  return v128.bitselect(near, far, f32x4.lt(f32x4.abs(x), f32x4.splat(0.625)));
}
