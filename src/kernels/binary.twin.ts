/** The twins of binary.ts. */
import { binary, binaryGradient, binaryNames, type BinaryName } from "./binary.ts";
import { twin } from "./twin.ts";

const one = (condition: boolean): number => (condition ? 1 : 0);

/** f(a, b). A switch, because a call for each element would take longer than all else. */
function valueOf(kind: number, a: number, b: number): number {
  switch (kind) {
    case 0:
      return a + b;
    case 1:
      return a * b;
    case 2:
      return a - b;
    case 3:
      return a / b;
    case 4:
      return a ** b;
    case 5:
      return Math.max(a, b);
    case 6:
      return Math.min(a, b);
    case 7:
      return one(a === b);
    case 8:
      return one(a < b);
    case 9:
      return one(a <= b);
    case 10:
      return one(a !== 0 && b !== 0);
    case 11:
      return one(a !== 0 || b !== 0);
    case 12:
      return a !== 0 ? b : 0;
    default:
      return a !== 0 ? 0 : b;
  }
}

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

export const binaryTwins = [
  twin(binary, ({ a, b, y }, { size0, size1, size2, size3, a0, a1, a2, a3, b0, b1, b2, b3, kind, accumulate }) => {
    let at = 0;
    for (let i = 0; i < size0; i++) {
      for (let j = 0; j < size1; j++) {
        for (let k = 0; k < size2; k++) {
          let atA = i * a0 + j * a1 + k * a2;
          let atB = i * b0 + j * b1 + k * b2;
          for (let l = 0; l < size3; l++, atA += a3, atB += b3, at++) {
            const value = valueOf(kind, a[atA], b[atB]);
            y[at] = accumulate ? y[at] + value : value;
          }
        }
      }
    }
  }),
  twin(binaryGradient, ({ a, b, y, dy, dx }, { size0, size1, size2, size3, a0, a1, a2, a3, b0, b1, b2, b3, kind, second, accumulate }) => {
    const gradient = gradients[binaryNames[kind]]![second];
    let at = 0;
    for (let i = 0; i < size0; i++) {
      for (let j = 0; j < size1; j++) {
        for (let k = 0; k < size2; k++) {
          let atA = i * a0 + j * a1 + k * a2;
          let atB = i * b0 + j * b1 + k * b2;
          for (let l = 0; l < size3; l++, atA += a3, atB += b3, at++) {
            const value = gradient(dy[at], a[atA], b[atB], y[at]);
            dx[at] = accumulate ? dx[at] + value : value;
          }
        }
      }
    }
  }),
];
