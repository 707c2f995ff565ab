/** The layer `GRU`. */
import { checkChoice, RnnError } from "../../errors.ts";
import type { GateFunction, GateFunctions } from "../cells/gate-functions.ts";
import { gruCell, type UpdateGate } from "../cells/gru.ts";
import { gruResetBeforeCell } from "../cells/gru-reset-before.ts";
import { takeFunctions, type GateOptions } from "./activations.ts";
import { commonOptions, takeLayerOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { RecurrentLayer } from "./recurrent-layer.ts";

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
    const options = takeLayerOptions("GRU", given, [...commonOptions, "reset", "updateGate", "activations", "clip"]);
    const reset = checkChoice("GRU", "reset", options.reset ?? "after", ["after", "before", "none"]);
    const updateGate = checkChoice("GRU", "updateGate", options.updateGate ?? "keeps", ["keeps", "writes"]);
    const functions = takeFunctions("GRU", options, ["gates", "candidate"]);
    if (updateGate === "writes") functions.forEach((each) => checkWriting("GRU", each));
    const cells = functions.map((each) =>
      reset === "before" ? gruResetBeforeCell(updateGate, each) : gruCell({ reset: reset === "after", updateGate }, each),
    );
    super("GRU", inputSize, hiddenSize, cells, options, { given: { ...options, reset, updateGate } });
  }
}

/** Whether 1 - f(a) = f(-a), as for σ. */
const isMirrored = ({ name, beta }: GateFunction): boolean => name === "Sigmoid" || (name === "HardSigmoid" && beta === 0.5);

/** @throws RnnError `option` if the update gate writes and its function lacks that symmetry */
function checkWriting(where: string, { gates }: GateFunctions): void {
  if (isMirrored(gates)) return;
  throw new RnnError(
    "option",
    where,
    `updateGate: "writes" needs activations.gates with 1 - f(a) = f(-a), which are Sigmoid and HardSigmoid with beta 0.5, got ${gates.name}`,
  );
}
