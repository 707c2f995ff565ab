import type { ActivationFunction } from "./activation-functions.ts";

type Gradient = (d: number, y: number, alpha: number, beta: number) => number;

/** ∂L/∂x of the functions of activation-functions.ts from d = ∂L/∂y and y, so that x need not be kept. */
export const activationGradients: Readonly<Record<ActivationFunction, Gradient>> = {
  Sigmoid: (d, y) => d * y * (1 - y),
  Tanh: (d, y) => d * (1 - y * y),
  Relu: (d, y) => (y > 0 ? d : 0),
  HardSigmoid: (d, y, alpha) => (y > 0 && y < 1 ? d * alpha : 0),
  Softsign: (d, y) => d * (1 - Math.abs(y)) ** 2,
  Softplus: (d, y) => -d * Math.expm1(-y),
  LeakyRelu: (d, y, alpha) => (y > 0 ? d : d * alpha),
  Elu: (d, y, alpha) => (y > 0 ? d : d * (y + alpha)),
  Affine: (d, _y, alpha) => d * alpha,
  ScaledTanh: (d, y, alpha, beta) => d * beta * (alpha - (y * y) / alpha),
  ThresholdedRelu: (d, y) => (y > 0 ? d : 0),
};
