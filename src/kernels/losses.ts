/**
 * Losses, forward and backward in one kernel: it writes each row's loss and the gradient of the reported loss. Their sum
 * is left to `lossSum`, or in a training step to `gradientNorm`, which is at hand anyway.
 *
 * Every row (element) has a weight, 0 for padding. A loss is not divided by anything in `losses`; the gradient is
 * already multiplied by the normaliser's scale.
 */
import type { NumericArray } from "../tensor/tensor.ts";
import { safeExp, sigmoid } from "./activations.ts";
import { defineKernel, elementGroups, sharedRowGroups, type Workgroups } from "./kernel.ts";

const single: Workgroups = [1, 1, 1];

/**
 * [Σ weights, scale] over the rows whose target is not `ignoreIndex` (all, if undefined). The scale is 1 for a sum,
 * else 1 / Σ weights, or 0 if no row counts: a batch of nothing but padding gives the loss 0 rather than NaN.
 * Targets and weights come from the host, so this is computed there.
 */
export function normalizerOf(targets: NumericArray, weights: NumericArray | undefined, { ignoreIndex, mean }: { ignoreIndex?: number; mean: boolean }): Float64Array {
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
  twin({ losses, normalizer, loss }, { length }) {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += losses[i];
    loss[0] = normalizer[1] * sum;
  },
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
  twin({ logits, targets, weights, normalizer, losses, dLogits }, { rows, columns, ignoreIndex }) {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      let greatest = -3.4e38;
      for (let column = 0; column < columns; column++) greatest = Math.max(greatest, logits[at + column]);
      let sum = 0;
      for (let column = 0; column < columns; column++) sum += safeExp(logits[at + column] - greatest);
      const label = targets[row];
      const weight = label === ignoreIndex ? 0 : weights[row];
      if (weight === 0) {
        dLogits.fill(0, at, at + columns);
        losses[row] = 0;
        continue;
      }
      const scale = weight * normalizer[1];
      for (let column = 0; column < columns; column++) {
        const probability = safeExp(logits[at + column] - greatest) / sum;
        dLogits[at + column] = scale * (probability - (column === label ? 1 : 0));
      }
      losses[row] = weight * (greatest - logits[at + label] + Math.log(sum));
    }
  },
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
  twin({ x, targets, weights, normalizer, losses, dx }, { length }) {
    for (let i = 0; i < length; i++) {
      const weight = weights[i];
      if (weight === 0) {
        losses[i] = 0;
        dx[i] = 0;
        continue;
      }
      losses[i] = weight * (Math.max(x[i], 0) - x[i] * targets[i] + Math.log1p(safeExp(-Math.abs(x[i]))));
      dx[i] = weight * (sigmoid(x[i]) - targets[i]) * normalizer[1];
    }
  },
});

/** losses = w · factor · (x - t)², dx = w · 2 factor (x - t) · scale; factor 1 is PyTorch's MSELoss, ½ drops the 2. */
export const squaredError = defineKernel({
  name: "squared-error",
  sources: ["lib/linear-index", "squared-error"],
  bindings: elementLossBindings,
  params: { length: "u32", factor: "f32" },
  workgroups: ({ length }) => elementGroups(length),
  twin({ x, targets, weights, normalizer, losses, dx }, { length, factor }) {
    for (let i = 0; i < length; i++) {
      const weight = weights[i];
      if (weight === 0) {
        losses[i] = 0;
        dx[i] = 0;
        continue;
      }
      const difference = x[i] - targets[i];
      losses[i] = weight * factor * difference * difference;
      dx[i] = weight * 2 * factor * difference * normalizer[1];
    }
  },
});
