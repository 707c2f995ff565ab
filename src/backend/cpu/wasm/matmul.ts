// C = A·B (+ bias) (+ C) with any strides: the contract of src/kernels/matmul.ts. Strides come in elements.
// A column stride of 0 says that B is in panels, as `packPanels` leaves it: eight columns in each, [K][8].
//
// Register tiles of 8 columns (tile.ts) do all the work. They want 8 neighbouring columns of B at a time, and numbers of a
// row of A side by side; any other A and B are packed.
// Loads may reach past a row of B or bias: such lanes are never stored, and the heap ends with spare room.
import { column0, column1, column2, column3, madd, storeFirst, sumsOf, sumWith } from "./lanes";
import { edgeTile, packedA, packedB, packedRow } from "./scratch";
import { tiles } from "./tile";

/** Steps along K per pass: 8 columns of B by this many rows stay in the first-level cache. */
export const depth: usize = 256;
/** Columns of C per pass; with `depth` the size of the packed part of B. */
const width: usize = 256;
/** Columns of B that are packed together: two cache lines of a row. */
const packedAtOnce: usize = 32;
/** Rows of C per pass; with `depth` the size of the packed part of A. */
const height: usize = 64;

export function matmul(
  a: usize, b: usize, bias: usize, c: usize, M: usize, N: usize, K: usize, batch: usize,
  aBatch: usize, aRow: usize, aColumn: usize, bBatch: usize, bRow: usize, bColumn: usize, cBatch: usize, cRow: usize, add: bool,
): void {
  for (let i: usize = 0; i < batch; i++) {
    product(a, b, bias, c, M, N, K, aRow << 2, aColumn << 2, bRow << 2, bColumn << 2, cRow << 2, add);
    a += aBatch << 2;
    b += bBatch << 2;
    c += cBatch << 2;
  }
}

/** One product; strides in bytes. `bias` 0: none. */
export function product(
  a: usize, b: usize, bias: usize, c: usize, M: usize, N: usize, K: usize,
  aRow: usize, aColumn: usize, bRow: usize, bColumn: usize, cRow: usize, add: bool,
): void {
  // With few rows, packing B takes longer than it saves: dot products read it in place.
  if (M < 8 && bRow == 4 && bColumn != 4 && aColumn == 4) return dotProducts(a, b, bias, c, M, N, K, aRow, bColumn, cRow, add);
  const bEight = bColumn == 0 ? K << 5 : bColumn << 3;
  // Few rows read each panel from end to end: a large matrix comes from the third-level cache.
  const columns: usize = K > depth && bColumn == 0 && M >= 4 && M <= height ? 8 : width;
  for (let n: usize = 0; n < N; n += columns) {
    for (let k: usize = 0; k == 0 || k < K; k += depth) {
      block(
        a + k * aColumn, b + (n >> 3) * bEight + k * bRow, bias && k == 0 ? bias + (n << 2) : 0, c + (n << 2),
        M, min(N - n, columns), min(K - k, depth), aRow, aColumn, bRow, bColumn, bEight, cRow, add || k > 0,
      );
    }
  }
}

/** One pass: at most `width` columns and `depth` steps along K. `bEight` bytes lie between eight columns of B and the next. */
function block(
  a: usize, b: usize, bias: usize, c: usize, M: usize, N: usize, K: usize,
  aRow: usize, aColumn: usize, bRow: usize, bColumn: usize, bEight: usize, cRow: usize, add: bool,
): void {
  const packsA = aColumn != 4;
  // Sums are added as in `tile`, bit for bit, because threads may cut a block into blocks of fewer rows.
  if (M < 4 && bColumn <= 4) {
    const wide = N & ~31;
    if (packsA) packRows(a, aRow, aColumn, M, K);
    for (let m: usize = 0; m < M; m++) {
      const row = packsA ? packedA + m * packedRow : a + m * aRow;
      for (let n: usize = 0; n < wide << 2; n += 128) wideTile(K, row, b + (n >> 5) * bEight, bRow, bEight, c + m * cRow + n, bias ? bias + n : 0, add);
    }
    b += (wide >> 3) * bEight;
    c += wide << 2;
    if (bias) bias += wide << 2;
    N -= wide;
  }
  const packs = bColumn > 4 || (bColumn == 4 && M >= 16 && bRow >= 2048);
  for (let m: usize = 0; m < M; m += height) {
    const rows = min(M - m, height);
    if (packsA) packRows(a, aRow, aColumn, rows, K);
    for (let n: usize = 0; n < N; n += 8) {
      const panel = packs ? packedB + ((n * depth) << 2) : b + (n >> 3) * bEight;
      const columns = min(N - n, 8);
      // Packed just before their first use, so that they are read from the nearest cache.
      if (packs && m == 0 && n % packedAtOnce == 0) packColumns(panel, depth << 5, b + n * bColumn, bRow, bColumn, min(N - n, packedAtOnce), K);
      const panelRow: usize = packs ? 32 : bRow;
      const panelBias = bias ? bias + (n << 2) : 0;
      tiles(K, packsA ? packedA : a, packsA ? packedRow : aRow, rows, panel, panelRow, columns, c + (n << 2), cRow, panelBias, add);
    }
    a += height * aRow;
    c += height * cRow;
  }
}

/**
 * 1 row by 32 columns; numbers of the row of A are neighbours. It is a function of its own without a branch outside the
 * loop: otherwise the compiler keeps the sums in memory, which is half as fast. So masks, not branches, say what the sums
 * begin with and what they are added to.
 */
function wideTile(K: usize, a: usize, b: usize, bRow: usize, bEight: usize, to: usize, bias: usize, add: bool): void {
  const mask = i32x4.splat(bias ? -1 : 0), start = bias ? bias : to;
  let c0 = v128.and(v128.load(start), mask), c1 = v128.and(v128.load(start, 16), mask);
  let c2 = v128.and(v128.load(start, 32), mask), c3 = v128.and(v128.load(start, 48), mask);
  let c4 = v128.and(v128.load(start, 64), mask), c5 = v128.and(v128.load(start, 80), mask);
  let c6 = v128.and(v128.load(start, 96), mask), c7 = v128.and(v128.load(start, 112), mask);
  // Steps as in `tile`, and columns from the last to the first for the same reason.
  let b1 = b + bEight, b2 = b1 + bEight, b3 = b2 + bEight, steps = (K - 1 & 1) + 1, s: v128;
  const end = a + (K << 2);
  for (a -= 8 - (steps << 2); a != end; steps = 2, a += 8) {
    const x = v128.load64_zero(a);
    if (steps > 1) {
      s = v128.shuffle<f32>(x, x, 0, 0, 0, 0);
      c7 = madd(s, v128.load(b3, 16), c7);
      c6 = madd(s, v128.load(b3), c6);
      c5 = madd(s, v128.load(b2, 16), c5);
      c4 = madd(s, v128.load(b2), c4);
      c3 = madd(s, v128.load(b1, 16), c3);
      c2 = madd(s, v128.load(b1), c2);
      c1 = madd(s, v128.load(b, 16), c1);
      c0 = madd(s, v128.load(b), c0);
      b += bRow, b1 += bRow, b2 += bRow, b3 += bRow;
    }
    if (steps > 0) {
      s = v128.shuffle<f32>(x, x, 1, 1, 1, 1);
      c7 = madd(s, v128.load(b3, 16), c7);
      c6 = madd(s, v128.load(b3), c6);
      c5 = madd(s, v128.load(b2, 16), c5);
      c4 = madd(s, v128.load(b2), c4);
      c3 = madd(s, v128.load(b1, 16), c3);
      c2 = madd(s, v128.load(b1), c2);
      c1 = madd(s, v128.load(b, 16), c1);
      c0 = madd(s, v128.load(b), c0);
      b += bRow, b1 += bRow, b2 += bRow, b3 += bRow;
    }
  }
  // x + -0 is x, whatever x is.
  const adds = i32x4.splat(add ? -1 : 0), none = v128.andnot(f32x4.splat(-0.0), adds);
  v128.store(to, f32x4.add(c0, v128.or(v128.and(v128.load(to), adds), none)));
  v128.store(to, f32x4.add(c1, v128.or(v128.and(v128.load(to, 16), adds), none)), 16);
  v128.store(to, f32x4.add(c2, v128.or(v128.and(v128.load(to, 32), adds), none)), 32);
  v128.store(to, f32x4.add(c3, v128.or(v128.and(v128.load(to, 48), adds), none)), 48);
  v128.store(to, f32x4.add(c4, v128.or(v128.and(v128.load(to, 64), adds), none)), 64);
  v128.store(to, f32x4.add(c5, v128.or(v128.and(v128.load(to, 80), adds), none)), 80);
  v128.store(to, f32x4.add(c6, v128.or(v128.and(v128.load(to, 96), adds), none)), 96);
  v128.store(to, f32x4.add(c7, v128.or(v128.and(v128.load(to, 112), adds), none)), 112);
}

/** Rows of A times rows of B, both contiguous along K: four columns at a time, by two rows of A. */
function dotProducts(a: usize, b: usize, bias: usize, c: usize, M: usize, N: usize, K: usize, aRow: usize, bColumn: usize, cRow: usize, add: bool): void {
  for (let n: usize = 0; n < N << 2; n += 16) {
    const columns = N - (n >> 2);
    const b1 = columns > 1 ? b + bColumn : b, b2 = columns > 2 ? b1 + bColumn : b1, b3 = columns > 3 ? b2 + bColumn : b2;
    const start = bias ? v128.load(bias + n) : f32x4.splat(0);
    for (let m: usize = 0; m < M; m += 2) {
      const row = a + m * aRow, to = c + m * cRow + n, paired = m + 1 < M;
      dotPair(K, row, paired ? row + aRow : row, b, b1, b2, b3, to, paired ? to + cRow : edgeTile, start, columns, add);
    }
    b += bColumn << 2;
  }
}

/** A function of its own: inside its caller's loop, the compiler would not keep so many sums in registers. */
function dotPair(
  K: usize, a: usize, a1: usize, b0: usize, b1: usize, b2: usize, b3: usize, c: usize, c1: usize, start: v128, columns: usize, add: bool,
): void {
  const whole = (K & ~3) << 2;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  for (let k: usize = 0; k < whole; k += 16) {
    const x = v128.load(a + k), y = v128.load(a1 + k);
    let row = v128.load(b0 + k);
    s0 = madd(x, row, s0);
    t0 = madd(y, row, t0);
    row = v128.load(b1 + k);
    s1 = madd(x, row, s1);
    t1 = madd(y, row, t1);
    row = v128.load(b2 + k);
    s2 = madd(x, row, s2);
    t2 = madd(y, row, t2);
    row = v128.load(b3 + k);
    s3 = madd(x, row, s3);
    t3 = madd(y, row, t3);
  }
  const first = f32x4.add(lastProducts(K, whole, a, b0, b1, b2, b3, sumsOf(s0, s1, s2, s3)), start);
  const second = f32x4.add(lastProducts(K, whole, a1, b0, b1, b2, b3, sumsOf(t0, t1, t2, t3)), start);
  storeFirst(c, sumWith(c, first, add), columns);
  storeFirst(c1, sumWith(c1, second, add), columns);
}

/** The products that are left from byte k of the rows on, one after the other. */
@inline
function lastProducts(K: usize, k: usize, a: usize, b0: usize, b1: usize, b2: usize, b3: usize, sums: v128): v128 {
  for (; k < K << 2; k += 4) {
    let last = v128.load32_splat(b0 + k);
    last = v128.load_lane<f32>(b1 + k, last, 1);
    last = v128.load_lane<f32>(b2 + k, last, 2);
    last = v128.load_lane<f32>(b3 + k, last, 3);
    sums = madd(v128.load32_splat(a + k), last, sums);
  }
  return sums;
}

/** Packs rows of A, `packedRow` bytes apart. If A is contiguous along M, it is transposed in blocks of 4 by 4. */
function packRows(a: usize, aRow: usize, aColumn: usize, rows: usize, K: usize): void {
  if (aRow == 4) {
    for (let k: usize = 0; k < K; k += 4) packBlocks(packedA + (k << 2), packedRow, a + k * aColumn, aColumn, min(K - k, 4), rows);
    return;
  }
  for (let r: usize = 0; r < rows; r++) {
    for (let k: usize = 0; k < K; k++) store<f32>(packedA + r * packedRow + (k << 2), load<f32>(a + r * aRow + k * aColumn));
  }
}

/** Packs all of B into panels, which a product takes with a column stride of 0. Strides in elements; `to` has room for whole panels. */
export function packPanels(b: usize, to: usize, N: usize, K: usize, bRow: usize, bColumn: usize): void {
  for (let n: usize = 0; n < N; n += packedAtOnce) {
    packColumns(to + ((n * K) << 2), K << 5, b + ((n * bColumn) << 2), bRow << 2, bColumn << 2, min(N - n, packedAtOnce), K);
  }
}

/**
 * Packs columns of B into panels [K][8], from one to the next `apart` bytes. Columns that are missing in the last panel may
 * hold any numbers.
 */
function packColumns(to: usize, apart: usize, b: usize, bRow: usize, bColumn: usize, columns: usize, K: usize): void {
  if (bColumn == 4) return copyGroups(to, apart, b, bRow, columns, 8, K);
  for (let n: usize = 0; n < columns; n += 8) packPanel(to + (n >> 3) * apart, b + n * bColumn, bRow, bColumn, min(columns - n, 8), K);
}

/**
 * Splits K rows of `columns` numbers into groups of 4 or 8: each group is [K][size], `apart` bytes behind the last. A row
 * is done before the next begins: rows are often a power of two apart and evict each other from the cache, so that the
 * rest of a line would have to be fetched again.
 */
function copyGroups(to: usize, apart: usize, from: usize, row: usize, columns: usize, size: usize, K: usize): void {
  const bytes = columns << 2, group = size << 2;
  for (let k: usize = 0; k < K; k++) {
    let target = to;
    for (let i: usize = 0; i < bytes; i += group) {
      v128.store(target, v128.load(from + i));
      if (size == 8) v128.store(target, v128.load(from + i, 16), 16);
      target += apart;
    }
    to += group;
    from += row;
  }
}

/** Packs up to eight columns of B that do not lie side by side. */
function packPanel(to: usize, b: usize, bRow: usize, bColumn: usize, columns: usize, K: usize): void {
  let k: usize = 0;
  if (bRow == 4) {
    const second = b + min(columns - 1, 4) * bColumn;
    const whole = K & ~3;
    packBlocks(to, 32, b, bColumn, min(columns, 4), whole);
    packBlocks(to + 16, 32, second, bColumn, columns > 4 ? columns - 4 : 1, whole);
    k = whole;
    to += whole << 5;
    b += whole << 2;
  }
  for (; k < K; k++) {
    for (let n: usize = 0; n < columns; n++) store<f32>(to + (n << 2), load<f32>(b + n * bColumn));
    to += 32;
    b += bRow;
  }
}

/** Packs up to four columns that are contiguous along K, transposed in blocks of 4 by 4; the packed rows are `row` bytes apart. */
function packBlocks(to: usize, row: usize, b: usize, bColumn: usize, columns: usize, K: usize): void {
  const b1 = columns > 1 ? b + bColumn : b, b2 = columns > 2 ? b1 + bColumn : b1, b3 = columns > 3 ? b2 + bColumn : b2;
  for (let k: usize = 0; k < K << 2; k += 16) {
    const c0 = v128.load(b + k), c1 = v128.load(b1 + k), c2 = v128.load(b2 + k), c3 = v128.load(b3 + k);
    v128.store(to, column0(c0, c1, c2, c3));
    v128.store(to + row, column1(c0, c1, c2, c3));
    v128.store(to + row * 2, column2(c0, c1, c2, c3));
    v128.store(to + row * 3, column3(c0, c1, c2, c3));
    to += row << 2;
  }
}
