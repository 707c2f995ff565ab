// What both passes of a regularized step (src/recurrent/kernels/regularized.ts) share: their arguments, sums over what is
// normalised together, random masks. A row of the batch is H units, or H·G numbers with a unit's gates side
// by side; G is 1, 3 or 4, so that 12 numbers in a row always begin with the same gate. Layer normalisation therefore
// keeps its means as 12 lanes that repeat along a row, batch normalisation as a row; in one loop for both, an offset into
// them starts anew at `wrap` bytes.
import { ofGate } from "./cells";
import { inside, storeFirst } from "./lanes";
import { hasStep } from "./recurrent-step";
import { philoxWords, sums } from "./scratch";

/** A call's arguments, as src/backend/cpu/fast-regularized.ts writes them. Addresses are those of the step, in bytes. */
@unmanaged
export class Step {
  cell: usize;
  variant: usize;
  /** 0: nothing; 1: layer; 2: batch. */
  normalizes: usize;
  normalizesMemory: usize;
  firstGates: usize;
  secondGates: usize;
  zones: usize;
  drops: usize;
  B: usize;
  H: usize;
  t: usize;
  tail: usize;
  draws: usize;
  statistics: usize;
  /** The random stream of the lane's dropout; zoneout has the next one. */
  stream: u32;
  zoneH: f32;
  zoneC: f32;
  dropP: f32;
  epsilon: f32;
  momentum: f32;
  gates: usize;
  /** Normalised x and r of the gates (see cells.ts), and the statistics. */
  x: usize;
  r: usize;
  saved: usize;
  /** Rows behind U: b_hh, peepholes, gains and biases of the norms. */
  bias: usize;
  peepholes: usize;
  gains: usize;
  hPrevious: usize;
  hCurrent: usize;
  cPrevious: usize;
  cCurrent: usize;
  masked: usize;
  dy: usize;
  /** The lane's carry, and the bytes of one of its parts. */
  carry: usize;
  part: usize;
  lengths: usize;
  random: usize;
  running: usize;
  /** Eight arrays [B, H], the bytes of one of them, and eight rows of sums; 0 says that these are in the scratch memory. */
  work: usize;
  unitBytes: usize;
  sums: usize;
  /** Bytes of a row of sums, after which an offset into it starts anew. */
  wrap: usize;
}

/** A value of `normalizes`. */
export const batch: usize = 2;
/** Values of `statistics`. */
export const kept: usize = 1;
export const asKept: usize = 2;

@inline
export function isAlive(s: Step, row: usize): bool {
  return hasStep(s.lengths, row, s.t);
}

// Arrays [B, H] in `work`: the shares of the old h and c that zoneout keeps, and the factors of dropout.
@inline
export function remainsH(s: Step): usize {
  return s.work;
}
@inline
export function remainsC(s: Step): usize {
  return s.work + s.unitBytes;
}
@inline
export function factors(s: Step): usize {
  return s.work + 2 * s.unitBytes;
}
/** The five others, by number. */
@inline
export function unitsAt(s: Step, n: usize): usize {
  return s.work + (3 + n) * s.unitBytes;
}

/** Row `n` of at most 8 rows of sums, means or scales. */
@inline
export function sumsAt(s: Step, n: usize): usize {
  return (s.sums ? s.sums : sums) + n * s.wrap;
}

/** sums += x. */
export function addRow(x: usize, into: usize, bytes: usize, wrap: usize): void {
  for (let i: usize = 0, p: usize = 0; i < bytes; i += 16) {
    v128.store(into + p, f32x4.add(v128.load(into + p), inside(v128.load(x + i), (bytes - i) >> 2, 0)));
    p += 16;
    if (p == wrap) p = 0;
  }
}

/** Adds (x - mean)². */
export function addSquares(x: usize, mean: usize, into: usize, bytes: usize, wrap: usize): void {
  for (let i: usize = 0, p: usize = 0; i < bytes; i += 16) {
    const d = f32x4.sub(v128.load(x + i), v128.load(mean + p));
    v128.store(into + p, f32x4.add(v128.load(into + p), inside(f32x4.mul(d, d), (bytes - i) >> 2, 0)));
    p += 16;
    if (p == wrap) p = 0;
  }
}

/** Adds `scaled` to one row and scaled·y to another. */
export function addWithProduct(scaled: v128, y: v128, sum: usize, product: usize, left: usize): void {
  const own = inside(scaled, left, 0);
  v128.store(sum, f32x4.add(v128.load(sum), own));
  v128.store(product, f32x4.add(v128.load(product), inside(f32x4.mul(own, y), left, 0)));
}

/**
 * Makes means of sums. Over the batch, each number has a mean of its own, over `rows` rows. Over a row, those of the G gates
 * that have a bit in `first` share a mean over all units, and so do those with a bit in `second`.
 */
export function average(s: Step, sums: usize, G: usize, first: usize, second: usize, rows: usize): void {
  if (s.normalizes == batch) {
    const n = f32x4.splat(<f32>max(rows, 1));
    for (let i: usize = 0; i < s.H * G << 2; i += 16) v128.store(sums + i, f32x4.div(v128.load(sums + i), n));
    return;
  }
  const n = <f32>s.H;
  const ofFirst = meanOf(sums, G, first, n), ofSecond = meanOf(sums, G, second, n);
  for (let g: usize = 0; g < G; g++) {
    const mean: f32 = (first >> g) & 1 ? ofFirst : (second >> g) & 1 ? ofSecond : 0;
    for (let lane: usize = g; lane < 12; lane += G) store<f32>(sums + (lane << 2), mean);
  }
}

function meanOf(sums: usize, G: usize, gates: usize, n: f32): f32 {
  let total: f32 = 0, count: f32 = 0;
  for (let g: usize = 0; g < G; g++) {
    if (((gates >> g) & 1) == 0) continue;
    count++;
    for (let lane: usize = g; lane < 12; lane += G) total += load<f32>(sums + (lane << 2));
  }
  return total / (n * max(count, 1));
}

/** Draws the masks of the rows from `first` up to `end` into `work`. */
export function draw(s: Step, first: usize, end: usize): void {
  const from = first * s.H << 2, to = end * s.H << 2;
  if (s.zones) drawRemains(s, from, to);
  if (s.drops) drawFactors(s, from, to);
}

/** Words `n` of the Philox4x32-10 of four counters, as in src/kernels/philox.ts, into `philoxWords` + 16n. */
function philox(element: v128, stream: u32, random: usize): void {
  let a = element, b = i32x4.splat(stream), c = i32x4.splat(load<u32>(random, 8)), d = i32x4.splat(load<u32>(random, 12));
  let key0 = load<u32>(random), key1 = load<u32>(random, 4);
  const byA = i32x4.splat(0xd2511f53), byC = i32x4.splat(0xcd9e8d57);
  for (let round = 0; round < 10; round++) {
    const a0 = i64x2.extmul_low_i32x4_u(a, byA), a1 = i64x2.extmul_high_i32x4_u(a, byA);
    const c0 = i64x2.extmul_low_i32x4_u(c, byC), c1 = i64x2.extmul_high_i32x4_u(c, byC);
    a = v128.xor(v128.xor(v128.shuffle<i32>(c0, c1, 1, 3, 5, 7), b), i32x4.splat(key0));
    b = v128.shuffle<i32>(c0, c1, 0, 2, 4, 6);
    c = v128.xor(v128.xor(v128.shuffle<i32>(a0, a1, 1, 3, 5, 7), d), i32x4.splat(key1));
    d = v128.shuffle<i32>(a0, a1, 0, 2, 4, 6);
    key0 += 0x9e3779b9;
    key1 += 0xbb67ae85;
  }
  v128.store(philoxWords, a);
  v128.store(philoxWords, b, 16);
  v128.store(philoxWords, c, 32);
  v128.store(philoxWords, d, 48);
}

/** [0, 1) in steps of 2^-24. */
@inline
function uniform(words: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(words, 8)), f32x4.splat(1.0 / 16777216.0));
}

/** The shares that zoneout keeps: 1 where the old state stays, else 0; without draws, the probability that it stays. */
function drawRemains(s: Step, from: usize, to: usize): void {
  const h = remainsH(s), c = remainsC(s), zoneH = f32x4.splat(s.zoneH), zoneC = f32x4.splat(s.zoneC), one = f32x4.splat(1);
  const step = s.t * s.B * s.H;
  for (let i = from; i < to; i += 16) {
    const left = (to - i) >> 2;
    if (s.draws) {
      philox(i32x4.add(i32x4.splat(<i32>(step + (i >> 2))), i32x4(0, 1, 2, 3)), s.stream + 1, s.random);
      storeFirst(h + i, v128.and(f32x4.lt(uniform(v128.load(philoxWords)), zoneH), one), left);
      storeFirst(c + i, v128.and(f32x4.lt(uniform(v128.load(philoxWords, 16)), zoneC), one), left);
    } else {
      storeFirst(h + i, zoneH, left);
      storeFirst(c + i, zoneC, left);
    }
  }
}

/** 0 where h is dropped, else 1 / (1 - p). One counter gives the words of four elements. */
function drawFactors(s: Step, from: usize, to: usize): void {
  const at = factors(s), threshold = f32x4.splat(s.dropP), keep = f32x4.splat(1 / (1 - s.dropP));
  for (let i = from & ~63; i < to; i += 64) {
    philox(i32x4.add(i32x4.splat(<i32>(i >> 4)), i32x4(0, 1, 2, 3)), s.stream, s.random);
    const end = min(to, i + 64);
    for (let j = i; j < end; j += 16) {
      storeFirst(at + j, v128.and(f32x4.ge(uniform(ofGate(philoxWords + ((j - i) >> 2), 0)), threshold), keep), (to - j) >> 2);
    }
  }
}
