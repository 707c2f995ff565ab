/** What the functions of unary-names.ts are. */
import { activationFunctionNames, activationFunctions } from "./activation-functions.ts";
import { mathFunctionNames } from "./unary-names.ts";

type Scalar = (x: number, alpha: number, beta: number) => number;

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

/** Φ(x), the share of a normal distribution below x. */
export const below = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));
export const [slope, cubic] = [Math.sqrt(2 / Math.PI), 0.044715];
export const sigmoid: (x: number) => number = activationFunctions.Sigmoid;

/** Rounds to the nearest integer, halves to the even one. */
function round(x: number): number {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

const mathFunctions: Readonly<Record<(typeof mathFunctionNames)[number], Scalar>> = {
  Sqrt: Math.sqrt,
  Root: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Abs: Math.abs,
  Reciprocal: (x) => 1 / x,
  Erf: erf,
  /** x Φ(x) (Hendrycks and Gimpel 2016). */
  Gelu: (x) => x * below(x),
  /** The same with Φ(x) ≈ ½ (1 + tanh(√(2/π) (x + 0.044715 x³))). */
  GeluTanh: (x) => 0.5 * x * (1 + Math.tanh(slope * (x + cubic * x ** 3))),
  /** x σ(x). */
  Silu: (x) => x * sigmoid(x),
  /** x times x/6 + ½, that cut off at 0 and 1. */
  HardSwish: (x) => x * Math.min(Math.max(x / 6 + 0.5, 0), 1),
  /** β times x, or α(e^x - 1) below 0. */
  Selu: (x, alpha, beta) => beta * (x > 0 ? x : alpha * Math.expm1(x)),
  /** At least α and at most β. */
  Clip: (x, alpha, beta) => Math.min(Math.max(x, alpha), beta),
  Sign: Math.sign,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: round,
  /** 1 for 0, else 0. */
  Not: (x) => (x === 0 ? 1 : 0),
};

/** In the order of `unaryNames`. */
export const unaryFunctions: readonly Scalar[] = [
  ...activationFunctionNames.map((name): Scalar => activationFunctions[name]),
  ...mathFunctionNames.map((name) => mathFunctions[name]),
];
