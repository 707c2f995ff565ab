import { safeTanh } from "../activations.ts";
import type { Cell } from "./cell.ts";

/** Elman network (Elman 1990): h_t = g(W·x_t + b_ih + U·h_{t-1} + b_hh) with g = tanh. */
export const rnnTanh: Cell = {
  name: "rnn-tanh",
  shader: "rnn",
  gateNames: ["h"],
  hasMemory: false,
  usesC: false,
  splitsRecurrentGradient: false,
  forward(x, r) {
    const h = safeTanh(x[0] + r[0]);
    return { gates: [h], h, c: 0 };
  },
  stateOf: ([h]) => ({ h, c: 0 }),
  backward(_gates, _hPrevious, h, _cPrevious, _c, dh) {
    const d = [dh * (1 - h * h)];
    return { dGates: d, dRecurrent: d, dhPrevious: 0, dcPrevious: 0 };
  },
};

/** The same with g = max(0, ·). */
export const rnnRelu: Cell = {
  ...rnnTanh,
  name: "rnn-relu",
  constants: { relu: 1 },
  forward(x, r) {
    const h = Math.max(0, x[0] + r[0]);
    return { gates: [h], h, c: 0 };
  },
  backward(_gates, _hPrevious, h, _cPrevious, _c, dh) {
    const d = [h > 0 ? dh : 0];
    return { dGates: d, dRecurrent: d, dhPrevious: 0, dcPrevious: 0 };
  },
};
