/** The twins of half-storage.ts. */
import { halfToNumber, numberToHalf } from "../tensor/half.ts";
import { fromHalf, toHalf } from "./half-storage.ts";
import { halfWords } from "./kernel.ts";
import { twin } from "./twin.ts";

/** Writes the numbers of packed groups to `y`. */
function unpack(words: ArrayLike<number>, y: { [i: number]: number }, length: number, width: number): void {
  const per = halfWords(width);
  for (let start = 0, first = 0; start < length; start += width, first += per) {
    const end = Math.min(width, length - start);
    for (let i = 0; i < end; i++) {
      const word = words[first + (i >> 1)];
      y[start + i] = halfToNumber(i & 1 ? word >>> 16 : word & 0xffff);
    }
  }
}

/** The numbers of packed groups, for twins that read them. */
export function fromHalves(words: ArrayLike<number>, width: number): Float32Array {
  const numbers = new Float32Array(Math.floor(words.length / halfWords(width)) * width);
  unpack(words, numbers, numbers.length, width);
  return numbers;
}

/**
 * A value too large for half precision becomes NaN. Infinity would pass unnoticed: a gate would squash it into an
 * ordinary number.
 */
const halfOf = (value: number): number => (Math.abs(value) <= 65504 ? numberToHalf(value) : 0x7e00);

export const halfStorageTwins = [
  twin(toHalf, ({ x, y }, { length, width }) => {
    let word = 0;
    for (let start = 0; start < length; start += width) {
      const end = Math.min(length, start + width);
      for (let at = start; at < end; at += 2) y[word++] = (halfOf(x[at]) | (at + 1 < end ? halfOf(x[at + 1]) << 16 : 0)) >>> 0;
    }
  }),
  twin(fromHalf, ({ x, y }, { length, width }) => unpack(x, y, length, width)),
];
