import type { Cell } from "./cell.ts";

/**
 * The function φ of the candidate. "positive", as in the paper: φ(a) = a + 0.5 for a ≥ 0, else σ(a); states that begin
 * above 0 then stay above 0. "linear": φ(a) = a.
 */
export type Candidate = "positive" | "linear";

/**
 * Minimal gated recurrent unit (Feng et al. 2024), without a recurrent matrix:
 * z = σ(x_z);  n = φ(x_n);  h_t = (1 - z)⊙h_{t-1} + z⊙n.
 */
export const minGruCell = (candidate: Candidate): Cell => ({
  name: candidate === "positive" ? "min-gru" : "min-gru-linear",
  shader: "min-gru",
  constants: { positiveCandidate: candidate === "positive" ? 1 : 0 },
  gateNames: ["z", "n"],
  states: [],
  usesC: false,
  splitsRecurrentGradient: false,
  hasStateOf: true,
  recurrence: "none",
  isLinear: true,
});

/** The paper's variant. */
export const minGru = minGruCell("positive");
