/** The arithmetic of gru-reset-before.ts. */
import { safeTanh, sigmoid } from "../../kernels/activations.twin.ts";
import type { TwoPhaseArithmetic } from "./arithmetic.ts";

export function gruResetBeforeArithmetic({ updateSign: sign }: Readonly<Record<string, number>>): TwoPhaseArithmetic {
  return {
    firstForward(x, recurrent, hPrevious) {
      const r = sigmoid(x[0] + recurrent[0]);
      return { gates: [r, sigmoid(sign * (x[1] + recurrent[1])), x[2]], operand: r * hPrevious };
    },
    secondForward([r, z, xn], recurrent, hPrevious) {
      const n = safeTanh(xn + recurrent[2]);
      return { gates: [r, z, n], h: (1 - z) * n + z * hPrevious };
    },
    firstBackward([r, z, n], hPrevious, dh) {
      const dz = sign * dh * (hPrevious - n) * z * (1 - z);
      const dn = dh * (1 - z) * (1 - n * n);
      return { gates: [r, dz, dn], dhPrevious: dh * z, kept: 0 };
    },
    secondBackward([r, dz, dn], hPrevious, dOperand) {
      const dr = dOperand * hPrevious * r * (1 - r);
      return { gates: [dr, dz, dn], dhPrevious: dOperand * r };
    },
  };
}
