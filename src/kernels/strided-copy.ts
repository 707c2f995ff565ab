import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * Copies a 3-D index space between two strided layouts: transposes, packs gates, joins and splits directions.
 * Element (i, j, k) goes from `fromOffset + i*from0 + j*from1 + k*from2` to `toOffset + i*to0 + j*to1 + k*to2`.
 */
export const stridedCopy = defineKernel({
  name: "strided-copy",
  bindings: {
    input: { access: "read", type: "f32", shape: "by strides" },
    output: { access: "read_write", type: "f32", shape: "by strides" },
  },
  params: {
    size0: "u32",
    size1: "u32",
    size2: "u32",
    fromOffset: "u32",
    from0: "u32",
    from1: "u32",
    from2: "u32",
    toOffset: "u32",
    to0: "u32",
    to1: "u32",
    to2: "u32",
    accumulate: "u32",
  },
  sources: ["lib/linear-index", "strided-copy"],
  workgroups: ({ size0, size1, size2 }) => elementGroups(size0 * size1 * size2),
});
