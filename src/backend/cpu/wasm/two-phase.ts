// A step of a GRU with the reset inside, in two phases: the contracts of src/recurrent/kernels/two-phase.ts with the
// cell of src/recurrent/cells/gru-reset-before.ts. `c` holds the candidate's operand r⊙h.
import { firstOfPairs, gate0, gate1, gate2, rest, signed, slope, storeGates3, storePairs, tanhSlope } from "./cells";
import { sigmoid, tanh } from "./functions";
import { madd, storeFirst } from "./lanes";
import { product } from "./matmul";
import { addToCarry, endOfRun, hasStep } from "./recurrent-step";

/** `work`: room for [B, H·3] numbers. */
export function twoPhaseForward(
  phase: usize, keeps: bool, gates: usize, weights: usize, h: usize, c: usize, lengths: usize, work: usize,
  B: usize, H: usize, t: usize, previousSlot: usize, currentSlot: usize,
): void {
  const row = H << 2, width = H * 12;
  const bias = weights + H * width;
  for (let first: usize = 0; first < B; ) {
    const end = endOfRun(lengths, first, B, t);
    const rows = end - first;
    const previous = h + (previousSlot * B + first) * row, current = (currentSlot * B + first) * row;
    const at = gates + (t * B + first) * width;
    if (!hasStep(lengths, first, t)) {
      if (phase == 0) memory.fill(c + current, 0, rows * row);
      else memory.copy(h + current, previous, rows * row);
    } else if (phase == 0) {
      // The candidate's third of the product is not used; leaving it out would mean packing the weights.
      product(previous, weights, bias, work, rows, H * 3, H, row, 4, width, 4, width, false);
      firstForward(keeps, rows * H, at, work, previous, c + current);
    } else {
      repeatBias(work, bias + 8, rows, H);
      product(c + current, weights + 8, 0, work, rows, H, H, row, 4, width, 12, row, true);
      secondForward(rows * H, at, work, previous, h + current);
    }
    first = end;
  }
}

/** Every third number of `bias`, once for each row. */
function repeatBias(to: usize, bias: usize, rows: usize, H: usize): void {
  for (let unit: usize = 0; unit < H; unit++) store<f32>(to + (unit << 2), load<f32>(bias + unit * 12));
  for (let r: usize = 1; r < rows; r++) memory.copy(to + r * (H << 2), to, H << 2);
}

function firstForward(keeps: bool, units: usize, gates: usize, recurrent: usize, hPrevious: usize, operand: usize): void {
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const x0 = v128.load(gates), x1 = v128.load(gates, 16), x2 = v128.load(gates, 32);
    const u0 = v128.load(recurrent), u1 = v128.load(recurrent, 16), u2 = v128.load(recurrent, 32);
    const r = sigmoid(f32x4.add(gate0(x0, x1, x2), gate0(u0, u1, u2)));
    const z = sigmoid(signed(keeps, f32x4.add(gate1(x0, x1, x2), gate1(u0, u1, u2))));
    storeFirst(operand, f32x4.mul(r, v128.load(hPrevious)), left);
    storeGates3(gates, r, z, gate2(x0, x1, x2), left);
    gates += 48;
    recurrent += 48;
    hPrevious += 16;
    operand += 16;
  }
}

function secondForward(units: usize, gates: usize, recurrent: usize, hPrevious: usize, h: usize): void {
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const g0 = v128.load(gates), g1 = v128.load(gates, 16), g2 = v128.load(gates, 32);
    const z = gate1(g0, g1, g2);
    const n = tanh(f32x4.add(gate2(g0, g1, g2), v128.load(recurrent)));
    storeFirst(h, madd(rest(z), n, f32x4.mul(z, v128.load(hPrevious))), left);
    storeGates3(gates, gate0(g0, g1, g2), z, n, left);
    gates += 48;
    recurrent += 16;
    hPrevious += 16;
    h += 16;
  }
}

/** `work`: room for [B, H] numbers. */
export function twoPhaseBackward(
  phase: usize, keeps: bool, gates: usize, weights: usize, h: usize, dy: usize, carry: usize, lengths: usize, work: usize,
  B: usize, H: usize, t: usize, previousSlot: usize, nextT: usize, hasNext: bool, tail: bool,
): void {
  const size = B * H << 2;
  // Σ over the gates of this phase, each a product over every third number of both operands.
  const next = gates + (phase == 0 ? nextT : t) * size * 3;
  const row = H * 12;
  if (phase == 1) product(next + 8, weights + 8, 0, work, B, H, H, row, 12, row, 12, H << 2, false);
  else if (!hasNext) memory.fill(work, 0, size);
  else {
    product(next, weights, 0, work, B, H, H, row, 12, row, 12, H << 2, false);
    product(next + 4, weights + 4, 0, work, B, H, H, row, 12, row, 12, H << 2, true);
  }
  if (tail) return addToCarry(carry, work, B * H);
  for (let first: usize = 0; first < B; ) {
    const end = endOfRun(lengths, first, B, t);
    const units = (end - first) * H;
    const at = first * H << 2;
    const saved = gates + (t * size + at) * 3;
    const previous = h + previousSlot * size + at;
    if (!hasStep(lengths, first, t)) {
      if (phase == 0) {
        addToCarry(carry + (at << 1), work + at, units);
        addToCarry(carry + (at << 1), dy + t * size + at, units);
        memory.fill(saved, 0, units * 12);
      }
    } else if (phase == 0) firstBackward(keeps, units, saved, previous, work + at, dy + t * size + at, carry + (at << 1));
    else secondBackward(units, saved, previous, work + at, carry + (at << 1));
    first = end;
  }
}

function firstBackward(keeps: bool, units: usize, gates: usize, hPrevious: usize, product: usize, dy: usize, carry: usize): void {
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const g0 = v128.load(gates), g1 = v128.load(gates, 16), g2 = v128.load(gates, 32);
    const z = gate1(g0, g1, g2), n = gate2(g0, g1, g2);
    const dh = f32x4.add(f32x4.add(firstOfPairs(carry), v128.load(product)), v128.load(dy));
    const dz = signed(keeps, f32x4.mul(f32x4.mul(dh, f32x4.sub(v128.load(hPrevious), n)), slope(z)));
    const dn = f32x4.mul(f32x4.mul(dh, rest(z)), tanhSlope(n));
    storeGates3(gates, gate0(g0, g1, g2), dz, dn, left);
    storePairs(carry, f32x4.mul(dh, z), f32x4.splat(0), left);
    gates += 48;
    hPrevious += 16;
    product += 16;
    dy += 16;
    carry += 32;
  }
}

function secondBackward(units: usize, gates: usize, hPrevious: usize, dOperand: usize, carry: usize): void {
  for (let i: usize = 0; i < units; i += 4) {
    const left = units - i;
    const g0 = v128.load(gates), g1 = v128.load(gates, 16), g2 = v128.load(gates, 32);
    const r = gate0(g0, g1, g2);
    const d = v128.load(dOperand);
    const dr = f32x4.mul(f32x4.mul(d, v128.load(hPrevious)), slope(r));
    storeGates3(gates, dr, gate1(g0, g1, g2), gate2(g0, g1, g2), left);
    storePairs(carry, madd(d, r, firstOfPairs(carry)), f32x4.splat(0), left);
    gates += 48;
    hPrevious += 16;
    dOperand += 16;
    carry += 32;
  }
}
