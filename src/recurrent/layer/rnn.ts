/** The layer `RNN`. */
import { checkChoice } from "../../errors.ts";
import { functionOf } from "../cells/gate-functions.ts";
import { rnnCell } from "../cells/rnn.ts";
import { takeFunctions, type GateOptions } from "./activations.ts";
import { commonOptions, takeLayerOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { RecurrentLayer } from "./recurrent-layer.ts";

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
    const options = takeLayerOptions("RNN", given, [...commonOptions, "nonlinearity", "activations", "clip"]);
    const nonlinearity = checkChoice("RNN", "nonlinearity", options.nonlinearity ?? "tanh", ["tanh", "relu"]);
    const short = { role: "candidate", option: "nonlinearity", of: functionOf(nonlinearity === "relu" ? "Relu" : "Tanh") } as const;
    super("RNN", inputSize, hiddenSize, takeFunctions("RNN", options, ["candidate"], short).map(rnnCell), options);
  }
}
