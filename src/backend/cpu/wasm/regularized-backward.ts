// The backward pass of a regularized step, before the product that takes it to h_{t-1}: `backwardStep` and `backwardTail` of
// src/recurrent/kernels/regularized.twin.ts.
import { firstOfPairs, gateCount, gru, gruBackward, lstm, lstmBackward, lstmGatesBackward, ofGate, rnnBackward, secondOfPairs, slope, squashes, storePairs, tanhSlope } from "./cells";
import { tanh } from "./functions";
import { madd, storeFirst } from "./lanes";
import { addToCarry } from "./recurrent-step";
import { addWithProduct, asKept, average, batch, draw, factors, isAlive, remainsC, remainsH, Step, sumsAt, unitsAt } from "./regularized-step";

// Arrays in `work`, by number.
/** ∂L/∂h before zoneout; with a normalised memory, it becomes the gradient of the output gate's argument. */
const dH: usize = 0;
/** ∂L/∂c before zoneout. */
const dC: usize = 1;
/** c before zoneout. */
const made: usize = 2;
/** The normalised memory, and its gradient times γ_c. */
const memoryY: usize = 3;
const dMemoryY: usize = 4;

// Rows of sums, by number: the means of γ⊙d and of γ⊙d⊙y for x, for r and for the memory; the scales of x and of r.
const sumsX: usize = 0;
const sumsR: usize = 2;
const scales: usize = 4;
const sumsC: usize = 6;

/** Rows from `first` up to `end`: all of them if the batch is normalised, else any. `at` is the address of a `Step`. */
export function regularizedBackward(at: usize, first: usize, end: usize): void {
  const s = changetype<Step>(at);
  draw(s, first, end);
  if (s.tail) {
    for (let row = first; row < end; row++) pass(s, row);
    return;
  }
  const rows = s.normalizes == batch ? end - first : 1;
  for (let row = first; row < end; row += rows) backwardGroup(s, row, row + rows);
}

function backwardGroup(s: Step, first: usize, end: usize): void {
  const G = gateCount(s.cell), width = s.H * G << 2, wrap = s.wrap;
  const constant = s.statistics == asKept;
  let rows: usize = 0;
  if (s.normalizes) for (let n: usize = 0; n < 8; n++) memory.fill(sumsAt(s, n), 0, wrap);
  for (let row = first; row < end; row++) {
    if (!isAlive(s, row)) {
      pass(s, row);
      addToCarry(pairs(s, row), s.dy + (row * s.H << 2), s.H);
      memory.fill(s.gates + row * width, 0, width);
      memory.fill(s.r + row * width, 0, width);
      continue;
    }
    rows++;
    reach(s, row);
    if (s.cell == lstm && (s.normalizesMemory || s.zones)) remember(s, row);
    if (s.normalizesMemory) readOutBackward(s, row);
  }
  if (s.normalizesMemory) finishSums(s, sumsC, 1, 1, 0, rows, constant);
  for (let row = first; row < end; row++) {
    if (!isAlive(s, row)) continue;
    cellBackward(s, row);
    if (s.normalizes) gainsBackward(s, row);
  }
  if (!s.normalizes) return;
  finishSums(s, sumsX, G, s.firstGates, s.secondGates, rows, constant);
  finishSums(s, sumsR, G, s.firstGates, s.secondGates, rows, constant);
  loadScales(s, sumsAt(s, scales), G, s.saved + first * 48);
  loadScales(s, sumsAt(s, scales + 1), G, s.saved + first * 48 + 16);
  for (let row = first; row < end; row++) if (isAlive(s, row)) sidesBackward(s, row);
}

/** Makes means of a row of sums and of the next. If the statistics were constants, no gradient goes through them: both become 0. */
function finishSums(s: Step, n: usize, G: usize, first: usize, second: usize, rows: usize, constant: bool): void {
  const sum = sumsAt(s, n), product = sumsAt(s, n + 1);
  if (constant) {
    memory.fill(sum, 0, s.wrap);
    memory.fill(product, 0, s.wrap);
    return;
  }
  average(s, sum, G, first, second, rows);
  average(s, product, G, first, second, rows);
}

// In the carry: the address of a row's dh and dc, side by side, and that of its gradient of h through the product.
@inline
function pairs(s: Step, row: usize): usize {
  return s.carry + (row * s.H << 3);
}
@inline
function products(s: Step, row: usize): usize {
  return s.carry + 2 * s.part + (row * s.H << 2);
}

/** For a row without this step, and for the state before the segment: adds the product's gradient to dh, and passes all on. */
function pass(s: Step, row: usize): void {
  const pair = pairs(s, row), product = products(s, row), factor = factors(s) + (row * s.H << 2), bytes = s.H << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const left = (bytes - i) >> 2;
    storePairs(pair + 2 * i, withProduct(s, firstOfPairs(pair + 2 * i), product + i, factor + i), secondOfPairs(pair + 2 * i), left);
    storeFirst(product + i, f32x4.splat(0), left);
  }
}

@inline
function withProduct(s: Step, dh: v128, product: usize, factor: usize): v128 {
  return s.drops ? madd(v128.load(product), v128.load(factor), dh) : f32x4.add(dh, v128.load(product));
}

/** Puts the gradients of the cell's h and c into `work`. What zoneout leads past the cell stays in the carry. */
function reach(s: Step, row: usize): void {
  const units = row * s.H << 2, bytes = s.H << 2;
  const pair = pairs(s, row), product = products(s, row), dy = s.dy + units, factor = factors(s) + units;
  const toH = unitsAt(s, dH) + units, toC = unitsAt(s, dC) + units, h = remainsH(s) + units, c = remainsC(s) + units;
  const zero = f32x4.splat(0), one = f32x4.splat(1);
  for (let i: usize = 0; i < bytes; i += 16) {
    const left = (bytes - i) >> 2;
    let dh = f32x4.add(withProduct(s, firstOfPairs(pair + 2 * i), product + i, factor + i), v128.load(dy + i));
    let dc = secondOfPairs(pair + 2 * i);
    let hBeside = zero, cBeside = zero;
    if (s.zones) {
      const stays = v128.load(h + i);
      hBeside = f32x4.mul(stays, dh);
      dh = f32x4.mul(f32x4.sub(one, stays), dh);
      const remains = v128.load(c + i);
      cBeside = f32x4.mul(remains, dc);
      dc = f32x4.mul(f32x4.sub(one, remains), dc);
    }
    storeFirst(toH + i, dh, left);
    storeFirst(toC + i, dc, left);
    storePairs(pair + 2 * i, hBeside, cBeside, left);
    storeFirst(product + i, zero, left);
  }
}

/** Computes c of an LSTM before zoneout again. */
function remember(s: Step, row: usize): void {
  const units = row * s.H << 2, bytes = s.H << 2;
  const gates = s.gates + 4 * units, previous = s.cPrevious + units, to = unitsAt(s, made) + units;
  for (let i: usize = 0; i < bytes; i += 16) {
    const at = gates + 4 * i;
    storeFirst(to + i, madd(ofGate(at, 1), v128.load(previous + i), f32x4.mul(ofGate(at, 0), ofGate(at, 2))), (bytes - i) >> 2);
  }
}

/** From the gradient of h, those of the output gate's argument and of the normalised memory. */
function readOutBackward(s: Step, row: usize): void {
  const units = row * s.H << 2, bytes = s.H << 2, wrap = s.wrap;
  const gates = s.gates + 4 * units, gains = s.gains + 3 * 4 * bytes, c = unitsAt(s, made) + units;
  const dh = unitsAt(s, dH) + units, toY = unitsAt(s, memoryY) + units, toD = unitsAt(s, dMemoryY) + units;
  const dGain = s.carry + (3 + 5 * 4) * s.part + units, dBias = dGain + s.part;
  const sum = sumsAt(s, sumsC), product = sumsAt(s, sumsC + 1);
  for (let i: usize = 0, p: usize = 0; i < bytes; i += 16) {
    const left = (bytes - i) >> 2;
    const o = ofGate(gates + 4 * i, 3), gain = ofGate(gains + 4 * i, 0);
    const y = f32x4.mul(f32x4.sub(v128.load(c + i), meanOfMemory(s, row, i)), scaleOfMemory(s, row, i));
    let out = madd(y, gain, ofGate(gains + 4 * i, 1)), outSlope = f32x4.splat(1);
    if (s.variant & squashes) {
      out = tanh(out);
      outSlope = tanhSlope(out);
    }
    const d = v128.load(dh + i);
    const dz = f32x4.mul(f32x4.mul(d, o), outSlope), scaled = f32x4.mul(gain, dz);
    storeFirst(dh + i, f32x4.mul(f32x4.mul(d, out), slope(o)), left);
    storeFirst(toY + i, y, left);
    storeFirst(toD + i, scaled, left);
    storeFirst(dGain + i, madd(dz, y, v128.load(dGain + i)), left);
    storeFirst(dBias + i, f32x4.add(dz, v128.load(dBias + i)), left);
    addWithProduct(scaled, y, sum + p, product + p, left);
    p += 16;
    if (p == wrap) p = 0;
  }
}

// Statistics of the memory, of the row or of four units from byte `i` on.
function meanOfMemory(s: Step, row: usize, i: usize): v128 {
  return s.normalizes == batch ? ofGroups(s.saved + 12 * i + 32) : v128.load32_splat(s.saved + row * 48 + 32);
}
function scaleOfMemory(s: Step, row: usize, i: usize): v128 {
  return s.normalizes == batch ? ofGroups(s.saved + 12 * i + 36) : v128.load32_splat(s.saved + row * 48 + 36);
}
function ofGroups(at: usize): v128 {
  return v128.load32_lane(at, v128.load32_lane(at, v128.load32_lane(at, v128.load32_zero(at), 1, 48), 2, 96), 3, 144);
}

/** From the gradients of h and c, those of x and r: the former in the gates' place, the latter at `recurrentGradient`. */
function cellBackward(s: Step, row: usize): void {
  const cell = s.cell, G = gateCount(cell), H = s.H, units = row * H << 2, wrap = s.wrap;
  const sum = sumsAt(s, sumsC), product = sumsAt(s, sumsC + 1);
  const gates = s.gates + units * G, recurrent = recurrentGradient(s) + units * G;
  const dh = unitsAt(s, dH) + units, dc = unitsAt(s, dC) + units, y = unitsAt(s, memoryY) + units, dY = unitsAt(s, dMemoryY) + units;
  const cPrevious = s.cPrevious + units, c = (s.zones ? unitsAt(s, made) : s.cCurrent) + units;
  // An RNN's gate is the state that it made.
  const h = s.zones ? gates : s.hCurrent + units;
  for (let i: usize = 0, p: usize = 0; i < H << 2; i += 16) {
    const left = H - (i >> 2), at = gates + i * G, pair = pairs(s, row) + 2 * i;
    const d = v128.load(dh + i);
    let dhPrevious = f32x4.splat(0), dcPrevious = dhPrevious;
    if (s.normalizesMemory) {
      const own = f32x4.sub(f32x4.sub(v128.load(dY + i), v128.load(sum + p)), f32x4.mul(v128.load(y + i), v128.load(product + p)));
      dcPrevious = lstmGatesBackward(s.variant, at, 0, cPrevious + i, d, madd(scaleOfMemory(s, row, i), own, v128.load(dc + i)), left);
    } else if (cell == lstm) dcPrevious = lstmBackward(s.variant, at, s.peepholes + 4 * i, cPrevious + i, c + i, d, v128.load(dc + i), left);
    else if (cell == gru) dhPrevious = gruBackward(s.variant, at, s.hPrevious + units + i, s.cCurrent + units + i, d, recurrent + i * G, left);
    else rnnBackward(s.variant, h + i, d, at, left);
    storePairs(pair, f32x4.add(firstOfPairs(pair), dhPrevious), f32x4.add(secondOfPairs(pair), dcPrevious), left);
    p += 16;
    if (p == wrap) p = 0;
  }
  if (cell != gru) memory.copy(recurrent, gates, 4 * G * H);
}

/** Where the gradient of r goes: where the product reads it, or, if it has to pass a norm first, into the carry's part for that. */
@inline
function recurrentGradient(s: Step): usize {
  return s.normalizes ? s.carry + (3 + 4 * gateCount(s.cell)) * s.part : s.r;
}

/** Adds to the gradients of the gains and biases of x and r, and to their sums. */
function gainsBackward(s: Step, row: usize): void {
  const G = gateCount(s.cell), width = s.H * G << 2, at = row * width, wrap = s.wrap, part = G * s.part;
  const dX = s.gates + at, dR = recurrentGradient(s) + at, x = s.x + at, r = s.r + at;
  const gainX = s.gains, gainR = gainX + 2 * width;
  const dGainX = s.carry + 3 * s.part + at, dBiasX = dGainX + part, dGainR = dBiasX + part, dBiasR = dGainR + part;
  const sumX = sumsAt(s, sumsX), productX = sumsAt(s, sumsX + 1), sumR = sumsAt(s, sumsR), productR = sumsAt(s, sumsR + 1);
  for (let i: usize = 0, p: usize = 0; i < width; i += 16) {
    const left = (width - i) >> 2;
    const ofX = v128.load(dX + i), ofR = v128.load(dR + i), yX = v128.load(x + i), yR = v128.load(r + i);
    storeFirst(dGainX + i, madd(ofX, yX, v128.load(dGainX + i)), left);
    storeFirst(dBiasX + i, f32x4.add(ofX, v128.load(dBiasX + i)), left);
    storeFirst(dGainR + i, madd(ofR, yR, v128.load(dGainR + i)), left);
    storeFirst(dBiasR + i, f32x4.add(ofR, v128.load(dBiasR + i)), left);
    addWithProduct(f32x4.mul(v128.load(gainX + i), ofX), yX, sumX + p, productX + p, left);
    addWithProduct(f32x4.mul(v128.load(gainR + i), ofR), yR, sumR + p, productR + p, left);
    p += 16;
    if (p == wrap) p = 0;
  }
}

/** Copies the scales of x or r that the forward pass saved into a row of sums. */
function loadScales(s: Step, to: usize, G: usize, from: usize): void {
  const ofBatch = s.normalizes == batch, step: usize = ofBatch ? 48 : 0;
  for (let lane = ofBatch ? s.H : 12 / G; lane > 0; lane--) {
    for (let g: usize = 0; g < G; g++) store<f32>(to + (g << 2), load<f32>(from + (g << 2)));
    to += G << 2;
    from += step;
  }
}

/** Takes the gradients of x and r through their norms. */
function sidesBackward(s: Step, row: usize): void {
  const G = gateCount(s.cell), width = s.H * G << 2, at = row * width;
  sideBackward(s, s.gates + at, s.gates + at, s.x + at, s.gains, sumsX, scales, width);
  sideBackward(s, recurrentGradient(s) + at, s.r + at, s.r + at, s.gains + 2 * width, sumsR, scales + 1, width);
}

/** scale⊙(γ⊙d - mean(γ⊙d) - y⊙mean(γ⊙d⊙y)). */
function sideBackward(s: Step, d: usize, to: usize, y: usize, gain: usize, sums: usize, scales: usize, width: usize): void {
  const wrap = s.wrap, sum = sumsAt(s, sums), product = sumsAt(s, sums + 1), scale = sumsAt(s, scales);
  for (let i: usize = 0, p: usize = 0; i < width; i += 16) {
    const own = f32x4.sub(f32x4.mul(v128.load(gain + i), v128.load(d + i)), v128.load(sum + p));
    const through = f32x4.sub(own, f32x4.mul(v128.load(y + i), v128.load(product + p)));
    storeFirst(to + i, f32x4.mul(v128.load(scale + p), through), (width - i) >> 2);
    p += 16;
    if (p == wrap) p = 0;
  }
}
