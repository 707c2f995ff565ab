/**
 * Losses, forward and backward in one kernel: it writes each row's loss and the gradient of the reported loss.
 * `lossSum` adds the losses up, or `gradientNorm` in a training step, which runs anyway.
 *
 * Every row (element) has a weight, 0 for padding. A loss is not divided by anything in `losses`; the gradient is
 * already multiplied by the normaliser's scale.
 */
import type { NumericArray } from "../tensor/tensor.ts";
import { defineKernel, elementGroups, sharedRowGroups, type Workgroups } from "./kernel.ts";

const single: Workgroups = [1, 1, 1];

/**
 * [Σ weights, scale] over the rows whose target is not `ignoreIndex` (all, if undefined). The scale is 1 for a sum,
 * else 1 / Σ weights, or 0 if no row counts: a batch of padding only gives the loss 0 and not NaN. The host computes
 * this, because it has targets and weights.
 */
export function normalizerOf(
  targets: NumericArray,
  weights: NumericArray | undefined,
  { ignoreIndex, mean }: { ignoreIndex?: number; mean: boolean },
): Float64Array {
  let sum = 0;
  for (let row = 0; row < targets.length; row++) {
    if (targets[row] !== ignoreIndex) sum += weights ? weights[row] : 1;
  }
  const scale = mean ? (sum === 0 ? 0 : 1 / sum) : 1;
  return Float64Array.of(sum, scale);
}

/** The loss to report: scale · Σ losses, added up in a fixed order. */
export const lossSum = defineKernel({
  name: "loss-sum",
  sources: ["lib/fold", "loss-sum"],
  bindings: {
    losses: { access: "read", type: "f32", shape: "[length]" },
    normalizer: { access: "read", type: "f32", shape: "[2]: Σ weights, scale" },
    loss: { access: "read_write", type: "f32", shape: "[1]" },
  },
  params: { length: "u32" },
  workgroups: () => single,
});

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
