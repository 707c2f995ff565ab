/**
 * Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011): four random
 * words from a counter of 128 bits and a key of 64. It has no state, so the same numbers can be computed anywhere, at
 * any time.
 */
export type Words4 = readonly [number, number, number, number];

/** The high word of the 64-bit product of two words. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  // No sum here reaches 2^32, and every product is below 2^32, so doubles hold them exactly.
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const carried = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + (middle >>> 16) + (carried >>> 16)) >>> 0;
}

export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  let [x, y, z, w] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const fromZ = Math.imul(0xcd9e8d57, z) >>> 0;
    const fromX = Math.imul(0xd2511f53, x) >>> 0;
    [x, y, z, w] = [(multiplyHigh(0xcd9e8d57, z) ^ y ^ k0) >>> 0, fromZ, (multiplyHigh(0xd2511f53, x) ^ w ^ k1) >>> 0, fromX];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [x, y, z, w];
}

/** [0, 1) in steps of 2^-24. */
export const uniformOf = (word: number): number => (word >>> 8) * 2 ** -24;

/**
 * `count` uniform numbers in [0, 1), always the same for a seed (an integer up to 2^53) and a stream. The counter's
 * last word keeps them apart from what kernels draw during a step.
 */
export function randomUniforms(seed: number, stream: number, count: number): Float64Array {
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0] as const;
  const result = new Float64Array(count);
  for (let i = 0; i < count; i += 4) {
    const words = philox([i / 4, stream >>> 0, 0, 0xffffffff], key);
    for (let lane = 0; lane < 4 && i + lane < count; lane++) result[i + lane] = uniformOf(words[lane]);
  }
  return result;
}
