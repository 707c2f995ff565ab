/** The twins of losses.ts, cross-entropy.ts and element-losses.ts. */
import type { NumericArray } from "../tensor/tensor.ts";
import { safeExp, sigmoid } from "./activations.twin.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { binaryCrossEntropy, squaredError } from "./element-losses.ts";
import { lossSum } from "./losses.ts";
import { rowOf } from "./softmax.twin.ts";
import { twin } from "./twin.ts";

/** Losses of single elements with their derivatives. An element without weight gives 0, whatever its value. */
function byElement(
  {
    x,
    targets,
    weights,
    normalizer,
    losses,
    dx,
  }: Readonly<Record<"x" | "targets" | "weights" | "normalizer" | "losses" | "dx", NumericArray>>,
  length: number,
  lossOf: (x: number, target: number) => number,
  slopeOf: (x: number, target: number) => number,
): void {
  for (let i = 0; i < length; i++) {
    const weight = weights[i];
    // Nothing is allocated here: the CPU backend trains by this twin with binary cross-entropy.
    losses[i] = weight === 0 ? 0 : weight * lossOf(x[i], targets[i]);
    dx[i] = weight === 0 ? 0 : weight * slopeOf(x[i], targets[i]) * normalizer[1];
  }
}

export const lossTwins = [
  twin(lossSum, ({ losses, normalizer, loss }, { length }) => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += losses[i];
    loss[0] = normalizer[1] * sum;
  }),
  twin(crossEntropy, ({ logits, targets, weights, normalizer, losses, dLogits }, { rows, columns, ignoreIndex }) => {
    for (let row = 0; row < rows; row++) {
      const at = row * columns;
      const { greatest, sum } = rowOf(logits, at, columns);
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
  }),
  twin(binaryCrossEntropy, (arrays, { length }) =>
    byElement(
      arrays,
      length,
      (x, target) => Math.max(x, 0) - x * target + Math.log1p(safeExp(-Math.abs(x))),
      (x, target) => sigmoid(x) - target,
    ),
  ),
  twin(squaredError, (arrays, { length, factor }) =>
    byElement(
      arrays,
      length,
      (x, target) => factor * (x - target) * (x - target),
      (x, target) => 2 * factor * (x - target),
    ),
  ),
];
