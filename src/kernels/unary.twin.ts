/** The twins of unary.ts. */
import { activationFunctionNames, activationFunctions, type ActivationFunction } from "./activation-functions.ts";
import { activationGradients } from "./activation-gradients.ts";
import { twin } from "./twin.ts";
import { mathFunctionNames, unaryBackward, unaryForward } from "./unary.ts";

interface UnaryFunction {
  readonly value: (x: number, alpha: number, beta: number) => number;
  /** ∂L/∂x from d = ∂L/∂y, x and y = f(x). */
  readonly gradient: (d: number, x: number, y: number, alpha: number, beta: number) => number;
}

/** erf(x) = 2/√π e^{-x²} Σ_n 2^n x^{2n+1} / (1·3·…·(2n+1)): all terms have one sign. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** Φ(x), the share of a normal distribution below x, and its density. */
const below = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));
const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
const [slope, cubic] = [Math.sqrt(2 / Math.PI), 0.044715];
const sigmoid: (x: number) => number = activationFunctions.Sigmoid;

/** Rounds to the nearest integer, halves to the even one. */
function round(x: number): number {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** At a kink the derivative is PyTorch's. */
const mathFunctions: Readonly<Record<(typeof mathFunctionNames)[number], UnaryFunction>> = {
  Sqrt: { value: Math.sqrt, gradient: (d, _x, y) => d / (2 * y) },
  /** The same, with the slope 0 at 0, as a norm has it. */
  Root: { value: Math.sqrt, gradient: (d, _x, y) => (y === 0 ? 0 : d / (2 * y)) },
  Exp: { value: Math.exp, gradient: (d, _x, y) => d * y },
  Log: { value: Math.log, gradient: (d, x) => d / x },
  Abs: { value: Math.abs, gradient: (d, x) => d * Math.sign(x) },
  Reciprocal: { value: (x) => 1 / x, gradient: (d, _x, y) => -d * y * y },
  Erf: { value: erf, gradient: (d, x) => ((2 * d) / Math.sqrt(Math.PI)) * Math.exp(-x * x) },
  /** x Φ(x) (Hendrycks and Gimpel 2016). */
  Gelu: { value: (x) => x * below(x), gradient: (d, x) => d * (below(x) + x * density(x)) },
  /** The same with Φ(x) ≈ ½ (1 + tanh(√(2/π) (x + 0.044715 x³))). */
  GeluTanh: {
    value: (x) => 0.5 * x * (1 + Math.tanh(slope * (x + cubic * x ** 3))),
    gradient: (d, x) => {
      const t = Math.tanh(slope * (x + cubic * x ** 3));
      return 0.5 * d * (1 + t + x * (1 - t * t) * slope * (1 + 3 * cubic * x * x));
    },
  },
  /** x σ(x). */
  Silu: { value: (x) => x * sigmoid(x), gradient: (d, x) => d * sigmoid(x) * (1 + x * (1 - sigmoid(x))) },
  /** x times x/6 + ½, that cut off at 0 and 1. */
  HardSwish: { value: (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1), gradient: (d, x) => d * (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1) },
  /** β times x, or α(e^x - 1) below 0. */
  Selu: {
    value: (x, alpha, beta) => beta * (x > 0 ? x : alpha * Math.expm1(x)),
    gradient: (d, x, y, alpha, beta) => d * (x > 0 ? beta : y + beta * alpha),
  },
  /** At least α and at most β. */
  Clip: {
    value: (x, alpha, beta) => Math.min(Math.max(x, alpha), beta),
    gradient: (d, x, _y, alpha, beta) => (x >= alpha && x <= beta ? d : 0),
  },
  Sign: { value: Math.sign, gradient: () => 0 },
  Floor: { value: Math.floor, gradient: () => 0 },
  Ceil: { value: Math.ceil, gradient: () => 0 },
  Round: { value: round, gradient: () => 0 },
  /** 1 for 0, else 0. */
  Not: { value: (x) => (x === 0 ? 1 : 0), gradient: () => 0 },
};

const activation = (name: ActivationFunction): UnaryFunction => ({
  value: activationFunctions[name],
  gradient: (d, _x, y, alpha, beta) => activationGradients[name](d, y, alpha, beta),
});
const functions: readonly UnaryFunction[] = [
  ...activationFunctionNames.map(activation),
  ...mathFunctionNames.map((name) => mathFunctions[name]),
];

export const unaryTwins = [
  twin(unaryForward, ({ x, y }, { length, kind, alpha, beta }) => {
    const { value } = functions[kind];
    for (let i = 0; i < length; i++) y[i] = value(x[i], alpha, beta);
  }),
  twin(unaryBackward, ({ x, y, dy, dx }, { length, kind, alpha, beta, accumulate }) => {
    const { gradient } = functions[kind];
    for (let i = 0; i < length; i++) {
      const value = gradient(dy[i], x[i], y[i], alpha, beta);
      dx[i] = accumulate ? dx[i] + value : value;
    }
  }),
];
