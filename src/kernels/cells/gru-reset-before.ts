import { safeTanh, sigmoid } from "../activations.ts";
import { updateSign, type UpdateGate } from "./gru.ts";
import type { TwoPhaseCell } from "./two-phase-cell.ts";

/**
 * Gated recurrent unit with the reset gate applied before the recurrent product (Cho et al. 2014; Keras with
 * reset_after=False): r, z = σ(x + U·h_{t-1} + b_hh);  n = tanh(x_n + U_n·(r⊙h_{t-1}) + b_hn);
 * h_t = (1 - z)⊙n + z⊙h_{t-1}.  The operand is r⊙h_{t-1}. The update gate as in gru.ts.
 */
export function gruResetBeforeCell(updateGate: UpdateGate): TwoPhaseCell {
  const sign = updateSign(updateGate);
  return {
    name: `gru-reset-before${sign < 0 ? "-writes" : ""}`,
    shader: "gru-reset-before",
    constants: { updateSign: sign },
    gateNames: ["r", "z", "n"],
    hasMemory: false,
    gatePhases: [0, 0, 1],
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

/** Keras' and ONNX'. */
export const gruResetBefore = gruResetBeforeCell("keeps");
