// dh [B, H] = Σ_{k,g} dG[row, k, g] · weights[k, unit, g]: the product of backpropagation through time.
import { gate0, gate1, gate2 } from "./cells";
import { column0, column1, column2, column3, madd, storeFirst, sumsOf } from "./lanes";
import { depth, product } from "./matmul";
import { packedB } from "./scratch";
import { tiles } from "./tile";

/** `panels`: the weights as `packGatePanels` leaves them, or 0. */
export function gateProduct(next: usize, weights: usize, panels: usize, dh: usize, B: usize, H: usize, G: usize): void {
  const row = H * G << 2;
  if (panels) product(next, panels, 0, dh, B, H, H * G, row, 4, 32, 0, H << 2, false);
  else if (G != 3 && G != 4) {
    const gate = G << 2;
    for (let g: usize = 0; g < gate; g += 4) product(next + g, weights + g, 0, dh, B, H, H, row, gate, row, gate, H << 2, g > 0);
  } else if (B >= 4) pairs(next, weights, dh, B, H, G);
  else {
    for (; B > 0; B--) {
      for (let unit: usize = 0; unit < H; unit += 8) {
        if (G == 4) fourGatesRow(H, next, weights + (unit << 4), row, dh + (unit << 2), H - unit);
        else threeGatesRow(H, next, weights + unit * 12, dh + (unit << 2), H - unit);
      }
      next += row;
      dh += H << 2;
    }
  }
}

/** One product over all pairs (k, g), which are contiguous in dG; packing takes the gates of the weights apart. */
function pairs(next: usize, weights: usize, dh: usize, B: usize, H: usize, G: usize): void {
  const row = H * G << 2;
  // Passes end where those of `product` end, so results are the same bit for bit with panels.
  for (let pair: usize = 0; pair < H * G; pair += depth) {
    const count = min(H * G - pair, depth), k = pair / G, from = pair - k * G;
    for (let unit: usize = 0; unit < H; unit += 8) {
      packGates(packedB, weights + k * row + (unit * G << 2), row, (from + count + G - 1) / G, G);
      tiles(count, next + (pair << 2), row, B, packedB + (from << 5), 32, min(H - unit, 8), dh + (unit << 2), H << 2, 0, pair > 0);
    }
  }
}

/** Packs all weights [H][H][G] of one, three or four gates for `gateProduct`. `to` has room for H rounded up to a multiple of 8. */
export function packGatePanels(weights: usize, to: usize, H: usize, G: usize): void {
  for (let unit: usize = 0; unit < H; unit += 8) packGates(to + (unit * H * G << 2), weights + (unit * G << 2), H * G << 2, H, G);
}

/** Packs the gates of eight units, from `count` rows, as [count][G][8]. */
function packGates(to: usize, from: usize, row: usize, count: usize, G: usize): void {
  for (let k: usize = 0; k < count; k++) {
    for (let half: usize = 0; half < 2; half++) {
      const at = from + half * G * 16, target = to + half * 16;
      const a = v128.load(at), b = v128.load(at, 16), c = v128.load(at, 32), d = v128.load(at, 48);
      if (G == 4) {
        v128.store(target, column0(a, b, c, d));
        v128.store(target, column1(a, b, c, d), 32);
        v128.store(target, column2(a, b, c, d), 64);
        v128.store(target, column3(a, b, c, d), 96);
      } else if (G == 3) {
        v128.store(target, gate0(a, b, c));
        v128.store(target, gate1(a, b, c), 32);
        v128.store(target, gate2(a, b, c), 64);
      } else v128.store(target, a);
    }
    from += row;
    to += G << 5;
  }
}

/** One row, eight units, weights not packed: vectors of dG repeat its three gates, and the sums are sorted by gate at the end. */
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

/** One row, eight units, weights not packed. */
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
