// The register tiles that do the work of matrix products: 4 rows by 8 columns, and 6 rows with fused multiply-adds. With 4
// rows, each multiply-add waits for the one before. With 6 rows this latency is hidden; that needs all 15 registers that V8
// leaves on x86, and a separate multiplication would need one more.
import { madd } from "./lanes";
import { edgeTile } from "./scratch";

/** Any number of rows by at most 8 columns; `a` and `c` are the first row's. */
export function tiles(K: usize, a: usize, aRow: usize, rows: usize, b: usize, bRow: usize, columns: usize, c: usize, cRow: usize, bias: usize, add: bool): void {
  while (rows > 0) {
    let count = min(rows, 4);
    if (ASC_FEATURE_RELAXED_SIMD && columns == 8 && (rows == 6 || rows > 8)) {
      count = 6;
      highTile(K, a, aRow, b, bRow, c, cRow, bias, add);
    } else tile(K, a, aRow, count, b, bRow, columns, c, cRow, bias, add);
    a += count * aRow;
    c += count * cRow;
    rows -= count;
  }
}

/** 4 rows by 8 columns; numbers of a row of A are neighbours. Missing rows repeat the last one, missing columns are whatever follows; neither is stored. */
function tile(K: usize, a: usize, aRow: usize, rows: usize, b: usize, bRow: usize, columns: usize, c: usize, cRow: usize, bias: usize, add: bool): void {
  const whole = rows == 4 && columns == 8;
  let a1 = rows > 1 ? a + aRow : a, a2 = rows > 2 ? a1 + aRow : a1, a3 = rows > 3 ? a2 + aRow : a2;
  let c00 = f32x4.splat(0), c01 = c00;
  if (bias) {
    c00 = v128.load(bias);
    c01 = v128.load(bias, 16);
  }
  let c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
  // How V8 orders instructions decides the speed, see bench/NOTES.md. It moves all loads of a basic block to its front, until
  // registers spill, unless the block ends where two paths join. So each step is in a branch, by which the first round skips
  // the steps that are too many, and rows go from the last to the first.
  let steps = (K - 1 & 3) + 1, b0: v128, b1: v128, s: v128;
  const end = a + (K << 2), skipped = 16 - (steps << 2);
  a -= skipped, a1 -= skipped, a2 -= skipped, a3 -= skipped;
  for (; a != end; steps = 4) {
    if (steps > 3) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a3), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    if (steps > 2) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a3, 4), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2, 4), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1, 4), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 4), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    if (steps > 1) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a3, 8), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2, 8), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1, 8), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 8), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    if (steps > 0) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a3, 12), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2, 12), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1, 12), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 12), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    a += 16, a1 += 16, a2 += 16, a3 += 16;
  }
  const to = whole ? c : edgeTile;
  const row = whole ? cRow : 32;
  const addNow = add && whole;
  storeRow(to, c00, c01, addNow);
  storeRow(to + row, c10, c11, addNow);
  storeRow(to + 2 * row, c20, c21, addNow);
  storeRow(to + 3 * row, c30, c31, addNow);
  if (!whole) copyEdge(rows, columns, c, cRow, add);
}

/** 6 rows by 8 columns, in the order of `tile`. */
function highTile(K: usize, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize, bias: usize, add: bool): void {
  let a1 = a + aRow, a2 = a1 + aRow, a3 = a2 + aRow, a4 = a3 + aRow, a5 = a4 + aRow;
  let c00 = f32x4.splat(0), c01 = c00;
  if (bias) {
    c00 = v128.load(bias);
    c01 = v128.load(bias, 16);
  }
  let c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01, c40 = c00, c41 = c01, c50 = c00, c51 = c01;
  let steps = (K - 1 & 3) + 1, b0: v128, b1: v128, s: v128;
  const end = a + (K << 2), skipped = 16 - (steps << 2);
  a -= skipped, a1 -= skipped, a2 -= skipped, a3 -= skipped, a4 -= skipped, a5 -= skipped;
  for (; a != end; steps = 4) {
    if (steps > 3) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a5), c50 = madd(s, b0, c50), c51 = madd(s, b1, c51);
      s = v128.load32_splat(a4), c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      s = v128.load32_splat(a3), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    if (steps > 2) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a5, 4), c50 = madd(s, b0, c50), c51 = madd(s, b1, c51);
      s = v128.load32_splat(a4, 4), c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      s = v128.load32_splat(a3, 4), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2, 4), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1, 4), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 4), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    if (steps > 1) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a5, 8), c50 = madd(s, b0, c50), c51 = madd(s, b1, c51);
      s = v128.load32_splat(a4, 8), c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      s = v128.load32_splat(a3, 8), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2, 8), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1, 8), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 8), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    if (steps > 0) {
      b0 = v128.load(b), b1 = v128.load(b, 16), b += bRow;
      s = v128.load32_splat(a5, 12), c50 = madd(s, b0, c50), c51 = madd(s, b1, c51);
      s = v128.load32_splat(a4, 12), c40 = madd(s, b0, c40), c41 = madd(s, b1, c41);
      s = v128.load32_splat(a3, 12), c30 = madd(s, b0, c30), c31 = madd(s, b1, c31);
      s = v128.load32_splat(a2, 12), c20 = madd(s, b0, c20), c21 = madd(s, b1, c21);
      s = v128.load32_splat(a1, 12), c10 = madd(s, b0, c10), c11 = madd(s, b1, c11);
      s = v128.load32_splat(a, 12), c00 = madd(s, b0, c00), c01 = madd(s, b1, c01);
    }
    a += 16, a1 += 16, a2 += 16, a3 += 16, a4 += 16, a5 += 16;
  }
  storeRow(c, c00, c01, add);
  storeRow(c + cRow, c10, c11, add);
  storeRow(c + 2 * cRow, c20, c21, add);
  storeRow(c + 3 * cRow, c30, c31, add);
  storeRow(c + 4 * cRow, c40, c41, add);
  storeRow(c + 5 * cRow, c50, c51, add);
}

@inline
function storeRow(to: usize, x0: v128, x1: v128, add: bool): void {
  if (add) {
    x0 = f32x4.add(v128.load(to), x0);
    x1 = f32x4.add(v128.load(to, 16), x1);
  }
  v128.store(to, x0);
  v128.store(to, x1, 16);
}

function copyEdge(rows: usize, columns: usize, c: usize, cRow: usize, add: bool): void {
  for (let m: usize = 0; m < rows; m++) {
    for (let n: usize = 0; n < columns; n++) {
      const x = load<f32>(edgeTile + ((m * 8 + n) << 2));
      const to = c + m * cRow + (n << 2);
      store<f32>(to, add ? load<f32>(to) + x : x);
    }
  }
}
