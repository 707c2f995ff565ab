import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * y[o, i, n] (+)= Σ x[o, sources_s, n] over s from starts_i up to starts_{i+1}, or `fill` where there is no source. With
 * at most one source each it moves elements along an axis; its gradient is the same with the lists turned round. Letters:
 * outer, size and inner are the sizes before, of and after the axis; count is the axis' size in y.
 */
export const pick = defineKernel({
  name: "pick",
  sources: ["lib/linear-index", "pick"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[outer, size, inner]" },
    starts: { access: "read", type: "u32", shape: "[count + 1]" },
    sources: { access: "read", type: "u32", shape: "[starts_count], at least 1" },
    y: { access: "read_write", type: "f32", shape: "[outer, count, inner]" },
  },
  params: { outer: "u32", size: "u32", inner: "u32", count: "u32", fill: "f32", accumulate: "u32" },
  workgroups: ({ outer, count, inner }) => elementGroups(outer * count * inner),
});
