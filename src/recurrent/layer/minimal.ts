/** The layers `MinGRU` and `MinLSTM`, whose time steps a scan computes side by side. */
import { checkBoolean, checkChoice } from "../../errors.ts";
import { minGruCell, type Candidate } from "../cells/min-gru.ts";
import { minLstmCell } from "../cells/min-lstm.ts";
import { commonOptions, takeLayerOptions, type RecurrentLayerOptions } from "./layer-options.ts";
import { RecurrentLayer } from "./recurrent-layer.ts";
import { regularizationNames, type RegularizationOptions } from "./regularizer.ts";

/** Options of the other recurrent layers, except those that act on a recurrent matrix or between two steps. */
export interface MinimalLayerOptions extends Omit<RecurrentLayerOptions, "bias" | "recurrentInit" | keyof RegularizationOptions> {
  /** Whether there is b_ih, the only bias (default true). */
  bias?: boolean;
  /**
   * The candidate's activation (default "positive"). "positive": φ(a) = a + 0.5 where a ≥ 0 and σ(a) elsewhere.
   * "linear": φ(a) = a.
   */
  candidate?: Candidate;
}

const without: readonly string[] = ["recurrentInit", ...regularizationNames];
const minimalOptions = [...commonOptions.filter((name) => !without.includes(name)), "candidate"];

function take(
  where: string,
  given: MinimalLayerOptions,
): { taken: MinimalLayerOptions; options: RecurrentLayerOptions; candidate: Candidate } {
  const taken = takeLayerOptions(where, given, minimalOptions);
  const bias = checkBoolean(where, "bias", taken.bias ?? true) ? "input" : false;
  const candidate = checkChoice(where, "candidate", taken.candidate ?? "positive", ["positive", "linear"]);
  return { taken: { ...taken, candidate }, options: { ...taken, bias }, candidate };
}

/**
 * Minimal gated recurrent unit (Feng et al. 2024), gates z n, without a recurrent matrix:
 * z_t = σ(W_z·x_t + b_z);  n_t = φ(W_n·x_t + b_n);  h_t = (1 - z_t)⊙h_{t-1} + z_t⊙n_t.
 * Parameters per layer k: `weight_ih_l{k}` [2·H, I or D·H], `bias_ih_l{k}` [2·H].
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class MinGRU extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, given: MinimalLayerOptions = {}) {
    const { taken, options, candidate } = take("MinGRU", given);
    super("MinGRU", inputSize, hiddenSize, [minGruCell(candidate)], options, { given: taken });
  }
}

/**
 * Minimal long short-term memory (Feng et al. 2024), gates f i g, without a recurrent matrix; f and i are scaled to a sum of 1:
 * f_t, i_t = σ(W·x_t + b);  g_t = φ(W_g·x_t + b_g);  h_t = f_t/(f_t + i_t)⊙h_{t-1} + i_t/(f_t + i_t)⊙g_t.
 * Parameters per layer k: `weight_ih_l{k}` [3·H, I or D·H], `bias_ih_l{k}` [3·H].
 * Input [steps, batch, inputSize], output [steps, batch, D·hiddenSize], state `h` [numLayers·D, batch, hiddenSize].
 * @throws RnnError `option` if an argument is unknown or out of range, `shape` when run if the input does not fit
 */
export class MinLSTM extends RecurrentLayer {
  constructor(inputSize: number, hiddenSize: number, given: MinimalLayerOptions = {}) {
    const { taken, options, candidate } = take("MinLSTM", given);
    super("MinLSTM", inputSize, hiddenSize, [minLstmCell(candidate)], options, { given: taken });
  }
}
