// The forward pass of a regularized step, after the product with U: `forwardStep` of src/recurrent/kernels/regularized.twin.ts.
import { gateCount, gru, ofGate, squashes } from "./cells";
import { tanh } from "./functions";
import { madd, storeFirst } from "./lanes";
import { forwardUnits } from "./recurrent-step";
import { addRow, addSquares, asKept, average, batch, draw, factors, isAlive, kept, remainsC, remainsH, Step, sumsAt, unitsAt } from "./regularized-step";

/** Rows from `first` up to `end`: all of them if the batch is normalised, else any. `at` is the address of a `Step`. */
export function regularizedForward(at: usize, first: usize, end: usize): void {
  const s = changetype<Step>(at);
  draw(s, first, end);
  const rows = s.normalizes == batch ? end - first : 1;
  for (let row = first; row < end; row += rows) forwardGroup(s, row, row + rows);
}

function forwardGroup(s: Step, first: usize, end: usize): void {
  const G = gateCount(s.cell);
  if (s.normalizes) {
    // Bytes of the running statistics of x or r: G rows of H means, and G of variances.
    const ofSide = 2 * G * s.H << 2;
    findStatistics(s, s.gates, G, s.firstGates, s.secondGates, sumsAt(s, 0), sumsAt(s, 1), s.running, first, end);
    findStatistics(s, s.r, G, s.firstGates, s.secondGates, sumsAt(s, 2), sumsAt(s, 3), s.running + ofSide, first, end);
    saveScales(s, sumsAt(s, 1), G, s.saved + first * 48);
    saveScales(s, sumsAt(s, 3), G, s.saved + first * 48 + 16);
  }
  for (let row = first; row < end; row++) makeRow(s, row, isAlive(s, row));
  if (s.normalizesMemory) {
    findStatistics(s, s.cCurrent, 1, 1, 0, sumsAt(s, 4), sumsAt(s, 5), s.running + (4 * G * s.H << 2), first, end);
    saveMemory(s, sumsAt(s, 4), sumsAt(s, 5), s.saved + first * 48 + 32);
  }
  for (let row = first; row < end; row++) finishRow(s, row, isAlive(s, row));
}

/** Means, and 1 / √(variance + ε), of G numbers a unit over the rows that are alive. `running` has the running statistics. */
function findStatistics(s: Step, values: usize, G: usize, firstGates: usize, secondGates: usize, mean: usize, scale: usize, running: usize, first: usize, end: usize): void {
  const bytes = s.H * G << 2, wrap = s.wrap;
  memory.fill(mean, 0, wrap);
  memory.fill(scale, 0, wrap);
  let rows: usize = 0;
  for (let row = first; row < end; row++) {
    if (!isAlive(s, row)) continue;
    addRow(values + row * bytes, mean, bytes, wrap);
    rows++;
  }
  average(s, mean, G, firstGates, secondGates, rows);
  for (let row = first; row < end; row++) if (isAlive(s, row)) addSquares(values + row * bytes, mean, scale, bytes, wrap);
  average(s, scale, G, firstGates, secondGates, rows);
  if (s.statistics == asKept) take(s, running, mean, scale, G);
  else if (s.statistics == kept && rows > 1) keep(s, running, mean, scale, G, <f32>rows);
  for (let p: usize = 0; p < wrap; p += 16) {
    v128.store(scale + p, f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(v128.load(scale + p), f32x4.splat(s.epsilon)))));
  }
}

/** Takes the running statistics instead. They lie by gates, [2·G, H]: means, then variances. */
function take(s: Step, running: usize, mean: usize, variance: usize, G: usize): void {
  for (let unit: usize = 0; unit < s.H; unit++) {
    for (let g: usize = 0; g < G; g++) {
      const at = (unit * G + g) << 2;
      store<f32>(mean + at, load<f32>(running + ((g * s.H + unit) << 2)));
      store<f32>(variance + at, load<f32>(running + (((G + g) * s.H + unit) << 2)));
    }
  }
}

/** Moves the running statistics towards those of this step. */
function keep(s: Step, running: usize, mean: usize, variance: usize, G: usize, rows: f32): void {
  const unbiased: f32 = rows / (rows - 1);
  for (let unit: usize = 0; unit < s.H; unit++) {
    for (let g: usize = 0; g < G; g++) {
      const at = (unit * G + g) << 2;
      approach(running + ((g * s.H + unit) << 2), load<f32>(mean + at), s.momentum);
      approach(running + (((G + g) * s.H + unit) << 2), load<f32>(variance + at) * unbiased, s.momentum);
    }
  }
}

/** Moves a number towards `value`, unless that is infinite or NaN. */
@inline
function approach(at: usize, value: f32, momentum: f32): void {
  if (value - value == 0) store<f32>(at, load<f32>(at) + momentum * (value - load<f32>(at)));
}

/** Four scales a group; a group is a row, or a unit if the batch is normalised. */
function saveScales(s: Step, scale: usize, G: usize, to: usize): void {
  const none: f32 = 1 / sqrt(s.epsilon);
  for (let group: usize = s.normalizes == batch ? s.H : 1; group > 0; group--) {
    for (let g: usize = 0; g < 4; g++) store<f32>(to + (g << 2), g < G ? load<f32>(scale + (g << 2)) : none);
    scale += G << 2;
    to += 48;
  }
}

function saveMemory(s: Step, mean: usize, scale: usize, to: usize): void {
  for (let group: usize = s.normalizes == batch ? s.H : 1; group > 0; group--) {
    store<f32>(to, load<f32>(mean));
    store<f32>(to, load<f32>(scale), 4);
    mean += 4;
    scale += 4;
    to += 48;
  }
}

/** Gates, h and c of a row, still without zoneout and without the norm of the memory. */
function makeRow(s: Step, row: usize, alive: bool): void {
  const cell = s.cell, H = s.H;
  const units = row * H << 2, width = H * gateCount(cell) << 2;
  if (!alive) {
    memory.copy(s.hCurrent + units, s.hPrevious + units, H << 2);
    if (cell <= gru) memory.copy(s.cCurrent + units, s.cPrevious + units, H << 2);
    return;
  }
  const gates = s.gates + row * width, recurrent = unitsAt(s, 0) + row * width;
  if (s.normalizes) normalizeRow(s, row * width, width, recurrent);
  else addBias(s, row * width, width, recurrent);
  // h of an LSTM whose memory is normalised comes later.
  const variant = s.normalizesMemory ? s.variant & ~squashes : s.variant;
  forwardUnits(cell, variant, H, gates, recurrent, s.peepholes, s.hPrevious + units, s.cPrevious + units, s.hCurrent + units, s.cCurrent + units);
}

/** Stores x and r, each with its bias, as forwardUnits wants them: apart for a GRU, else their sum. */
@inline
function storeSides(s: Step, gates: usize, x: v128, recurrent: usize, r: v128, left: usize): void {
  if (s.cell == gru) {
    storeFirst(gates, x, left);
    storeFirst(recurrent, r, left);
  } else storeFirst(gates, f32x4.add(x, r), left);
}

function addBias(s: Step, at: usize, width: usize, recurrent: usize): void {
  for (let i: usize = 0; i < width; i += 16) {
    const gates = s.gates + at + i;
    storeSides(s, gates, v128.load(gates), recurrent + i, f32x4.add(v128.load(s.r + at + i), v128.load(s.bias + i)), (width - i) >> 2);
  }
}

function normalizeRow(s: Step, at: usize, width: usize, recurrent: usize): void {
  const wrap = s.wrap, meanX = sumsAt(s, 0), scaleX = sumsAt(s, 1), meanR = sumsAt(s, 2), scaleR = sumsAt(s, 3);
  const gates = s.gates + at, toX = s.x + at, toR = s.r + at;
  const gainX = s.gains, biasX = gainX + width, gainR = biasX + width, biasR = s.bias;
  for (let i: usize = 0, p: usize = 0; i < width; i += 16) {
    const left = (width - i) >> 2;
    const x = f32x4.mul(f32x4.sub(v128.load(gates + i), v128.load(meanX + p)), v128.load(scaleX + p));
    const r = f32x4.mul(f32x4.sub(v128.load(toR + i), v128.load(meanR + p)), v128.load(scaleR + p));
    storeFirst(toX + i, x, left);
    storeFirst(toR + i, r, left);
    const ofX = madd(x, v128.load(gainX + i), v128.load(biasX + i)), ofR = madd(r, v128.load(gainR + i), v128.load(biasR + i));
    storeSides(s, gates + i, ofX, recurrent + i, ofR, left);
    p += 16;
    if (p == wrap) p = 0;
  }
}

/** h of an LSTM whose memory is normalised; zoneout; dropout. */
function finishRow(s: Step, row: usize, alive: bool): void {
  const units = row * s.H << 2, bytes = s.H << 2;
  const h = s.hCurrent + units;
  if (alive && s.normalizesMemory) readOut(s, s.gates + 4 * units, s.cCurrent + units, h, bytes);
  if (alive && s.zones) {
    mix(remainsH(s) + units, s.hPrevious + units, h, bytes);
    if (s.cell < gru) mix(remainsC(s) + units, s.cPrevious + units, s.cCurrent + units, bytes);
  }
  if (!s.drops) return;
  const masked = s.masked + units, factor = factors(s) + units;
  for (let i: usize = 0; i < bytes; i += 16) storeFirst(masked + i, f32x4.mul(v128.load(h + i), v128.load(factor + i)), (bytes - i) >> 2);
}

/** o⊙tanh(γ_c⊙N(c) + β_c). */
function readOut(s: Step, gates: usize, c: usize, h: usize, bytes: usize): void {
  const wrap = s.wrap, mean = sumsAt(s, 4), scale = sumsAt(s, 5), gains = s.gains + 3 * 4 * bytes;
  for (let i: usize = 0, p: usize = 0; i < bytes; i += 16) {
    const y = f32x4.mul(f32x4.sub(v128.load(c + i), v128.load(mean + p)), v128.load(scale + p));
    const z = madd(y, ofGate(gains + 4 * i, 0), ofGate(gains + 4 * i, 1));
    storeFirst(h + i, f32x4.mul(ofGate(gates + 4 * i, 3), s.variant & squashes ? tanh(z) : z), (bytes - i) >> 2);
    p += 16;
    if (p == wrap) p = 0;
  }
}

/** Zoneout: x = (1 - remains)⊙x + remains⊙previous. */
function mix(remains: usize, previous: usize, x: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) {
    const share = v128.load(remains + i);
    storeFirst(x + i, madd(share, v128.load(previous + i), f32x4.mul(f32x4.sub(f32x4.splat(1), share), v128.load(x + i))), (bytes - i) >> 2);
  }
}
