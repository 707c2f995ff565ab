import type { Cell } from "./cell.ts";

/**
 * Scalar LSTM with exponential gates (Beck et al. 2024), a normaliser n and a stabiliser m:
 * z = tanh(a_z);  o = σ(a_o);  ln i = a_i;  ln f = a_f, or ln σ(a_f);
 * m_t = max(ln f + m_{t-1}, ln i);  i' = exp(ln i - m_t);  f' = exp(ln f + m_{t-1} - m_t);
 * c_t = f'⊙c_{t-1} + i'⊙z;  n_t = f'⊙n_{t-1} + i';  h_t = o⊙c_t/n_t,  with a = x + r.
 * h does not depend on m, which keeps c and n in range. If n_{t-1} is 0, nothing is kept yet, and m_t = ln i. The gates i
 * and f hold ln i and ln f.
 */
export const slstmCell = (forgetGate: "sigmoid" | "exponential"): Cell => ({
  name: forgetGate === "sigmoid" ? "slstm" : "slstm-exponential",
  shader: "slstm",
  constants: { squashesForget: forgetGate === "sigmoid" ? 1 : 0 },
  gateNames: ["i", "f", "z", "o"],
  states: ["c", "n", "m"],
  usesC: true,
  splitsRecurrentGradient: false,
});
