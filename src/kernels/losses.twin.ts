/** The twins of losses.ts. */
import { safeExp, sigmoid } from "./activations.twin.ts";
import { lossSum, crossEntropy, binaryCrossEntropy, squaredError } from "./losses.ts";
import { twin } from "./twin.ts";

export const lossTwins = [
  twin(lossSum, ({ losses, normalizer, loss }, { length }) => {
    let sum = 0;
    for (let i = 0; i < length; i++) sum += losses[i];
    loss[0] = normalizer[1] * sum;
  }),
  twin(crossEntropy, ({ logits, targets, weights, normalizer, losses, dLogits }, { rows, columns, ignoreIndex }) => {
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
  }),
  twin(binaryCrossEntropy, ({ x, targets, weights, normalizer, losses, dx }, { length }) => {
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
  }),
  twin(squaredError, ({ x, targets, weights, normalizer, losses, dx }, { length, factor }) => {
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
  }),
];
