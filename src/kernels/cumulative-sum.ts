import { defineKernel, elementGroups } from "./kernel.ts";

/**
 * y[o, i, n] (+)= Σ x[o, j, n] over j ≤ i, or j ≥ i if `reverse` is 1; without j = i if `exclusive` is 1. The same with
 * the other `reverse` is the backward pass.
 */
export const cumulativeSum = defineKernel({
  name: "cumulative-sum",
  sources: ["lib/linear-index", "cumulative-sum"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[outer, size, inner]" },
    y: { access: "read_write", type: "f32", shape: "[outer, size, inner]" },
  },
  params: { outer: "u32", size: "u32", inner: "u32", reverse: "u32", exclusive: "u32", accumulate: "u32" },
  workgroups: ({ outer, inner }) => elementGroups(outer * inner),
});
