import { safeTanh, sigmoid } from "../activations.ts";
import type { Cell } from "./cell.ts";

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), as in PyTorch:
 * i, f, o = σ(x + r);  g = tanh(x + r);  c_t = f⊙c_{t-1} + i⊙g;  h_t = o⊙tanh(c_t).
 */
export const lstm: Cell = {
  name: "lstm",
  shader: "lstm",
  gateNames: ["i", "f", "g", "o"],
  hasMemory: true,
  usesC: true,
  splitsRecurrentGradient: false,
  forward(x, r, _hPrevious, cPrevious) {
    const i = sigmoid(x[0] + r[0]);
    const f = sigmoid(x[1] + r[1]);
    const g = safeTanh(x[2] + r[2]);
    const o = sigmoid(x[3] + r[3]);
    const c = f * cPrevious + i * g;
    return { gates: [i, f, g, o], h: o * safeTanh(c), c };
  },
  backward([i, f, g, o], _hPrevious, _h, cPrevious, c, dh, dc) {
    const tanhC = safeTanh(c);
    const dcTotal = dc + dh * o * (1 - tanhC * tanhC);
    const dGates = [
      dcTotal * g * i * (1 - i),
      dcTotal * cPrevious * f * (1 - f),
      dcTotal * i * (1 - g * g),
      dh * tanhC * o * (1 - o),
    ];
    return { dGates, dRecurrent: dGates, dhPrevious: 0, dcPrevious: dcTotal * f };
  },
};
