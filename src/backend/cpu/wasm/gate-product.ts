// dh [B, H] = Σ_{k,g} dG[row, k, g] · weights[k, unit, g]: the product of backpropagation through time.
import { gate0, gate1, gate2 } from "./cells";
import { madd, sumsOf } from "./lanes";
import { packColumns, product, tile as matrixTile } from "./matmul";
import { packedB } from "./scratch";

/** Units k per pass: what the packed panel holds. */
const depth: usize = 256;

export function gateProduct(next: usize, weights: usize, dh: usize, B: usize, H: usize, G: usize): void {
  if (G == 4) return fourGates(next, weights, dh, B, H);
  if (G == 3) return threeGates(next, weights, dh, B, H);
  product(next, weights, 0, dh, B, H, H, H << 2, 4, H << 2, 4, H << 2, false);
}

/** As one product over pairs (k, g), which lie in a row in dG, with the gates of the weights taken apart in packing. */
function threeGates(next: usize, weights: usize, dh: usize, B: usize, H: usize): void {
  const row = H * 12;
  const most: usize = 80;
  for (let k: usize = 0; k < H; k += most) {
    const count = min(H - k, most);
    for (let unit: usize = 0; unit < H; unit += 8) {
      packThreeGates(packedB, weights + unit * 12, row, count);
      let to = dh + (unit << 2);
      for (let r: usize = 0; r < B; r += 4) {
        matrixTile(count * 3, next + r * row, row, 4, min(B - r, 4), packedB, 32, min(H - unit, 8), to, H << 2, 0, k > 0);
        to += H << 4;
      }
    }
    next += count * 12;
    weights += count * row;
  }
}

/** Three gates of eight units, from `count` rows, as [count][3][8]. */
function packThreeGates(to: usize, from: usize, row: usize, count: usize): void {
  for (let k: usize = 0; k < count; k++) {
    for (let half: usize = 0; half < 2; half++) {
      const at = from + half * 48, target = to + half * 16;
      const a = v128.load(at), b = v128.load(at, 16), c = v128.load(at, 32);
      v128.store(target, gate0(a, b, c));
      v128.store(target, gate1(a, b, c), 32);
      v128.store(target, gate2(a, b, c), 64);
    }
    from += row;
    to += 96;
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
