/** The twins of optimizers.ts. */
import type { NumericArray } from "../tensor/tensor.ts";
import { alignment } from "./kernel.ts";
import { sgd, rmsprop, adam } from "./optimizers.ts";
import { twin } from "./twin.ts";

/** g times the norm's scale, clipped to ±clipValue (0: not clipped), plus weightDecay · θ. */
function effectiveGradient(gradient: number, parameter: number, scale: number, clipValue: number, weightDecay: number): number {
  const g = gradient * scale;
  return weightDecay * parameter + (clipValue > 0 ? Math.min(Math.max(g, -clipValue), clipValue) : g);
}

/** Saves parameters and slots, or restores them. @returns true if the step may be taken */
function healthy(values: readonly NumericArray[], lastGood: NumericArray, norm: NumericArray, length: number): boolean {
  const restores = norm[2] === 0;
  if (restores && norm[3] === 0) return false;
  for (let i = 0; i < length; i++) {
    const block = Math.floor(i / alignment);
    values.forEach((array, n) => {
      const at = block * alignment * (values.length - 1) + n * alignment + i;
      if (restores) array[i] = lastGood[at];
      else lastGood[at] = array[i];
    });
  }
  return !restores;
}

export const optimizerTwins = [
  twin(
    sgd,
    ({ parameters, gradients, lastGood, velocity, norm, control }, { length, momentum, dampening, nesterov, weightDecay, clipValue }) => {
      if (!healthy(momentum === 0 ? [parameters] : [parameters, velocity], lastGood, norm, length)) return;
      for (let i = 0; i < length; i++) {
        const parameter = parameters[i];
        let g = effectiveGradient(gradients[i], parameter, norm[1], clipValue, weightDecay);
        if (momentum !== 0) {
          const v = control[3] === 0 ? momentum * velocity[i] + (1 - dampening) * g : g;
          velocity[i] = v;
          g = nesterov ? g + momentum * v : v;
        }
        parameters[i] = parameter - control[0] * g;
      }
    },
  ),
  twin(
    rmsprop,
    (
      { parameters, gradients, lastGood, squareAverage, gradientAverage, velocity, norm, control },
      { length, alpha, eps, momentum, centered, weightDecay, clipValue },
    ) => {
      const used = [parameters, squareAverage, ...(centered ? [gradientAverage] : []), ...(momentum === 0 ? [] : [velocity])];
      if (!healthy(used, lastGood, norm, length)) return;
      for (let i = 0; i < length; i++) {
        const parameter = parameters[i];
        const g = effectiveGradient(gradients[i], parameter, norm[1], clipValue, weightDecay);
        const square = alpha * squareAverage[i] + (1 - alpha) * g * g;
        squareAverage[i] = square;
        let variance = square;
        if (centered) {
          const average = alpha * gradientAverage[i] + (1 - alpha) * g;
          gradientAverage[i] = average;
          variance = Math.max(square - average * average, 0);
        }
        let update = g / (Math.sqrt(variance) + eps);
        if (momentum !== 0) {
          update += momentum * velocity[i];
          velocity[i] = update;
        }
        parameters[i] = parameter - control[0] * update;
      }
    },
  ),
  twin(
    adam,
    (
      { parameters, gradients, lastGood, firstMoment, secondMoment, norm, control },
      { length, beta1, beta2, eps, weightDecay, decoupled, clipValue },
    ) => {
      if (!healthy([parameters, firstMoment, secondMoment], lastGood, norm, length)) return;
      const [learningRate, momentFactor, biasCorrection2, gradientFactor] = control;
      for (let i = 0; i < length; i++) {
        let parameter = parameters[i];
        let penalty = weightDecay;
        if (decoupled) {
          parameter -= learningRate * weightDecay * parameter;
          penalty = 0;
        }
        const g = effectiveGradient(gradients[i], parameter, norm[1], clipValue, penalty);
        const m = beta1 * firstMoment[i] + (1 - beta1) * g;
        const v = beta2 * secondMoment[i] + (1 - beta2) * g * g;
        firstMoment[i] = m;
        secondMoment[i] = v;
        parameters[i] = parameter - (learningRate * (momentFactor * m + gradientFactor * g)) / (Math.sqrt(v / biasCorrection2) + eps);
      }
    },
  ),
];
