/** Activation functions as scalars, by ONNX's names and with its parameters; the order gives the shaders' numbers for them. */
type Scalar = (x: number, alpha: number, beta: number) => number;

/** In comments α and β. At a kink the derivative is that of the side below it. */
export const activationFunctions = {
  /** 1 / (1 + e^-x). The shader clamps x to ±85, because e^x overflows float32 soon after; float64 needs no clamp. */
  Sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  /** The shader clamps x to ±15, where float32 has reached 1; in float64 that would be 2e-13 off. */
  Tanh: (x: number) => Math.tanh(x),
  /** max(0, x). */
  Relu: (x: number) => Math.max(0, x),
  /** αx + β, but at least 0 and at most 1. */
  HardSigmoid: (x: number, alpha: number, beta: number) => Math.min(Math.max(alpha * x + beta, 0), 1),
  /** x / (1 + |x|). */
  Softsign: (x: number) => x / (1 + Math.abs(x)),
  /** ln(1 + e^x). */
  Softplus: (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  /** x, or αx below 0. */
  LeakyRelu: (x: number, alpha: number) => (x > 0 ? x : alpha * x),
  /** x, or α(e^x - 1) below 0. */
  Elu: (x: number, alpha: number) => (x > 0 ? x : alpha * Math.expm1(x)),
  /** αx + β. */
  Affine: (x: number, alpha: number, beta: number) => alpha * x + beta,
  /** α tanh(βx). */
  ScaledTanh: (x: number, alpha: number, beta: number) => alpha * Math.tanh(beta * x),
  /** x above α, else 0. */
  ThresholdedRelu: (x: number, alpha: number) => (x > alpha ? x : 0),
} satisfies Readonly<Record<string, Scalar>>;

export type ActivationFunction = keyof typeof activationFunctions;
export const activationFunctionNames = Object.keys(activationFunctions) as ActivationFunction[];
