import { defineKernel, sharedRowGroups } from "./kernel.ts";

/**
 * Softmax of each row, y_c = e^(x_c - m) / Σ_j e^(x_j - m) with m the row's maximum, or its logarithm
 * x_c - m - ln Σ_j e^(x_j - m) if `log` is 1.
 */
export const softmaxForward = defineKernel({
  name: "softmax-forward",
  sources: ["lib/activations", "lib/linear-index", "lib/rows", "softmax-forward"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[rows, columns]" },
    y: { access: "read_write", type: "f32", shape: "[rows, columns]" },
  },
  params: { rows: "u32", columns: "u32", log: "u32" },
  workgroups: sharedRowGroups,
});

/** The derivative from the value y: dx_c (+)= y_c (dy_c - Σ_j dy_j y_j), or dy_c - e^(y_c) Σ_j dy_j if `log` is 1. */
export const softmaxBackward = defineKernel({
  name: "softmax-backward",
  sources: ["lib/activations", "lib/linear-index", "lib/rows", "softmax-backward"],
  bindings: {
    y: { access: "read", type: "f32", shape: "[rows, columns]" },
    dy: { access: "read", type: "f32", shape: "[rows, columns]" },
    dx: { access: "read_write", type: "f32", shape: "[rows, columns]" },
  },
  params: { rows: "u32", columns: "u32", log: "u32", accumulate: "u32" },
  workgroups: sharedRowGroups,
});
