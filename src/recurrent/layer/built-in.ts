/** The layers `RNN`, `GRU` and `LSTM`. */
import { checkBoolean, checkChoice, checkInteger, checkNumber, RnnError } from "../../errors.ts";
import { takeOptions } from "../../options.ts";
import { gruCell, type UpdateGate } from "../cells/gru.ts";
import { gruResetBeforeCell } from "../cells/gru-reset-before.ts";
import { lstmCell, type LstmVariant } from "../cells/lstm.ts";
import { rnnRelu, rnnTanh } from "../cells/rnn.ts";
import { commonOptions, RecurrentLayer, type RecurrentLayerOptions } from "./recurrent-layer.ts";

/**
 * Elman network (Elman 1990), as PyTorch's `nn.RNN`: h_t = g(W·x_t + b_ih + U·h_{t-1} + b_hh), g = tanh or ReLU.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class RNN extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, given: RecurrentLayerOptions & { nonlinearity?: "tanh" | "relu" } = {}) {
    const options = takeOptions("RNN", given, [...commonOptions, "nonlinearity"]);
    const nonlinearity = checkChoice("RNN", "nonlinearity", options.nonlinearity ?? "tanh", ["tanh", "relu"]);
    super("RNN", inputSize, hiddenSize, nonlinearity === "tanh" ? rnnTanh : rnnRelu, options);
  }
}

/**
 * Gated recurrent unit (Cho et al. 2014), as PyTorch's `nn.GRU`; gates r z n:
 * r, z = σ(W·x_t + b_ih + U·h_{t-1} + b_hh);  h_t = (1 - z)⊙n + z⊙h_{t-1};
 * reset "after" (PyTorch, cuDNN, Keras' default):  n = tanh(W_n·x_t + b_in + r⊙(U_n·h_{t-1} + b_hn));
 * reset "before" (the paper, Keras reset_after=False, ONNX' default):  n = tanh(W_n·x_t + b_in + U_n·(r⊙h_{t-1}) + b_hn);
 * reset "none" (the simplified unit of many notes; gates z n):  n = tanh(W_n·x_t + b_in + U_n·h_{t-1} + b_hn).
 * updateGate "keeps" is that h_t; with "writes" the gate at 1 takes the new value, as Γ_u does:  h_t = z⊙n + (1 - z)⊙h_{t-1}.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class GRU extends RecurrentLayer {
  constructor(
    inputSize: number,
    hiddenSize: number,
    given: RecurrentLayerOptions & { reset?: "after" | "before" | "none"; updateGate?: UpdateGate } = {},
  ) {
    const options = takeOptions("GRU", given, [...commonOptions, "reset", "updateGate"]);
    const reset = checkChoice("GRU", "reset", options.reset ?? "after", ["after", "before", "none"]);
    const updateGate = checkChoice("GRU", "updateGate", options.updateGate ?? "keeps", ["keeps", "writes"]);
    super(
      "GRU",
      inputSize,
      hiddenSize,
      reset === "before" ? gruResetBeforeCell(updateGate) : gruCell({ reset: reset === "after", updateGate }),
      options,
    );
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000), as PyTorch's `nn.LSTM`; gates i f g o:
 * i, f, o = σ(W·x_t + b_ih + U·h_{t-1} + b_hh);  g = tanh(…);  c_t = f⊙c_{t-1} + i⊙g;  h_t = o⊙tanh(c_t).
 * `forgetBias` sets the forget gates' bias (Jozefowicz et al. 2015 advise 1).
 * forgetGate "coupled":  f = 1 - i;  "none":  f = 1, the constant error carousel of 1997. Gates i g o then.
 * outputActivation "identity":  h_t = o⊙c_t.
 * peepholes (Gers & Schmidhuber 2000): p_i⊙c_{t-1} and p_f⊙c_{t-1} are added inside the σ of i and f, p_o⊙c_t inside that
 * of o; `weight_ch_l{k}` [3·H] in the order i f o ([2·H], i o, without a forget gate of its own).
 * projSize P (Sak et al. 2014; PyTorch's proj_size), below hiddenSize:  h_t = W_hr·(o⊙tanh(c_t)), `weight_hr_l{k}` [P, H];
 * 0, the default, is none.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], states `h` and `c`, each
 * [numLayers·D, batch, hiddenSize]; projected, output and `h` have projSize numbers in its place.
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class LSTM extends RecurrentLayer {
  constructor(
    inputSize: number,
    hiddenSize: number,
    given: RecurrentLayerOptions & { forgetBias?: number; projSize?: number } & Partial<LstmVariant> = {},
  ) {
    const options = takeOptions("LSTM", given, [...commonOptions, "forgetBias", "forgetGate", "outputActivation", "peepholes", "projSize"]);
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
    super("LSTM", inputSize, hiddenSize, lstmCell({ forgetGate, outputActivation, peepholes }), options, { gateBias, projSize });
  }
}
