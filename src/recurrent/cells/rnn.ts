import type { Cell } from "./cell.ts";

/** Elman network (Elman 1990): h_t = g(W·x_t + b_ih + U·h_{t-1} + b_hh) with g = tanh, or max(0, ·). */
export function rnnCell(nonlinearity: "tanh" | "relu"): Cell {
  return {
    name: `rnn-${nonlinearity}`,
    shader: "rnn",
    constants: { relu: nonlinearity === "relu" ? 1 : 0 },
    gateNames: ["h"],
    states: [],
    usesC: false,
    splitsRecurrentGradient: false,
    hasStateOf: true,
  };
}

export const rnnTanh = rnnCell("tanh");
export const rnnRelu = rnnCell("relu");
