import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * y[o, i, n] (+)= x[o, i + shift, n], or 0 outside of x, where shift = lengths_row - before: what each row has from its own
 * end on. With `back`, the shift is the other way, which is the gradient. Letters: outer, size and inner are the sizes
 * before, of and after the axis; count is the axis' size in y; outer is rows times any number.
 */
export const shiftRows = defineKernel({
  name: "shift-rows",
  sources: ["lib/linear-index", "shift-rows"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[outer, size, inner]" },
    lengths: { access: "read", type: "u32", shape: "[rows]: steps of each row" },
    y: { access: "read_write", type: "f32", shape: "[outer, count, inner]" },
  },
  params: { rows: "u32", outer: "u32", size: "u32", inner: "u32", count: "u32", before: "u32", back: "u32", accumulate: "u32" },
  workgroups: ({ outer, count, inner }) => elementGroups(outer * count * inner),
});
