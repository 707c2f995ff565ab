// Kernels in which every element stands alone: activations, dropout, masks, the squared error.
import { sigmoid, tanh } from "./functions";
import { storeFirst, sumWith } from "./lanes";

const sigmoidKind: usize = 0;
const tanhKind: usize = 1;

/** src/kernels/activations.ts. */
export function activationForward(x: usize, y: usize, length: usize, kind: usize): void {
  const bytes = length << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = v128.load(x + i);
    const result = kind == sigmoidKind ? sigmoid(value) : kind == tanhKind ? tanh(value) : f32x4.max(value, f32x4.splat(0));
    storeFirst(y + i, result, (bytes - i) >> 2);
  }
}

export function activationBackward(y: usize, dy: usize, dx: usize, length: usize, kind: usize, add: bool): void {
  const bytes = length << 2;
  const one = f32x4.splat(1);
  for (let i: usize = 0; i < bytes; i += 16) {
    const value = v128.load(y + i), d = v128.load(dy + i);
    const result = kind == sigmoidKind ? f32x4.mul(d, f32x4.mul(value, f32x4.sub(one, value)))
      : kind == tanhKind ? f32x4.mul(d, f32x4.sub(one, f32x4.mul(value, value)))
      : v128.and(d, f32x4.gt(value, f32x4.splat(0)));
    storeFirst(dx + i, sumWith(dx + i, result, add), (bytes - i) >> 2);
  }
}

/** `squaredError` of src/kernels/element-losses.ts. An element without weight gives 0, whatever its value. */
export function squaredError(
  x: usize, targets: usize, weights: usize, normalizer: usize, losses: usize, dx: usize, length: usize, factor: f32,
): void {
  const share = f32x4.splat(factor), scale = f32x4.splat(load<f32>(normalizer, 4));
  const bytes = length << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const left = (bytes - i) >> 2;
    const weight = v128.load(weights + i);
    const counts = f32x4.ne(weight, f32x4.splat(0));
    const error = f32x4.sub(v128.load(x + i), v128.load(targets + i));
    const weighted = f32x4.mul(weight, f32x4.mul(share, error));
    storeFirst(losses + i, v128.and(f32x4.mul(weighted, error), counts), left);
    storeFirst(dx + i, v128.and(f32x4.mul(f32x4.add(weighted, weighted), scale), counts), left);
  }
}

/** src/kernels/dropout.ts, with Philox4x32-10 as in src/kernels/philox.ts: one counter gives the words of four elements. */
export function dropout(x: usize, random: usize, y: usize, length: usize, stream: u32, threshold: f32, keep: f32, add: bool): void {
  const seedLow = load<u32>(random), seedHigh = load<u32>(random, 4), stepLow = load<u32>(random, 8), stepHigh = load<u32>(random, 12);
  const bytes = length << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    let a = <u32>(i >> 4), b = stream, c = stepLow, d = stepHigh;
    let key0 = seedLow, key1 = seedHigh;
    for (let round = 0; round < 10; round++) {
      const fromA = <u64>a * 0xd2511f53, fromC = <u64>c * 0xcd9e8d57;
      a = <u32>(fromC >> 32) ^ b ^ key0;
      b = <u32>fromC;
      c = <u32>(fromA >> 32) ^ d ^ key1;
      d = <u32>fromA;
      key0 += 0x9e3779b9;
      key1 += 0xbb67ae85;
    }
    const words = i32x4.shr_u(i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(a), 1, b), 2, c), 3, d), 8);
    const uniform = f32x4.mul(f32x4.convert_i32x4_s(words), f32x4.splat(1.0 / 16777216.0));
    const kept = v128.and(f32x4.div(v128.load(x + i), f32x4.splat(keep)), f32x4.ge(uniform, f32x4.splat(threshold)));
    storeFirst(y + i, sumWith(y + i, kept, add), (bytes - i) >> 2);
  }
}

/** src/kernels/mask-steps.ts: whole rows of H are kept or cleared. */
export function maskSteps(x: usize, lengths: usize, y: usize, T: usize, B: usize, H: usize, add: bool): void {
  const bytes = H << 2;
  for (let t: usize = 0; t < T; t++) {
    for (let row: usize = 0; row < B; row++) {
      const alive = t < load<u32>(lengths + (row << 2));
      if (add) {
        if (alive) addRow(y, x, bytes);
      } else if (alive) memory.copy(y, x, bytes);
      else memory.fill(y, 0, bytes);
      x += bytes;
      y += bytes;
    }
  }
}

/** to += from. */
export function addRow(to: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 16) storeFirst(to + i, f32x4.add(v128.load(to + i), v128.load(from + i)), (bytes - i) >> 2);
}
