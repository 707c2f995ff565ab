/** The twins of half-storage.ts. */
import { halfToNumber, numberToHalf } from "../tensor/half.ts";
import { fromHalf, halfLength, halfWords, toHalf } from "./half-storage.ts";
import { twin } from "./twin.ts";

/** The numbers of packed groups, for twins that read them. */
export function fromHalves(words: ArrayLike<number>, width: number): Float32Array {
  const per = halfWords(width);
  return Float32Array.from({ length: Math.floor(words.length / per) * width }, (_, i) => {
    const inGroup = i % width;
    const word = words[Math.floor(i / width) * per + (inGroup >> 1)];
    return halfToNumber(inGroup & 1 ? word >>> 16 : word & 0xffff);
  });
}

/**
 * A value too large for half precision becomes NaN. Infinity would pass unnoticed: a gate would squash it into an
 * ordinary number.
 */
const halfOf = (value: number): number => (Math.abs(value) <= 65504 ? numberToHalf(value) : 0x7e00);

export const halfStorageTwins = [
  twin(toHalf, ({ x, y }, { length, width }) => {
    const words = halfWords(width);
    for (let word = 0; word < halfLength(length, width); word++) {
      const start = Math.floor(word / words) * width;
      const at = start + (word % words) * 2;
      if (at >= length) continue;
      const second = at + 1 < Math.min(length, start + width) ? halfOf(x[at + 1]) : 0;
      y[word] = (halfOf(x[at]) | (second << 16)) >>> 0;
    }
  }),
  twin(fromHalf, ({ x, y }, { length, width }) => {
    const numbers = fromHalves(x.subarray(0, halfLength(length, width)), width);
    for (let i = 0; i < length; i++) y[i] = numbers[i];
  }),
];
