// The arithmetic of four units of a cell: the twins of src/recurrent/cells/, four units at a time. x is the input's part of
// the gates' arguments, r the recurrent part. Gates of a unit lie side by side in memory, so they are turned into one
// vector per gate and back. `left` units are wanted: where it is less than four, the others are computed from whatever
// follows and not stored.
import { column0, column1, column2, column3, madd, storeFirst } from "./lanes";
import { sigmoid, tanh } from "./functions";

export const lstm: usize = 0;
export const gru: usize = 1;
export const rnn: usize = 2;

// Bits of `variant`: the constants of the cells' shaders that are greater than 0, in the order of known-cells.ts.
const forgets: usize = 1;
const coupled: usize = 2;
export const squashes: usize = 4;
const peeps: usize = 8;
const resets: usize = 1;
const keeps: usize = 2;
const relu: usize = 1;

@inline
export function hasPeepholes(cell: usize, variant: usize): bool {
  return cell == lstm && (variant & peeps) != 0;
}

@inline
export function gateCount(cell: usize): usize {
  return cell == lstm ? 4 : cell == gru ? 3 : 1;
}

/** 1 - x. */
@inline
export function rest(x: v128): v128 {
  return f32x4.sub(f32x4.splat(1), x);
}

/** x (1 - x): the derivative of σ by its value. */
@inline
export function slope(x: v128): v128 {
  return f32x4.mul(x, rest(x));
}

/** 1 - x²: the derivative of tanh by its value. */
@inline
export function tanhSlope(x: v128): v128 {
  return f32x4.sub(f32x4.splat(1), f32x4.mul(x, x));
}

@inline
function storeGates4(to: usize, a: v128, b: v128, c: v128, d: v128, left: usize): void {
  v128.store(to, column0(a, b, c, d));
  if (left > 1) v128.store(to, column1(a, b, c, d), 16);
  if (left > 2) v128.store(to, column2(a, b, c, d), 32);
  if (left > 3) v128.store(to, column3(a, b, c, d), 48);
}

/** Number `gate` of four units whose numbers lie side by side, four each. */
@inline
export function ofGate(units: usize, gate: usize): v128 {
  const at = units + (gate << 2);
  return v128.load32_lane(at, v128.load32_lane(at, v128.load32_lane(at, v128.load32_zero(at), 1, 16), 2, 32), 3, 48);
}

/** `gates` holds x + r. In the place of h it leaves the output gate; `lstmOutput` follows. */
@inline
export function lstmForward(variant: usize, gates: usize, peepholes: usize, cPrevious: usize, hOut: usize, cOut: usize, left: usize): void {
  const u0 = v128.load(gates), u1 = v128.load(gates, 16), u2 = v128.load(gates, 32), u3 = v128.load(gates, 48);
  let i = column0(u0, u1, u2, u3), f = column1(u0, u1, u2, u3), o = column3(u0, u1, u2, u3);
  const previous = v128.load(cPrevious);
  if (variant & peeps) {
    i = madd(ofGate(peepholes, 0), previous, i);
    f = madd(ofGate(peepholes, 1), previous, f);
  }
  i = sigmoid(i);
  if (variant & forgets) f = sigmoid(f);
  else f = variant & coupled ? rest(i) : f32x4.splat(1);
  const g = tanh(column2(u0, u1, u2, u3));
  const c = madd(f, previous, f32x4.mul(i, g));
  if (variant & peeps) o = madd(ofGate(peepholes, 3), c, o);
  o = sigmoid(o);
  storeFirst(cOut, c, left);
  storeFirst(hOut, o, left);
  storeGates4(gates, i, f, g, o, left);
}

/**
 * h = o⊙tanh(c), with o in the place of h. A loop of its own: here no unit waits for its c, so that a processor works on
 * several at once.
 */
export function lstmOutput(variant: usize, units: usize, c: usize, h: usize): void {
  const bytes = units << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const memory = v128.load(c + i);
    storeFirst(h + i, f32x4.mul(v128.load(h + i), variant & squashes ? tanh(memory) : memory), (bytes - i) >> 2);
  }
}

// Three gates of four units, 12 numbers in three vectors a, b, c: lane g of unit u is number 3u + g.
@inline
export function gate0(a: v128, b: v128, c: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 0, 3, 6, 6), c, 0, 1, 2, 5);
}
@inline
export function gate1(a: v128, b: v128, c: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 1, 4, 7, 7), c, 0, 1, 2, 6);
}
@inline
export function gate2(a: v128, b: v128, c: v128): v128 {
  return v128.shuffle<f32>(v128.shuffle<f32>(a, b, 2, 5, 5, 5), c, 0, 1, 4, 7);
}

/** Three numbers a unit: 4 units fill three vectors, fewer fill only the first of them. */
export function storeGates3(to: usize, r: v128, z: v128, n: v128, left: usize): void {
  const count = left * 3;
  storeFirst(to, v128.shuffle<f32>(v128.shuffle<f32>(r, z, 0, 4, 1, 1), n, 0, 1, 4, 2), count);
  if (count > 4) storeFirst(to + 16, v128.shuffle<f32>(v128.shuffle<f32>(z, n, 1, 5, 2, 2), r, 0, 1, 6, 2), count - 4);
  if (count > 8) storeFirst(to + 32, v128.shuffle<f32>(v128.shuffle<f32>(n, r, 2, 7, 3, 3), z, 0, 1, 7, 2), count - 8);
}

/**
 * The argument a of the update gate, or its gradient, for z as the share of the old state. A gate that does not keep has
 * 1 - σ(a) = σ(-a) as this share.
 */
@inline
export function signed(keeps: bool, a: v128): v128 {
  return keeps ? a : f32x4.neg(a);
}

/** `gates` holds x, `recurrent` holds r. */
@inline
export function gruForward(variant: usize, gates: usize, recurrent: usize, hPrevious: usize, hOut: usize, cOut: usize, left: usize): void {
  const x0 = v128.load(gates), x1 = v128.load(gates, 16), x2 = v128.load(gates, 32);
  const r0 = v128.load(recurrent), r1 = v128.load(recurrent, 16), r2 = v128.load(recurrent, 32);
  const r = variant & resets ? sigmoid(f32x4.add(gate0(x0, x1, x2), gate0(r0, r1, r2))) : f32x4.splat(1);
  const z = sigmoid(signed((variant & keeps) != 0, f32x4.add(gate1(x0, x1, x2), gate1(r0, r1, r2))));
  const c = gate2(r0, r1, r2);
  const n = tanh(madd(r, c, gate2(x0, x1, x2)));
  storeFirst(cOut, c, left);
  storeFirst(hOut, madd(rest(z), n, f32x4.mul(z, v128.load(hPrevious))), left);
  storeGates3(gates, r, z, n, left);
}

/** `gates` holds x + r. */
export function rnnForward(variant: usize, gates: usize, hOut: usize, left: usize): void {
  const x = v128.load(gates);
  // max(0, NaN) is NaN in the twin too.
  const h = variant & relu ? f32x4.max(f32x4.splat(0), x) : tanh(x);
  storeFirst(gates, h, left);
  storeFirst(hOut, h, left);
}

/** Writes ∂L/∂(x + r) and returns ∂L/∂c_{t-1}. */
export function lstmBackward(variant: usize, gates: usize, peepholes: usize, cPrevious: usize, cCurrent: usize, dh: v128, dc: v128, left: usize): v128 {
  const o = ofGate(gates, 3);
  let out = v128.load(cCurrent), outSlope = f32x4.splat(1);
  if (variant & squashes) {
    out = tanh(out);
    outSlope = tanhSlope(out);
  }
  const dOutput = f32x4.mul(f32x4.mul(dh, out), slope(o));
  let dcTotal = madd(f32x4.mul(dh, o), outSlope, dc);
  if (variant & peeps) dcTotal = madd(dOutput, ofGate(peepholes, 3), dcTotal);
  return lstmGatesBackward(variant, gates, peepholes, cPrevious, dOutput, dcTotal, left);
}

/** The same from ∂L/∂(o's argument) and all of ∂L/∂c_t on. */
export function lstmGatesBackward(variant: usize, gates: usize, peepholes: usize, cPrevious: usize, dOutput: v128, dcTotal: v128, left: usize): v128 {
  const u0 = v128.load(gates), u1 = v128.load(gates, 16), u2 = v128.load(gates, 32), u3 = v128.load(gates, 48);
  const i = column0(u0, u1, u2, u3), f = column1(u0, u1, u2, u3), g = column2(u0, u1, u2, u3);
  const previous = v128.load(cPrevious);
  const dInput = f32x4.mul(f32x4.mul(dcTotal, variant & coupled ? f32x4.sub(g, previous) : g), slope(i));
  const dForget = variant & forgets ? f32x4.mul(f32x4.mul(dcTotal, previous), slope(f)) : f32x4.splat(0);
  storeGates4(gates, dInput, dForget, f32x4.mul(f32x4.mul(dcTotal, i), tanhSlope(g)), dOutput, left);
  const dPrevious = f32x4.mul(dcTotal, f);
  if (!(variant & peeps)) return dPrevious;
  return madd(dInput, ofGate(peepholes, 0), madd(dForget, ofGate(peepholes, 1), dPrevious));
}

/** Writes ∂L/∂x and ∂L/∂r. Returns the part of ∂L/∂h_{t-1} that does not come through the recurrent product. */
export function gruBackward(variant: usize, gates: usize, hPrevious: usize, c: usize, dh: v128, recurrentOut: usize, left: usize): v128 {
  const g0 = v128.load(gates), g1 = v128.load(gates, 16), g2 = v128.load(gates, 32);
  const r = gate0(g0, g1, g2), z = gate1(g0, g1, g2), n = gate2(g0, g1, g2);
  const dn = f32x4.mul(f32x4.mul(dh, rest(z)), tanhSlope(n));
  const dr = variant & resets ? f32x4.mul(f32x4.mul(dn, v128.load(c)), slope(r)) : f32x4.splat(0);
  const dz = signed((variant & keeps) != 0, f32x4.mul(f32x4.mul(dh, f32x4.sub(v128.load(hPrevious), n)), slope(z)));
  storeGates3(gates, dr, dz, dn, left);
  storeGates3(recurrentOut, dr, dz, f32x4.mul(dn, r), left);
  return f32x4.mul(dh, z);
}

export function rnnBackward(variant: usize, hCurrent: usize, dh: v128, gates: usize, left: usize): void {
  const h = v128.load(hCurrent);
  storeFirst(gates, variant & relu ? v128.and(dh, f32x4.gt(h, f32x4.splat(0))) : f32x4.mul(dh, tanhSlope(h)), left);
}

/** dh and dc of four units, which lie side by side: the first and the second of each pair. */
@inline
export function firstOfPairs(at: usize): v128 {
  return v128.shuffle<f32>(v128.load(at), v128.load(at, 16), 0, 2, 4, 6);
}
@inline
export function secondOfPairs(at: usize): v128 {
  return v128.shuffle<f32>(v128.load(at), v128.load(at, 16), 1, 3, 5, 7);
}
@inline
export function storePairs(to: usize, first: v128, second: v128, left: usize): void {
  storeFirst(to, v128.shuffle<f32>(first, second, 0, 4, 1, 5), left << 1);
  if (left > 2) storeFirst(to + 16, v128.shuffle<f32>(first, second, 2, 6, 3, 7), (left - 2) << 1);
}
