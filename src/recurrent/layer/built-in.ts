/** The layers `RNN`, `GRU`, `LSTM` and `SLSTM`. */
import { checkBoolean, checkChoice, checkInteger, checkNumber, RnnError } from "../../errors.ts";
import { takeOptions } from "../../options.ts";
import { gruCell, type UpdateGate } from "../cells/gru.ts";
import { gruResetBeforeCell } from "../cells/gru-reset-before.ts";
import { lstmCell, type LstmVariant } from "../cells/lstm.ts";
import { slstmCell } from "../cells/slstm.ts";
import { functionOf, identity } from "../cells/gate-functions.ts";
import { rnnCell } from "../cells/rnn.ts";
import { checkWriting, takeFunctions, type ActivationsOption, type GateActivations } from "./activations.ts";
import { commonOptions, RecurrentLayer, type RecurrentLayerOptions } from "./recurrent-layer.ts";

/** Options of layers that can choose the functions of their gates. */
export interface GateOptions<Role extends keyof GateActivations> {
  /**
   * The functions of the gates, by ONNX's names, one for each role (default: the usual one). With two directions it may be
   * a pair of such objects; the second direction's functions then differ from the first's.
   */
  activations?: ActivationsOption<Role>;
  /**
   * Clips the arguments of the functions of gates and candidate to ±clip, as ONNX does (default: never); c is not
   * clipped. The gradient is 0 where an argument is clipped, at the ends too.
   */
  clip?: number;
}

/**
 * Elman network (Elman 1990), as PyTorch's `nn.RNN`: h_t = g(W·x_t + b_ih + U·h_{t-1} + b_hh). `nonlinearity` chooses tanh
 * or ReLU for g; it is short for `activations.candidate`, which allows others too.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class RNN extends RecurrentLayer {
  constructor(
    inputSize: number,
    hiddenSize: number,
    given: RecurrentLayerOptions & GateOptions<"candidate"> & { nonlinearity?: "tanh" | "relu" } = {},
  ) {
    const options = takeOptions("RNN", given, [...commonOptions, "nonlinearity", "activations", "clip"]);
    const nonlinearity = checkChoice("RNN", "nonlinearity", options.nonlinearity ?? "tanh", ["tanh", "relu"]);
    const short = { role: "candidate", option: "nonlinearity", of: functionOf(nonlinearity === "relu" ? "Relu" : "Tanh") } as const;
    super("RNN", inputSize, hiddenSize, takeFunctions("RNN", options, ["candidate"], short).map(rnnCell), options);
  }
}

/**
 * Gated recurrent unit (Cho et al. 2014), as PyTorch's `nn.GRU`; gates r z n:
 * r, z = σ(W·x_t + b_ih + U·h_{t-1} + b_hh);  h_t = (1 - z)⊙n + z⊙h_{t-1};
 * reset "after" (PyTorch, cuDNN, Keras' default):  n = tanh(W_n·x_t + b_in + r⊙(U_n·h_{t-1} + b_hn));
 * reset "before" (the paper, Keras reset_after=False, ONNX' default):  n = tanh(W_n·x_t + b_in + U_n·(r⊙h_{t-1}) + b_hn);
 * reset "none" (the simplified unit of many notes; gates z n):  n = tanh(W_n·x_t + b_in + U_n·h_{t-1} + b_hn).
 * activations: σ is `gates`, tanh is `candidate`.
 * updateGate "keeps" gives this h_t. With "writes", the gate at 1 takes the new value, as Γ_u does:  h_t = z⊙n + (1 - z)⊙h_{t-1}.
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class GRU extends RecurrentLayer {
  constructor(
    inputSize: number,
    hiddenSize: number,
    given: RecurrentLayerOptions &
      GateOptions<"gates" | "candidate"> & { reset?: "after" | "before" | "none"; updateGate?: UpdateGate } = {},
  ) {
    const options = takeOptions("GRU", given, [...commonOptions, "reset", "updateGate", "activations", "clip"]);
    const reset = checkChoice("GRU", "reset", options.reset ?? "after", ["after", "before", "none"]);
    const updateGate = checkChoice("GRU", "updateGate", options.updateGate ?? "keeps", ["keeps", "writes"]);
    const functions = takeFunctions("GRU", options, ["gates", "candidate"]);
    if (updateGate === "writes") functions.forEach((each) => checkWriting("GRU", each));
    const cells = functions.map((each) =>
      reset === "before" ? gruResetBeforeCell(updateGate, each) : gruCell({ reset: reset === "after", updateGate }, each),
    );
    super("GRU", inputSize, hiddenSize, cells, options);
  }
}

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
    const options = takeOptions("LSTM", given, [...commonOptions, ...lstmOptions]);
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
    super("LSTM", inputSize, hiddenSize, cells, options, { gateBias, projSize });
  }
}

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
    const options = takeOptions("SLSTM", given, [...commonOptions, "forgetGate", "forgetBias", "heads"]);
    const forgetGate = checkChoice("SLSTM", "forgetGate", options.forgetGate ?? "sigmoid", ["sigmoid", "exponential"]);
    const { forgetBias, heads } = options;
    if (forgetBias !== undefined) checkNumber("SLSTM", "forgetBias", forgetBias);
    if (forgetBias !== undefined && options.bias === false)
      throw new RnnError("option", "SLSTM", "forgetBias needs a bias, which bias: false leaves out");
    const gateBias = forgetBias === undefined ? undefined : { gate: "f", value: forgetBias };
    super("SLSTM", inputSize, hiddenSize, [slstmCell(forgetGate)], options, { gateBias, heads });
  }
}
