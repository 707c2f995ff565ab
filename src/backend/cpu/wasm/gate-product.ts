// dh [B, H] = Σ_{k,g} dG[row, k, g] · weights[k, unit, g]: the product of backpropagation through time.
import { madd, sumsOf } from "./lanes";
import { packColumns, product } from "./matmul";
import { packedB } from "./scratch";

/** Units k per pass: what the packed panel holds. */
const depth: usize = 256;

export function gateProduct(next: usize, weights: usize, dh: usize, B: usize, H: usize, G: usize): void {
  if (G == 4) return fourGates(next, weights, dh, B, H);
  // One product per gate, each with every G-th number of both operands.
  const row = H * G << 2, step = G << 2;
  for (let g: usize = 0; g < G; g++) {
    product(next + (g << 2), weights + (g << 2), 0, dh, B, H, H, row, step, row, step, H << 2, g > 0);
  }
}

/**
 * The four gates of a unit are one vector on both sides, so nothing is broadcast: lanes are summed at the end. A tile of
 * 4 rows by 2 units has the loads and registers of the tile in matmul.ts.
 */
function fourGates(next: usize, weights: usize, dh: usize, B: usize, H: usize): void {
  const row = H << 4;
  // Copying the panel pays where it is read often and its rows would evict each other from the cache.
  const packs = B >= 16 && row >= 4096;
  for (let k: usize = 0; k < H; k += depth) {
    const count = min(H - k, depth);
    for (let unit: usize = 0; unit < H; unit += 2) {
      const panel = packs ? packedB : weights + (unit << 4);
      if (packs) packColumns(panel, weights + (unit << 4), row, 4, 8, count);
      for (let r: usize = 0; r < B; r += 4) {
        tile(count, next + r * row, row, min(B - r, 4), panel, packs ? 32 : row, dh + ((r * H + unit) << 2), H << 2, H - unit > 1, k > 0);
      }
    }
    next += count << 4;
    weights += count * row;
  }
}

/** Missing rows repeat the last one, a missing unit is whatever follows; neither is stored. */
function tile(K: usize, a: usize, aRow: usize, rows: usize, b: usize, bRow: usize, dh: usize, dhRow: usize, both: bool, add: bool): void {
  let a1 = rows > 1 ? a + aRow : a, a2 = rows > 2 ? a1 + aRow : a1, a3 = rows > 3 ? a2 + aRow : a2;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (let end = b + K * bRow; b != end; b += bRow) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let x = v128.load(a);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load(a1);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load(a2);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load(a3);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    a += 16;
    a1 += 16;
    a2 += 16;
    a3 += 16;
  }
  storeColumn(dh, dhRow, rows, sumsOf(c00, c10, c20, c30), add);
  if (both) storeColumn(dh + 4, dhRow, rows, sumsOf(c01, c11, c21, c31), add);
}

/** The first `rows` lanes of x, each into a row of its own. */
function storeColumn(to: usize, row: usize, rows: usize, x: v128, add: bool): void {
  for (let r: usize = 0; r < rows; r++) {
    const value = f32x4.extract_lane(x, 0);
    store<f32>(to, add ? load<f32>(to) + value : value);
    x = v128.shuffle<f32>(x, x, 1, 2, 3, 0);
    to += row;
  }
}
