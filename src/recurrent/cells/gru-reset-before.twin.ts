/** The arithmetic of gru-reset-before.ts. */
import type { TwoPhaseArithmetic } from "./arithmetic.ts";
import type { FunctionTwins } from "./gate-functions.twin.ts";

export function gruResetBeforeArithmetic(
  { updateSign: sign }: Readonly<Record<string, number>>,
  { gate, candidate }: FunctionTwins,
): TwoPhaseArithmetic {
  return {
    firstForward(x, recurrent, hPrevious) {
      const r = gate.of(x[0] + recurrent[0]);
      return { gates: [r, gate.of(sign * (x[1] + recurrent[1])), x[2]], operand: r * hPrevious };
    },
    secondForward([r, z, xn], recurrent, hPrevious) {
      const n = candidate.of(xn + recurrent[2]);
      return { gates: [r, z, n], h: (1 - z) * n + z * hPrevious };
    },
    firstBackward([r, z, n], hPrevious, dh) {
      const dz = gate.gradient(sign * dh * (hPrevious - n), z);
      const dn = candidate.gradient(dh * (1 - z), n);
      return { gates: [r, dz, dn], dhPrevious: dh * z, kept: 0 };
    },
    secondBackward([r, dz, dn], hPrevious, dOperand) {
      const dr = gate.gradient(dOperand * hPrevious, r);
      return { gates: [dr, dz, dn], dhPrevious: dOperand * r };
    },
  };
}
