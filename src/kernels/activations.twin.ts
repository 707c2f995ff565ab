/** Activation functions as scalars, for all twins, and the twins of activations.ts. */
import { activationFunctions } from "./activation-functions.ts";
import { activationForward, activationBackward } from "./activations.ts";
import { twin } from "./twin.ts";

export const { Sigmoid: sigmoid, Tanh: safeTanh } = activationFunctions;

/** e^x with the shader's clamp; e^±80 is still a normal float32. */
export function safeExp(x: number): number {
  return Math.exp(Math.min(Math.max(x, -80), 80));
}

/** A candidate above 0 (Feng et al. 2024), with its derivative by its value: x + 0.5, or σ(x) where x is below 0. */
export const positive = (x: number): number => (x >= 0 ? x + 0.5 : sigmoid(x));
export const positiveSlope = (y: number): number => (y >= 0.5 ? 1 : y * (1 - y));

export const activationTwins = [
  twin(activationForward, ({ x, y }, { length, kind }) => {
    for (let i = 0; i < length; i++) {
      switch (kind) {
        case 0:
          y[i] = sigmoid(x[i]);
          break;
        case 1:
          y[i] = safeTanh(x[i]);
          break;
        default:
          y[i] = Math.max(x[i], 0);
      }
    }
  }),
  twin(activationBackward, ({ y, dy, dx }, { length, kind, accumulate }) => {
    for (let i = 0; i < length; i++) {
      let value = dy[i];
      switch (kind) {
        case 0:
          value *= y[i] * (1 - y[i]);
          break;
        case 1:
          value *= 1 - y[i] * y[i];
          break;
        default:
          value = y[i] > 0 ? value : 0;
      }
      dx[i] = accumulate ? dx[i] + value : value;
    }
  }),
];
