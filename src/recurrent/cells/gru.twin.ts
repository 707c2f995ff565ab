/** The arithmetic of gru.ts. */
import type { CellArithmetic } from "./arithmetic.ts";
import type { FunctionTwins } from "./gate-functions.twin.ts";

const stateOf = (z: number, n: number, hPrevious: number): number => (1 - z) * n + z * hPrevious;

export function gruArithmetic(
  { hasReset, updateSign: sign }: Readonly<Record<string, number>>,
  { gate, candidate }: FunctionTwins,
): CellArithmetic {
  return {
    forward(x, recurrent, hPrevious) {
      const r = hasReset ? gate.of(x[0] + recurrent[0]) : 1;
      const z = gate.of(sign * (x[1] + recurrent[1]));
      const n = candidate.of(x[2] + r * recurrent[2]);
      return { gates: [r, z, n], h: stateOf(z, n, hPrevious), c: recurrent[2] };
    },
    stateOf: ([, z, n], hPrevious) => ({ h: stateOf(z, n, hPrevious), c: 0 }),
    backward([r, z, n], hPrevious, _h, _cPrevious, c, dh) {
      const dn = candidate.gradient(dh * (1 - z), n);
      const dr = hasReset ? gate.gradient(dn * c, r) : 0;
      const dz = gate.gradient(sign * dh * (hPrevious - n), z);
      return { dGates: [dr, dz, dn], dRecurrent: [dr, dz, dn * r], dhPrevious: dh * z, dcPrevious: 0 };
    },
  };
}
