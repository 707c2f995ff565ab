import type { Cell } from "./cell.ts";
import { functionsName, usualFunctions } from "./gate-functions.ts";

export interface LstmVariant {
  /** "gate" as below; "coupled" f = 1 - i; "none" f = 1, the constant error carousel of 1997. */
  readonly forgetGate: "gate" | "coupled" | "none";
  /** Whether i and f see c_{t-1}, and o sees c_t (Gers & Schmidhuber 2000). */
  readonly peepholes: boolean;
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000), as in PyTorch:
 * i, f, o = σ(x + r);  g = tanh(x + r);  c_t = f⊙c_{t-1} + i⊙g;  h_t = o⊙tanh(c_t).
 * With peepholes, p⊙c_{t-1} is added in the σ of i and f, and p⊙c_t in that of o. If f is not a gate of its own, its
 * gradient is 0; a coupled f passes it on to i. Clipping leaves c as it is, as in onnxruntime.
 */
export function lstmCell({ forgetGate, peepholes }: LstmVariant, functions = usualFunctions): Cell {
  const coupled = forgetGate === "coupled";
  return {
    name: ["lstm", ...(forgetGate === "gate" ? [] : [forgetGate]), ...functionsName(functions), ...(peepholes ? ["peepholes"] : [])].join(
      "-",
    ),
    shader: "lstm",
    constants: { forgets: forgetGate === "gate" ? 1 : 0, coupled: coupled ? 1 : 0, hasPeepholes: peepholes ? 1 : 0 },
    functions,
    gateNames: ["i", "f", "g", "o"],
    parameterGates: forgetGate === "gate" ? undefined : ["i", "g", "o"],
    states: ["c"],
    usesC: true,
    splitsRecurrentGradient: false,
    perUnit: peepholes ? { parameter: "weight_ch", sees: { i: "before", f: "before", o: "after" } } : undefined,
    hasStateOf: true,
    hasReadOut: true,
  };
}

/** The cell of PyTorch's LSTM. */
export const lstm = lstmCell({ forgetGate: "gate", peepholes: false });
