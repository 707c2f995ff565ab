/** The layer `SLSTM`. */
import { checkChoice, checkNumber, RnnError } from "../../errors.ts";
import { slstmCell } from "../cells/slstm.ts";
import { commonOptions, takeLayerOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { RecurrentLayer } from "./recurrent-layer.ts";

/**
 * Scalar LSTM with exponential gates (xLSTM's sLSTM, Beck et al. 2024); gates i f z o:
 * i = exp(a_i);  f = σ(a_f), or exp(a_f) with forgetGate "exponential";  z = tanh(a_z);  o = σ(a_o), each a of
 * W·x_t + b_ih + U·h_{t-1} + b_hh;  c_t = f⊙c_{t-1} + i⊙z;  n_t = f⊙n_{t-1} + i;  h_t = o⊙c_t/n_t.
 * m_t = max(ln f + m_{t-1}, ln i) keeps them in range: the states are c·exp(-m), n·exp(-m) and m.
 * `heads` (default 1) divides the units into groups. U has only the blocks within a head: `weight_hh_l{k}` is [4·H, H/heads].
 * `forgetBias` sets the bias of f.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], states `h`, `c`, `n` and `m`, each
 * [numLayers·D, batch, hiddenSize]. An initial n must not be below 0.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class SLSTM extends RecurrentLayer {
  constructor(
    inputSize: number,
    hiddenSize: number,
    given: RecurrentLayerOptions & { forgetGate?: "sigmoid" | "exponential"; forgetBias?: number; heads?: number } = {},
  ) {
    const options = takeLayerOptions("SLSTM", given, [...commonOptions, "forgetGate", "forgetBias", "heads"]);
    const forgetGate = checkChoice("SLSTM", "forgetGate", options.forgetGate ?? "sigmoid", ["sigmoid", "exponential"]);
    const { forgetBias, heads } = options;
    if (forgetBias !== undefined) checkNumber("SLSTM", "forgetBias", forgetBias);
    if (forgetBias !== undefined && options.bias === false)
      throw new RnnError("option", "SLSTM", "forgetBias needs a bias, which bias: false leaves out");
    const gateBias = forgetBias === undefined ? undefined : { gate: "f", value: forgetBias };
    super("SLSTM", inputSize, hiddenSize, [slstmCell(forgetGate)], options, { gateBias, heads, given: { ...options, forgetGate } });
  }
}
