import type { Cell } from "./cell.ts";
import type { Candidate } from "./min-gru.ts";

/**
 * Minimal long short-term memory (Feng et al. 2024), without a recurrent matrix, its gates scaled to a sum of 1:
 * f, i = σ(x);  g = φ(x_g), the candidate;  h_t = f/(f + i)⊙h_{t-1} + i/(f + i)⊙g.
 */
export const minLstmCell = (candidate: Candidate): Cell => ({
  name: candidate === "positive" ? "min-lstm" : "min-lstm-linear",
  shader: "min-lstm",
  constants: { positiveCandidate: candidate === "positive" ? 1 : 0 },
  gateNames: ["f", "i", "g"],
  states: [],
  usesC: false,
  splitsRecurrentGradient: false,
  hasStateOf: true,
  recurrence: "none",
  isLinear: true,
});

/** The paper's variant. */
export const minLstm = minLstmCell("positive");
