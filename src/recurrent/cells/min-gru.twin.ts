/** The arithmetic of min-gru.ts. */
import { positive, positiveSlope, sigmoid } from "../../kernels/activations.twin.ts";
import type { CellArithmetic } from "./arithmetic.ts";

const stateOf = (z: number, n: number, hPrevious: number): number => (1 - z) * hPrevious + z * n;

export function minGruArithmetic({ positiveCandidate }: Readonly<Record<string, number>>): CellArithmetic {
  return {
    forward(x, r, hPrevious) {
      const z = sigmoid(x[0] + r[0]);
      const n = positiveCandidate ? positive(x[1] + r[1]) : x[1] + r[1];
      return { gates: [z, n], h: stateOf(z, n, hPrevious), c: 0 };
    },
    stateOf: ([z, n], hPrevious) => ({ h: stateOf(z, n, hPrevious), c: 0 }),
    backward([z, n], hPrevious, _h, _cPrevious, _c, dh) {
      const dn = dh * z * (positiveCandidate ? positiveSlope(n) : 1);
      const dz = dh * (n - hPrevious) * z * (1 - z);
      return { dGates: [dz, dn], dRecurrent: [dz, dn], dhPrevious: dh * (1 - z), dcPrevious: 0 };
    },
  };
}
