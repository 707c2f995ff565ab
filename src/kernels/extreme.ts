/** Greatest and least elements along an axis; outer, size and inner are the sizes before, of and after it. */
import { defineKernel, elementGroups } from "./kernel.ts";

/** y = the greatest element (`sign` 1) or the least (`sign` -1), and the place of the first such element as a number. */
export const extremeForward = defineKernel({
  name: "extreme-forward",
  sources: ["lib/linear-index", "extreme-forward"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[outer, size, inner]" },
    y: { access: "read_write", type: "f32", shape: "[outer, inner]" },
    places: { access: "read_write", type: "f32", shape: "[outer, inner]" },
  },
  params: { outer: "u32", size: "u32", inner: "u32", sign: "f32" },
  workgroups: ({ outer, inner }) => elementGroups(outer * inner),
});

/** dx (+)= dy at the place of the extreme element, and 0 elsewhere. */
export const extremeBackward = defineKernel({
  name: "extreme-backward",
  sources: ["lib/linear-index", "extreme-backward"],
  bindings: {
    places: { access: "read", type: "f32", shape: "[outer, inner]" },
    dy: { access: "read", type: "f32", shape: "[outer, inner]" },
    dx: { access: "read_write", type: "f32", shape: "[outer, size, inner]" },
  },
  params: { outer: "u32", size: "u32", inner: "u32", accumulate: "u32" },
  workgroups: ({ outer, size, inner }) => elementGroups(outer * size * inner),
});
