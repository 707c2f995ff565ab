/** The arithmetic of gru.ts. */
import { safeTanh, sigmoid } from "../../kernels/activations.twin.ts";
import type { CellArithmetic } from "./arithmetic.ts";

const stateOf = (z: number, n: number, hPrevious: number): number => (1 - z) * n + z * hPrevious;

export function gruArithmetic({ hasReset, updateSign: sign }: Readonly<Record<string, number>>): CellArithmetic {
  return {
    forward(x, recurrent, hPrevious) {
      const r = hasReset ? sigmoid(x[0] + recurrent[0]) : 1;
      const z = sigmoid(sign * (x[1] + recurrent[1]));
      const n = safeTanh(x[2] + r * recurrent[2]);
      return { gates: [r, z, n], h: stateOf(z, n, hPrevious), c: recurrent[2] };
    },
    stateOf: ([, z, n], hPrevious) => ({ h: stateOf(z, n, hPrevious), c: 0 }),
    backward([r, z, n], hPrevious, _h, _cPrevious, c, dh) {
      const dn = dh * (1 - z) * (1 - n * n);
      const dr = dn * c * r * (1 - r);
      const dz = sign * dh * (hPrevious - n) * z * (1 - z);
      return { dGates: [dr, dz, dn], dRecurrent: [dr, dz, dn * r], dhPrevious: dh * z, dcPrevious: 0 };
    },
  };
}
