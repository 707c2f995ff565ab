/**
 * Numbers stored in half precision: two in each u32. This has the bits of f16 and needs no optional feature of WebGPU.
 */
import { defineKernel, elementGroups, halfWords } from "./kernel.ts";

/** Number of words for `length` numbers in groups of `width`. */
export const halfLength = (length: number, width: number): number => Math.ceil(length / width) * halfWords(width);

const params = { length: "u32", width: "u32" } as const;
const workgroups = ({ length, width }: { length: number; width: number }) => elementGroups(halfLength(length, width));

/** Packs numbers in groups of `width`; each group starts with a new word. */
export const toHalf = defineKernel({
  name: "to-half",
  sources: ["lib/linear-index", "to-half"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[length]" },
    y: { access: "read_write", type: "u32", shape: "[groups, ⌈width/2⌉]: the first of a pair in the lower bits" },
  },
  params,
  workgroups,
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
});
