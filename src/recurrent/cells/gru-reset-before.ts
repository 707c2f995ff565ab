import type { Cell } from "./cell.ts";
import { functionsName, usualFunctions } from "./gate-functions.ts";
import { updateSign, type UpdateGate } from "./gru.ts";

/**
 * Gated recurrent unit with the reset gate applied before the recurrent product (Cho et al. 2014; Keras with
 * reset_after=False): r, z = σ(x + U·h_{t-1} + b_hh);  n = tanh(x_n + U_n·(r⊙h_{t-1}) + b_hn);
 * h_t = (1 - z)⊙n + z⊙h_{t-1}.  The operand is r⊙h_{t-1}. The update gate is that of gru.ts.
 */
export function gruResetBeforeCell(updateGate: UpdateGate, functions = usualFunctions): Cell {
  const sign = updateSign(updateGate);
  return {
    name: ["gru-reset-before", ...(sign < 0 ? ["writes"] : []), ...functionsName(functions)].join("-"),
    shader: "gru-reset-before",
    constants: { updateSign: sign },
    functions,
    gateNames: ["r", "z", "n"],
    states: [],
    usesC: true,
    splitsRecurrentGradient: false,
    gatePhases: [0, 0, 1],
  };
}

/** The cell of ONNX, and of Keras with reset_after=False. */
export const gruResetBefore = gruResetBeforeCell("keeps");
