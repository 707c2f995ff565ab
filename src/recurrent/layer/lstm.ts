/** The layer `LSTM`. */
import { checkBoolean, checkChoice, checkInteger, checkNumber, RnnError } from "../../errors.ts";
import { functionOf, identity } from "../cells/gate-functions.ts";
import { lstmCell, type LstmVariant } from "../cells/lstm.ts";
import { takeFunctions, type GateOptions } from "./activations.ts";
import { commonOptions, takeLayerOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { RecurrentLayer } from "./recurrent-layer.ts";

const lstmOptions = ["forgetBias", "forgetGate", "outputActivation", "peepholes", "projSize", "activations", "clip"] as const;

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000), as PyTorch's `nn.LSTM`; gates i f g o:
 * i, f, o = σ(W·x_t + b_ih + U·h_{t-1} + b_hh);  g = tanh(…);  c_t = f⊙c_{t-1} + i⊙g;  h_t = o⊙tanh(c_t).
 * `forgetBias` sets the forget gates' bias (Jozefowicz et al. 2015 advise 1).
 * forgetGate "coupled":  f = 1 - i;  "none":  f = 1, the constant error carousel of 1997. The gates are then i g o.
 * activations: σ is `gates`, the first tanh is `candidate`, the second `output`.
 * outputActivation "identity":  h_t = o⊙c_t, short for `activations: { output: { name: "Affine", alpha: 1, beta: 0 } }`.
 * peepholes (Gers & Schmidhuber 2000): p_i⊙c_{t-1} and p_f⊙c_{t-1} are added inside the σ of i and f, p_o⊙c_t inside that
 * of o; `weight_ch_l{k}` [3·H] in the order i f o ([2·H], i o, without a forget gate of its own).
 * projSize P (Sak et al. 2014; PyTorch's proj_size), below hiddenSize:  h_t = W_hr·(o⊙tanh(c_t)), `weight_hr_l{k}` [P, H]
 * (default 0: none).
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], states `h` and `c`, each
 * [numLayers·D, batch, hiddenSize]. With a projection, output and `h` have projSize numbers instead of hiddenSize.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class LSTM extends RecurrentLayer {
  constructor(
    inputSize: number,
    hiddenSize: number,
    given: RecurrentLayerOptions &
      GateOptions<"gates" | "candidate" | "output"> &
      Partial<LstmVariant> & { forgetBias?: number; projSize?: number; outputActivation?: "tanh" | "identity" } = {},
  ) {
    const options = takeLayerOptions("LSTM", given, [...commonOptions, ...lstmOptions]);
    checkInteger("LSTM", "inputSize", inputSize, 1);
    checkInteger("LSTM", "hiddenSize", hiddenSize, 1);
    const { forgetBias } = options;
    const forgetGate = checkChoice("LSTM", "forgetGate", options.forgetGate ?? "gate", ["gate", "coupled", "none"]);
    const outputActivation = checkChoice("LSTM", "outputActivation", options.outputActivation ?? "tanh", ["tanh", "identity"]);
    const peepholes = checkBoolean("LSTM", "peepholes", options.peepholes ?? false);
    if (forgetBias !== undefined) checkNumber("LSTM", "forgetBias", forgetBias);
    if (forgetBias !== undefined && options.bias === false)
      throw new RnnError("option", "LSTM", "forgetBias needs a bias, which bias: false leaves out");
    if (forgetBias !== undefined && forgetGate !== "gate")
      throw new RnnError("option", "LSTM", `forgetBias needs forgetGate: "gate", got "${forgetGate}", which has no bias of its own`);
    const projSize = checkInteger("LSTM", "projSize", options.projSize ?? 0, 0);
    if (projSize >= hiddenSize) throw new RnnError("option", "LSTM", `projSize must be below hiddenSize, ${hiddenSize}, got ${projSize}`);
    const gateBias = forgetBias === undefined ? undefined : { gate: "f", value: forgetBias };
    const short = { role: "output", option: "outputActivation", of: outputActivation === "tanh" ? functionOf("Tanh") : identity } as const;
    const functions = takeFunctions("LSTM", options, ["gates", "candidate", "output"], short);
    const cells = functions.map((each) => lstmCell({ forgetGate, peepholes }, each));
    super("LSTM", inputSize, hiddenSize, cells, options, { gateBias, projSize, given: { ...options, forgetGate, peepholes } });
  }
}
