/** IEEE 754 half precision: 1 sign bit, 5 of exponent, 10 of mantissa. */

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

export function halfToNumber(half: number): number {
  const magnitude = half & 0x7fff;
  let value = Infinity;
  if (magnitude > 0x7c00) value = NaN;
  else if (magnitude < 0x7c00) {
    // The same bits, 13 places higher, are a single-precision number whose exponent has a bias of 127 instead of 15.
    bits[0] = magnitude << 13;
    value = float[0] * 2 ** 112;
  }
  return half & 0x8000 ? -value : value;
}

/** Rounds to the nearest value, ties to even. Values from 65520 on (half a step above 65504) become infinity. */
export function numberToHalf(value: number): number {
  float[0] = value;
  const sign = (bits[0] >>> 16) & 0x8000;
  const magnitude = bits[0] & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Below 2^-14 neighbours are 2^-24 apart, the same as float32's above 0.5: adding 0.5 rounds correctly.
    float[0] = Math.abs(value) + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  // Rounds at the 13 dropped bits; a carry correctly goes into the exponent.
  return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
}
