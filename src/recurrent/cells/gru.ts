import type { Cell } from "./cell.ts";
import { functionsName, usualFunctions } from "./gate-functions.ts";

/** At 1, the update gate "keeps" the old state or "writes" the candidate. */
export type UpdateGate = "keeps" | "writes";

/**
 * z always keeps the state. For a gate that writes, its argument is negated, since 1 - σ(a) = σ(-a). Other functions
 * with this symmetry allow it too.
 */
export const updateSign = (updateGate: UpdateGate): 1 | -1 => (updateGate === "keeps" ? 1 : -1);

/**
 * Gated recurrent unit with the reset gate applied after the recurrent product, as in PyTorch and cuDNN:
 * r, z = σ(x + r);  n = tanh(x_n + r⊙(U_n·h_{t-1} + b_hn));  h_t = (1 - z)⊙n + z⊙h_{t-1}.
 * c keeps U_n·h_{t-1} + b_hn, which the gradient of r needs. Without a reset, r = 1 and its gradient is 0. If the update
 * gate writes, z = σ(-(x + r)).
 */
export function gruCell({ reset, updateGate }: { reset: boolean; updateGate: UpdateGate }, functions = usualFunctions): Cell {
  const sign = updateSign(updateGate);
  return {
    name: ["gru", ...(reset ? [] : ["no-reset"]), ...(sign < 0 ? ["writes"] : []), ...functionsName(functions)].join("-"),
    shader: "gru",
    constants: { hasReset: reset ? 1 : 0, updateSign: sign },
    functions,
    gateNames: ["r", "z", "n"],
    parameterGates: reset ? undefined : ["z", "n"],
    states: [],
    usesC: true,
    splitsRecurrentGradient: true,
    // Ba et al. (2016) normalise the gates together and the candidate by itself.
    normalizedTogether: reset ? [["r", "z"], ["n"]] : [["z"], ["n"]],
    hasStateOf: true,
  };
}

/** The cell of PyTorch's GRU. */
export const gru = gruCell({ reset: true, updateGate: "keeps" });
