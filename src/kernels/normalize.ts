/** Rows with mean 0 and variance 1, for normalization over layers, batches and instances. */
import { defineKernel, sharedRowGroups } from "./kernel.ts";

/** y_c = (x_c - mean) / √(variance + eps) in each row, and both statistics; the variance is the mean of squares. */
export const normalizeForward = defineKernel({
  name: "normalize-forward",
  sources: ["lib/linear-index", "lib/rows", "normalize-forward"],
  bindings: {
    x: { access: "read", type: "f32", shape: "[rows, columns]" },
    y: { access: "read_write", type: "f32", shape: "[rows, columns]" },
    means: { access: "read_write", type: "f32", shape: "[rows]" },
    variances: { access: "read_write", type: "f32", shape: "[rows]" },
  },
  params: { rows: "u32", columns: "u32", eps: "f32" },
  workgroups: sharedRowGroups,
});

/** dx_c (+)= (dy_c - mean of dy - y_c · mean of dy⊙y) / √(variance + eps). */
export const normalizeBackward = defineKernel({
  name: "normalize-backward",
  sources: ["lib/linear-index", "lib/rows", "normalize-backward"],
  bindings: {
    y: { access: "read", type: "f32", shape: "[rows, columns]" },
    variances: { access: "read", type: "f32", shape: "[rows]" },
    dy: { access: "read", type: "f32", shape: "[rows, columns]" },
    dx: { access: "read_write", type: "f32", shape: "[rows, columns]" },
  },
  params: { rows: "u32", columns: "u32", eps: "f32", accumulate: "u32" },
  workgroups: sharedRowGroups,
});
