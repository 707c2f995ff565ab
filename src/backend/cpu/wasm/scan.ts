// Steps of cells without a recurrent product: the contracts of src/recurrent/strategies/scan.ts. Steps are not cut into parts
// as on a GPU, because one thread computes all steps of a row. Runs of rows are as in recurrent-step.ts.
import { firstOfPairs, gate0, gate1, gate2, rest, secondOfPairs, slope, storeGates3, storePairs } from "./cells";
import { sigmoid } from "./functions";
import { madd, storeFirst } from "./lanes";
import { addToCarry, endOfRun, hasStep } from "./recurrent-step";

// Numbers of the cells, in the order of fast-recurrent.ts.
const minGru: usize = 0;

@inline
function gateCount(cell: usize): usize {
  return cell == minGru ? 2 : 3;
}

/** x + 0.5 for x >= 0, else σ(x). */
@inline
function positive(x: v128): v128 {
  return v128.bitselect(f32x4.add(x, f32x4.splat(0.5)), sigmoid(x), f32x4.ge(x, f32x4.splat(0)));
}

/** The derivative of `positive` by its value. */
@inline
function positiveSlope(y: v128): v128 {
  return v128.bitselect(f32x4.splat(1), slope(y), f32x4.ge(y, f32x4.splat(0.5)));
}

export function scanForward(
  cell: usize, makesPositive: bool, gates: usize, h: usize, lengths: usize,
  B: usize, H: usize, t: usize, previousSlot: usize, currentSlot: usize, first: usize, end: usize,
): void {
  for (let row = first; row < end; ) {
    const next = endOfRun(lengths, row, end, t);
    const units = (next - row) * H;
    const previous = h + ((previousSlot * B + row) * H << 2), current = h + ((currentSlot * B + row) * H << 2);
    const at = gates + ((t * B + row) * H * gateCount(cell) << 2);
    if (!hasStep(lengths, row, t)) memory.copy(current, previous, units << 2);
    else if (cell == minGru) minGruForward(makesPositive, units, at, previous, current);
    else minLstmForward(makesPositive, units, at, previous, current);
    row = next;
  }
}

function minGruForward(makesPositive: bool, units: usize, gates: usize, hPrevious: usize, h: usize): void {
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const z = sigmoid(firstOfPairs(gates));
    let n = secondOfPairs(gates);
    if (makesPositive) n = positive(n);
    storeFirst(h, madd(rest(z), v128.load(hPrevious), f32x4.mul(z, n)), left);
    storePairs(gates, z, n, left);
    gates += 32;
    hPrevious += 16;
    h += 16;
  }
}

function minLstmForward(makesPositive: bool, units: usize, gates: usize, hPrevious: usize, h: usize): void {
  for (let k: usize = 0; k < units; k += 4) {
    const left = units - k;
    const a = v128.load(gates), b = v128.load(gates, 16), c = v128.load(gates, 32);
    const f = sigmoid(gate0(a, b, c)), i = sigmoid(gate1(a, b, c));
    let g = gate2(a, b, c);
    if (makesPositive) g = positive(g);
    const both = f32x4.add(f, i);
    storeFirst(h, madd(f32x4.div(f, both), v128.load(hPrevious), f32x4.mul(f32x4.div(i, both), g)), left);
    storeGates3(gates, f, i, g, left);
    gates += 48;
    hPrevious += 16;
    h += 16;
  }
}

/** `carry` holds dh of each unit and, beside it, 0. */
export function scanBackward(
  cell: usize, makesPositive: bool, gates: usize, h: usize, dy: usize, carry: usize, lengths: usize,
  B: usize, H: usize, t: usize, previousSlot: usize, first: usize, end: usize,
): void {
  for (let row = first; row < end; ) {
    const next = endOfRun(lengths, row, end, t);
    const units = (next - row) * H;
    const reach = carry + (row * H << 3);
    const at = gates + ((t * B + row) * H * gateCount(cell) << 2);
    const previous = h + ((previousSlot * B + row) * H << 2), outer = dy + ((t * B + row) * H << 2);
    if (!hasStep(lengths, row, t)) {
      memory.fill(at, 0, (units << 2) * gateCount(cell));
      addToCarry(reach, outer, units);
      for (let i: usize = 0; i < units; i++) store<f32>(reach + (i << 3), 0, 4);
    } else if (cell == minGru) minGruBackward(makesPositive, units, at, previous, outer, reach);
    else minLstmBackward(makesPositive, units, at, previous, outer, reach);
    row = next;
  }
}

function minGruBackward(makesPositive: bool, units: usize, gates: usize, hPrevious: usize, dy: usize, carry: usize): void {
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const dh = f32x4.add(firstOfPairs(carry), v128.load(dy));
    const z = firstOfPairs(gates), n = secondOfPairs(gates);
    let dn = f32x4.mul(dh, z);
    if (makesPositive) dn = f32x4.mul(dn, positiveSlope(n));
    const dz = f32x4.mul(f32x4.mul(dh, f32x4.sub(n, v128.load(hPrevious))), slope(z));
    storePairs(gates, dz, dn, left);
    storePairs(carry, f32x4.mul(dh, rest(z)), f32x4.splat(0), left);
    gates += 32;
    hPrevious += 16;
    dy += 16;
    carry += 32;
  }
}

function minLstmBackward(makesPositive: bool, units: usize, gates: usize, hPrevious: usize, dy: usize, carry: usize): void {
  for (let k: usize = 0; k < units; k += 4) {
    const left = units - k;
    const dh = f32x4.add(firstOfPairs(carry), v128.load(dy));
    const a = v128.load(gates), b = v128.load(gates, 16), c = v128.load(gates, 32);
    const f = gate0(a, b, c), i = gate1(a, b, c), g = gate2(a, b, c);
    const both = f32x4.add(f, i);
    const kept = f32x4.div(f, both), written = f32x4.div(i, both);
    let dg = f32x4.mul(dh, written);
    if (makesPositive) dg = f32x4.mul(dg, positiveSlope(g));
    const dShares = f32x4.mul(f32x4.mul(dh, f32x4.sub(v128.load(hPrevious), g)), f32x4.mul(kept, written));
    storeGates3(gates, f32x4.mul(dShares, rest(f)), f32x4.neg(f32x4.mul(dShares, rest(i))), dg, left);
    storePairs(carry, f32x4.mul(dh, kept), f32x4.splat(0), left);
    gates += 48;
    hPrevious += 16;
    dy += 16;
    carry += 32;
  }
}
