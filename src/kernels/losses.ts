/**
 * What all losses share. A loss is forward and backward in one kernel: it writes each row's loss and the gradient of the
 * reported loss.
 * `lossSum` adds the losses up, or `gradientNorm` in a training step, which runs anyway.
 *
 * Every row (element) has a weight, 0 for padding. A loss is not divided by anything in `losses`; the gradient is
 * already multiplied by the normaliser's scale.
 */
import type { NumericArray } from "../tensor/tensor.ts";
import { defineKernel, type Workgroups } from "./kernel.ts";

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
  const sum = !weights && ignoreIndex === undefined ? targets.length : countedWeight(targets, weights, ignoreIndex);
  const scale = mean ? (sum === 0 ? 0 : 1 / sum) : 1;
  return Float64Array.of(sum, scale);
}

function countedWeight(targets: NumericArray, weights: NumericArray | undefined, ignoreIndex: number | undefined): number {
  let sum = 0;
  for (let row = 0; row < targets.length; row++) {
    if (targets[row] !== ignoreIndex) sum += weights ? weights[row] : 1;
  }
  return sum;
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
