/** The twins of binary.ts. */
import { binary, binaryGradient, binaryNames, type BinaryName } from "./binary.ts";
import { twin } from "./twin.ts";

const one = (condition: boolean): number => (condition ? 1 : 0);

const values: Readonly<Record<BinaryName, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  multiply: (a, b) => a * b,
  subtract: (a, b) => a - b,
  divide: (a, b) => a / b,
  power: (a, b) => a ** b,
  maximum: (a, b) => Math.max(a, b),
  minimum: (a, b) => Math.min(a, b),
  equal: (a, b) => one(a === b),
  less: (a, b) => one(a < b),
  lessOrEqual: (a, b) => one(a <= b),
  and: (a, b) => one(a !== 0 && b !== 0),
  or: (a, b) => one(a !== 0 || b !== 0),
  keep: (a, b) => (a !== 0 ? b : 0),
  drop: (a, b) => (a !== 0 ? 0 : b),
};

type Gradient = (d: number, a: number, b: number, y: number) => number;

/** ∂L/∂a and ∂L/∂b from d = ∂L/∂y and y. Where both operands of maximum or minimum are equal, each gets half. */
const gradients: Readonly<Partial<Record<BinaryName, readonly [Gradient, Gradient]>>> = {
  divide: [(d, _a, b) => d / b, (d, _a, b, y) => -d * (y / b)],
  power: [
    (d, a, b, y) => (b === 0 ? 0 : a === 0 ? d * b * a ** (b - 1) : d * b * (y / a)),
    (d, a, b, y) => (a === 0 && b >= 0 ? 0 : d * y * Math.log(a)),
  ],
  maximum: [(d, a, b) => d * (a === b ? 0.5 : one(a > b)), (d, a, b) => d * (a === b ? 0.5 : one(a < b))],
  minimum: [(d, a, b) => d * (a === b ? 0.5 : one(a < b)), (d, a, b) => d * (a === b ? 0.5 : one(a > b))],
  keep: [() => 0, (d, a) => (a !== 0 ? d : 0)],
  drop: [() => 0, (d, a) => (a !== 0 ? 0 : d)],
};

type Space = Readonly<Record<`${"size" | "a" | "b"}${0 | 1 | 2 | 3}`, number>>;

/** Calls `visit` for each element: its place in y, in a and in b. */
function overSpace(
  { size0, size1, size2, size3, a0, a1, a2, a3, b0, b1, b2, b3 }: Space,
  visit: (at: number, atA: number, atB: number) => void,
): void {
  let at = 0;
  for (let i = 0; i < size0; i++) {
    for (let j = 0; j < size1; j++) {
      for (let k = 0; k < size2; k++) {
        let atA = i * a0 + j * a1 + k * a2;
        let atB = i * b0 + j * b1 + k * b2;
        for (let l = 0; l < size3; l++, atA += a3, atB += b3, at++) visit(at, atA, atB);
      }
    }
  }
}

export const binaryTwins = [
  twin(binary, ({ a, b, y }, { kind, accumulate, ...space }) => {
    const of = values[binaryNames[kind]];
    overSpace(space, (at, atA, atB) => {
      const value = of(a[atA], b[atB]);
      y[at] = accumulate ? y[at] + value : value;
    });
  }),
  twin(binaryGradient, ({ a, b, y, dy, dx }, { kind, second, accumulate, ...space }) => {
    const of = gradients[binaryNames[kind]]![second];
    overSpace(space, (at, atA, atB) => {
      const value = of(dy[at], a[atA], b[atB], y[at]);
      dx[at] = accumulate ? dx[at] + value : value;
    });
  }),
];
