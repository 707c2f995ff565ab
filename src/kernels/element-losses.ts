/** Losses of single elements. */
import { defineKernel, elementGroups } from "./kernel.ts";

const elementLossBindings = {
  x: { access: "read", type: "f32", shape: "[length]" },
  targets: { access: "read", type: "f32", shape: "[length]" },
  weights: { access: "read", type: "f32", shape: "[length]" },
  normalizer: { access: "read", type: "f32", shape: "[2]: Σ weights, scale" },
  losses: { access: "read_write", type: "f32", shape: "[length]" },
  dx: { access: "read_write", type: "f32", shape: "[length]" },
} as const;

/**
 * Binary cross-entropy of logits, in the form that cannot overflow:
 * losses = w (max(x, 0) - x·t + ln(1 + e^-|x|)), dx = w (σ(x) - t) · scale.
 */
export const binaryCrossEntropy = defineKernel({
  name: "binary-cross-entropy",
  sources: ["lib/activations", "lib/linear-index", "binary-cross-entropy"],
  bindings: elementLossBindings,
  params: { length: "u32" },
  workgroups: ({ length }) => elementGroups(length),
});

/** losses = w · factor · (x - t)², dx = w · 2 factor (x - t) · scale; factor 1 is PyTorch's MSELoss, ½ drops the 2. */
export const squaredError = defineKernel({
  name: "squared-error",
  sources: ["lib/linear-index", "squared-error"],
  bindings: elementLossBindings,
  params: { length: "u32", factor: "f32" },
  workgroups: ({ length }) => elementGroups(length),
});
