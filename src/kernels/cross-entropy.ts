import { defineKernel, sharedRowGroups } from "./kernel.ts";

/**
 * Cross-entropy with class indices, in nats: losses_n = w_n (ln Σ_c e^(x_nc) - x_n,target) and
 * dLogits_nc = w_n (softmax(x_n)_c - [c = target]) · scale. Rows whose target is `ignoreIndex` give 0.
 */
export const crossEntropy = defineKernel({
  name: "cross-entropy",
  sources: ["lib/activations", "lib/linear-index", "lib/rows", "cross-entropy"],
  bindings: {
    logits: { access: "read", type: "f32", shape: "[rows, columns]" },
    targets: { access: "read", type: "i32", shape: "[rows]" },
    weights: { access: "read", type: "f32", shape: "[rows]" },
    normalizer: { access: "read", type: "f32", shape: "[2]: Σ weights, scale" },
    losses: { access: "read_write", type: "f32", shape: "[rows]" },
    dLogits: { access: "read_write", type: "f32", shape: "[rows, columns]" },
  },
  params: { rows: "u32", columns: "u32", ignoreIndex: "i32" },
  workgroups: sharedRowGroups,
});
