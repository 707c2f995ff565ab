import { safeTanh, sigmoid } from "../activations.ts";
import type { Cell } from "./cell.ts";

/**
 * Gated recurrent unit with the reset gate applied after the recurrent product, as in PyTorch and cuDNN:
 * r, z = σ(x + r);  n = tanh(x_n + r⊙(U_n·h_{t-1} + b_hn));  h_t = (1 - z)⊙n + z⊙h_{t-1}.
 * c keeps U_n·h_{t-1} + b_hn, which the gradient of r needs.
 */
export const gru: Cell = {
  name: "gru",
  shader: "gru",
  gateNames: ["r", "z", "n"],
  hasMemory: false,
  usesC: true,
  splitsRecurrentGradient: true,
  forward(x, recurrent, hPrevious) {
    const r = sigmoid(x[0] + recurrent[0]);
    const z = sigmoid(x[1] + recurrent[1]);
    const n = safeTanh(x[2] + r * recurrent[2]);
    return { gates: [r, z, n], h: (1 - z) * n + z * hPrevious, c: recurrent[2] };
  },
  backward([r, z, n], hPrevious, _h, _cPrevious, c, dh) {
    const dn = dh * (1 - z) * (1 - n * n);
    const dr = dn * c * r * (1 - r);
    const dz = dh * (hPrevious - n) * z * (1 - z);
    return { dGates: [dr, dz, dn], dRecurrent: [dr, dz, dn * r], dhPrevious: dh * z, dcPrevious: 0 };
  },
};
