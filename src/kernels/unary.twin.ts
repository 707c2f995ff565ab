/** The twins of unary.ts. */
import { activationFunctionNames } from "./activation-functions.ts";
import { activationGradients } from "./activation-gradients.ts";
import { twin } from "./twin.ts";
import { unaryBackward, unaryForward } from "./unary.ts";
import { below, cubic, sigmoid, slope, unaryFunctions } from "./unary-functions.ts";
import { mathFunctionNames } from "./unary-names.ts";

/** ∂L/∂x from d = ∂L/∂y, x and y = f(x). */
type Gradient = (d: number, x: number, y: number, alpha: number, beta: number) => number;

/** The density of a normal distribution. */
const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** At a kink the derivative is PyTorch's. */
const mathGradients: Readonly<Record<(typeof mathFunctionNames)[number], Gradient>> = {
  Sqrt: (d, _x, y) => d / (2 * y),
  /** That of a square root, with the slope 0 at 0, as a norm has it. */
  Root: (d, _x, y) => (y === 0 ? 0 : d / (2 * y)),
  Exp: (d, _x, y) => d * y,
  Log: (d, x) => d / x,
  Abs: (d, x) => d * Math.sign(x),
  Reciprocal: (d, _x, y) => -d * y * y,
  Erf: (d, x) => ((2 * d) / Math.sqrt(Math.PI)) * Math.exp(-x * x),
  Gelu: (d, x) => d * (below(x) + x * density(x)),
  GeluTanh: (d, x) => {
    const t = Math.tanh(slope * (x + cubic * x ** 3));
    return 0.5 * d * (1 + t + x * (1 - t * t) * slope * (1 + 3 * cubic * x * x));
  },
  Silu: (d, x) => d * sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  HardSwish: (d, x) => d * (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1),
  Selu: (d, x, y, alpha, beta) => d * (x > 0 ? beta : y + beta * alpha),
  Clip: (d, x, _y, alpha, beta) => (x >= alpha && x <= beta ? d : 0),
  Sign: () => 0,
  Floor: () => 0,
  Ceil: () => 0,
  Round: () => 0,
  Not: () => 0,
};

const gradients: readonly Gradient[] = [
  ...activationFunctionNames.map(
    (name): Gradient =>
      (d, _x, y, alpha, beta) =>
        activationGradients[name](d, y, alpha, beta),
  ),
  ...mathFunctionNames.map((name) => mathGradients[name]),
];

export const unaryTwins = [
  twin(unaryForward, ({ x, y }, { length, kind, alpha, beta }) => {
    const value = unaryFunctions[kind];
    for (let i = 0; i < length; i++) y[i] = value(x[i], alpha, beta);
  }),
  twin(unaryBackward, ({ x, y, dy, dx }, { length, kind, alpha, beta, accumulate }) => {
    const gradient = gradients[kind];
    for (let i = 0; i < length; i++) {
      const value = gradient(dy[i], x[i], y[i], alpha, beta);
      dx[i] = accumulate ? dx[i] + value : value;
    }
  }),
];
