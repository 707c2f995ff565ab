/** Numbers kept in half precision: two to a u32, which needs no optional feature of WebGPU and has the bits of f16. */
import { halfToNumber, numberToHalf } from "../tensor/half.ts";
import { defineKernel, elementGroups } from "./kernel.ts";

/** Words that one group of `width` numbers takes. */
export const halfWords = (width: number): number => Math.ceil(width / 2);
/** Words for `length` numbers in groups of `width`. */
export const halfLength = (length: number, width: number): number => Math.ceil(length / width) * halfWords(width);

/** The numbers of packed groups, for twins that read them. */
export function fromHalves(words: ArrayLike<number>, width: number): Float32Array {
  const per = halfWords(width);
  return Float32Array.from({ length: Math.floor(words.length / per) * width }, (_, i) => {
    const inGroup = i % width;
    const word = words[Math.floor(i / width) * per + (inGroup >> 1)];
    return halfToNumber(inGroup & 1 ? word >>> 16 : word & 0xffff);
  });
}

const params = { length: "u32", width: "u32" } as const;
const workgroups = ({ length, width }: { length: number; width: number }) => elementGroups(halfLength(length, width));

/** Packs numbers in groups of `width`, each group from a word on. */
export const toHalf = defineKernel({
  name: "to-half",
  sources: ["lib/linear-index", "to-half"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[length]" },
    y: { access: "read_write", type: "u32", shape: "[groups, ⌈width/2⌉]: the first of a pair in the lower bits" },
  },
  params,
  workgroups,
  twin({ x, y }, { length, width }) {
    const words = halfWords(width);
    for (let word = 0; word < halfLength(length, width); word++) {
      const start = Math.floor(word / words) * width;
      const at = start + (word % words) * 2;
      if (at >= length) continue;
      const second = at + 1 < Math.min(length, start + width) ? numberToHalf(x[at + 1]) : 0;
      y[word] = (numberToHalf(x[at]) | (second << 16)) >>> 0;
    }
  },
});

/** The inverse of `toHalf`. */
export const fromHalf = defineKernel({
  name: "from-half",
  sources: ["lib/linear-index", "from-half"],
  bindings: {
    x: { access: "read", type: "u32", shape: "[groups, ⌈width/2⌉]" },
    y: { access: "read_write", type: "f32", shape: "[length]" },
  },
  params,
  workgroups,
  twin({ x, y }, { length, width }) {
    const numbers = fromHalves(x.subarray(0, halfLength(length, width)), width);
    for (let i = 0; i < length; i++) y[i] = numbers[i];
  },
});
