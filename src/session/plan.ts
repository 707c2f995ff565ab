/** What a model is given, checked, and how it is to be recorded. */
import { checkBoolean, checkChoice, checkOptionNames, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import type { StrategyOption } from "../ops/choose-strategy.ts";
import { checkFinite, checkIds, checkTensor, type NumericArray, type Tensor } from "../tensor/tensor.ts";
import { batchOf, type RecordingPlan, type StateSource } from "./run-context.ts";

/** What a model is run on. Without a batch of rows of different lengths, `input` alone will do. */
export interface ModelInputs {
  /** Numbers, or ids if the model starts with an Embedding; [steps, batch, ·] unless the layers are batchFirst. */
  input: Tensor;
  /** Initial states by path, e.g. `h` and `c` of an LSTM, `rnn.h` inside a Sequential; zeros if left out. */
  state?: Readonly<Record<string, Tensor>>;
  /** Steps of each row of the batch, in any order; 0 is allowed. Outputs past a row's end are zero. */
  lengths?: ArrayLike<number>;
}

/** How recurrent layers are computed; the numbers agree to rounding, time and memory differ. */
export interface LayerOptions {
  /**
   * One dispatch for a layer's whole time loop, or one for each step, in a "wavefront" shared by stacked layers where
   * they can (default: what suits sizes and device).
   */
  strategy?: StrategyOption;
  /**
   * Keep only the states of each step for the backward pass and compute the gates anew from them, an eighth of the
   * sequence at a time: about a third of the memory for one more forward pass (default false).
   */
  recompute?: boolean;
}

export const layerOptionNames = ["strategy", "recompute"];

/** @throws RnnError `option` */
export function checkLayerOptions(where: string, { strategy, recompute }: LayerOptions): LayerOptions {
  if (strategy !== undefined) checkChoice<StrategyOption>(where, "strategy", strategy, ["loop", "step", "wavefront"]);
  return { strategy, recompute: checkBoolean(where, "recompute", recompute ?? false) };
}

/** Checks inputs against the model and says how to record them. */
export function planFor(model: Module, inputs: ModelInputs, options: LayerOptions & { training?: boolean; differentiates: boolean }): { plan: RecordingPlan; data: Record<string, NumericArray> } {
  checkOptionNames("inputs", inputs, ["input", "state", "lengths"], { needed: true });
  const input = checkTensor("inputs", "input", inputs.input);
  if (model.idCount !== undefined) checkIds("inputs", "input", input.data, model.idCount);
  else checkFinite("inputs", "input", input.data);
  if (input.shape.some((n) => n === 0)) throw new RnnError("shape", "inputs", `input must have no dimension of size 0, got ${show([...input.shape])}`);
  const data: Record<string, NumericArray> = { input: input.data };
  const states: StateSource = { kind: "given", shapes: {} };
  for (const [path, value] of Object.entries(inputs.state ?? {})) {
    const state = checkTensor("inputs", `state "${path}"`, value);
    checkFinite("inputs", `state "${path}"`, state.data);
    (states.shapes as Record<string, readonly number[]>)[path] = state.shape;
    data[`state.${path}`] = state.data;
  }
  if (inputs.lengths) data.lengths = checkLengths(model, inputs.lengths, input.shape);
  const plan: RecordingPlan = {
    inputShape: input.shape, states, hasLengths: inputs.lengths !== undefined,
    training: options.training ?? false, differentiates: options.differentiates, inputGradient: options.differentiates, strategy: options.strategy, recompute: options.recompute,
  };
  return { plan, data };
}

function checkLengths(model: Module, lengths: ArrayLike<number>, shape: readonly number[]): Uint32Array {
  const batch = batchOf(model, shape);
  const steps = shape[model.batchFirst ? 1 : 0];
  if (lengths.length !== batch) throw new RnnError("shape", "inputs", `lengths must hold one number per row of the batch, ${batch}, got ${lengths.length}`);
  checkIds("inputs", "lengths", lengths, steps + 1);
  return Uint32Array.from(lengths);
}

/** The counter-based generator's key and counter for a seed and a step. */
export function randomWords(seed: number, step: number): Uint32Array {
  return Uint32Array.of(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, step >>> 0, Math.floor(step / 2 ** 32) >>> 0);
}
