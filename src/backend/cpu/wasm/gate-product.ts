// dh [B, H] = Σ_{k,g} dG[row, k, g] · weights[k, unit, g]: the product of backpropagation through time.
import { gate0, gate1, gate2 } from "./cells";
import { madd, storeFirst, sumsOf } from "./lanes";
import { packColumns, packedAtOnce, product } from "./matmul";
import { packedB } from "./scratch";
import { tile as matrixTile } from "./tile";

/** Units k per pass: what the packed panel holds. */
const depth: usize = 256;

export function gateProduct(next: usize, weights: usize, dh: usize, B: usize, H: usize, G: usize): void {
  if (G == 4) return fourGates(next, weights, dh, B, H);
  if (G == 3) return threeGates(next, weights, dh, B, H);
  const row = H * G << 2, gate = G << 2;
  for (let g: usize = 0; g < gate; g += 4) product(next + g, weights + g, 0, dh, B, H, H, row, gate, row, gate, H << 2, g > 0);
}

/** As one product over pairs (k, g), which lie in a row in dG, with the gates of the weights taken apart in packing. */
function threeGates(next: usize, weights: usize, dh: usize, B: usize, H: usize): void {
  if (B < 4) {
    for (; B > 0; B--) {
      for (let unit: usize = 0; unit < H; unit += 8) threeGatesRow(H, next, weights + unit * 12, dh + (unit << 2), H - unit);
      next += H * 12;
      dh += H << 2;
    }
    return;
  }
  const row = H * 12;
  const most: usize = 80;
  for (let k: usize = 0; k < H; k += most) {
    const count = min(H - k, most);
    for (let unit: usize = 0; unit < H; unit += 8) {
      packThreeGates(packedB, weights + unit * 12, row, count);
      let to = dh + (unit << 2);
      for (let r: usize = 0; r < B; r += 4) {
        matrixTile(count * 3, next + r * row, row, min(B - r, 4), packedB, 32, min(H - unit, 8), to, H << 2, 0, k > 0);
        to += H << 4;
      }
    }
    next += count * 12;
    weights += count * row;
  }
}

/** One row, eight units, the weights as they lie: the three gates are repeated in their rhythm, and sorted at the end. */
function threeGatesRow(H: usize, next: usize, weights: usize, dh: usize, left: usize): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0;
  for (let k: usize = 0; k < H; k++) {
    const gates = v128.load(next + k * 12);
    const x0 = v128.shuffle<f32>(gates, gates, 0, 1, 2, 0), x1 = v128.shuffle<f32>(gates, gates, 1, 2, 0, 1), x2 = v128.shuffle<f32>(gates, gates, 2, 0, 1, 2);
    c0 = madd(x0, v128.load(weights), c0);
    c1 = madd(x1, v128.load(weights, 16), c1);
    c2 = madd(x2, v128.load(weights, 32), c2);
    c3 = madd(x0, v128.load(weights, 48), c3);
    c4 = madd(x1, v128.load(weights, 64), c4);
    c5 = madd(x2, v128.load(weights, 80), c5);
    weights += H * 12;
  }
  storeFirst(dh, f32x4.add(f32x4.add(gate0(c0, c1, c2), gate1(c0, c1, c2)), gate2(c0, c1, c2)), left);
  if (left > 4) storeFirst(dh + 16, f32x4.add(f32x4.add(gate0(c3, c4, c5), gate1(c3, c4, c5)), gate2(c3, c4, c5)), left - 4);
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
  if (B < 4) {
    for (; B > 0; B--) {
      for (let unit: usize = 0; unit < H; unit += 8) fourGatesRow(H, next, weights + (unit << 4), row, dh + (unit << 2), H - unit);
      next += row;
      dh += H << 2;
    }
    return;
  }
  // Copying the panel pays where it is read often and its rows would evict each other from the cache.
  const packs = B >= 16 && row >= 4096;
  for (let k: usize = 0; k < H; k += depth) {
    const count = min(H - k, depth);
    for (let unit: usize = 0; unit < H; unit += 2) {
      const place = (unit << 2) % packedAtOnce;
      const panel = packs ? packedB + ((place * depth) << 2) : weights + (unit << 4);
      if (packs && place == 0) packColumns(packedB, depth << 5, weights + (unit << 4), row, 4, min((H - unit) << 2, packedAtOnce), count);
      for (let r: usize = 0; r < B; r += 4) {
        tile(count, next + r * row, row, min(B - r, 4), panel, packs ? 32 : row, dh + ((r * H + unit) << 2), H << 2, H - unit > 1, k > 0);
      }
    }
    next += count << 4;
    weights += count * row;
  }
}

/** One row, eight units. */
function fourGatesRow(H: usize, next: usize, weights: usize, row: usize, dh: usize, left: usize): void {
  let c0 = f32x4.splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (let k: usize = 0; k < H; k++) {
    const x = v128.load(next);
    c0 = madd(x, v128.load(weights), c0);
    c1 = madd(x, v128.load(weights, 16), c1);
    c2 = madd(x, v128.load(weights, 32), c2);
    c3 = madd(x, v128.load(weights, 48), c3);
    c4 = madd(x, v128.load(weights, 64), c4);
    c5 = madd(x, v128.load(weights, 80), c5);
    c6 = madd(x, v128.load(weights, 96), c6);
    c7 = madd(x, v128.load(weights, 112), c7);
    next += 16;
    weights += row;
  }
  storeFirst(dh, sumsOf(c0, c1, c2, c3), left);
  if (left > 4) storeFirst(dh + 16, sumsOf(c4, c5, c6, c7), left - 4);
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
