/** The arithmetic of min-lstm.ts. */
import { positive, positiveSlope, sigmoid } from "../../kernels/activations.twin.ts";
import type { CellArithmetic } from "./arithmetic.ts";

const stateOf = (f: number, i: number, g: number, hPrevious: number): number => (f / (f + i)) * hPrevious + (i / (f + i)) * g;

export function minLstmArithmetic({ positiveCandidate }: Readonly<Record<string, number>>): CellArithmetic {
  return {
    forward(x, r, hPrevious) {
      const [f, i] = [sigmoid(x[0] + r[0]), sigmoid(x[1] + r[1])];
      const g = positiveCandidate ? positive(x[2] + r[2]) : x[2] + r[2];
      return { gates: [f, i, g], h: stateOf(f, i, g, hPrevious), c: 0 };
    },
    stateOf: ([f, i, g], hPrevious) => ({ h: stateOf(f, i, g, hPrevious), c: 0 }),
    backward([f, i, g], hPrevious, _h, _cPrevious, _c, dh) {
      const [kept, written] = [f / (f + i), i / (f + i)];
      const dg = dh * written * (positiveCandidate ? positiveSlope(g) : 1);
      // kept = σ(log f - log i), and d log σ(x) / dx = 1 - σ(x).
      const dShares = dh * (hPrevious - g) * kept * written;
      const d = [dShares * (1 - f), -dShares * (1 - i), dg];
      return { dGates: d, dRecurrent: d, dhPrevious: dh * kept, dcPrevious: 0 };
    },
  };
}
