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
  /** Further inputs by path, of a model that has some (`furtherInputs`). */
  further?: Readonly<Record<string, Tensor>>;
}

/** How recurrent layers are computed; the numbers agree to rounding, time and memory differ. */
export interface LayerOptions {
  /**
   * One dispatch for a layer's whole time loop, or one for each step (default: what suits sizes and device). "wavefront"
   * is "step" with dispatches shared by stacked layers, and no more than "step" where they cannot share them: one layer
   * alone, bidirectional, regularized or projected ones, with dropout between them, with the reset before the product,
   * with `recompute`, on the CPU.
   */
  strategy?: StrategyOption;
  /**
   * Keep only the states of each step for the backward pass and compute the gates anew from them, an eighth of the
   * sequence at a time: about a third of the memory for one more forward pass (default false).
   */
  recompute?: boolean;
  /**
   * How recurrent weights are read in each step, and how gates are kept for the backward pass (default "float32").
   * "float16" halves what is loaded and kept; parameters, states, sums and gradients stay float32. What is rounded has
   * 11 significant bits; weights must be below 65504. For GPUs: the CPU computes it by its slow twins.
   */
  storage?: "float32" | "float16";
}

export const layerOptionNames = ["strategy", "recompute", "storage"];

/** @throws RnnError `option` */
export function checkLayerOptions(where: string, { strategy, recompute, storage }: LayerOptions): LayerOptions {
  if (storage !== undefined) checkChoice(where, "storage", storage, ["float32", "float16"]);
  if (strategy !== undefined) checkChoice<StrategyOption>(where, "strategy", strategy, ["loop", "step", "wavefront"]);
  return { strategy, recompute: checkBoolean(where, "recompute", recompute ?? false), storage };
}

/** Checks inputs against the model and says how to record them. */
export function planFor(model: Module, inputs: ModelInputs, options: LayerOptions & { training?: boolean; differentiates: boolean }): { plan: RecordingPlan; data: Record<string, NumericArray> } {
  checkOptionNames("inputs", inputs, ["input", "state", "lengths", "further"], { needed: true });
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
  const further = checkFurther(model, inputs.further ?? {});
  for (const [path, tensor] of Object.entries(further)) data[`further.${path}`] = tensor.data;
  const plan: RecordingPlan = {
    inputShape: input.shape, further: Object.fromEntries(Object.entries(further).map(([path, { shape }]) => [path, shape])), states, hasLengths: inputs.lengths !== undefined,
    training: options.training ?? false, differentiates: options.differentiates, inputGradient: options.differentiates, strategy: options.strategy, recompute: options.recompute, storage: options.storage,
  };
  return { plan, data };
}

function checkFurther(model: Module, given: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const known = model.furtherInputs;
  checkOptionNames("inputs", given, Object.keys(known));
  return Object.fromEntries(Object.entries(given).map(([path, value]) => {
    const tensor = checkTensor("inputs", `further "${path}"`, value);
    const ids = known[path];
    if (ids === undefined) checkFinite("inputs", `further "${path}"`, tensor.data);
    else checkIds("inputs", `further "${path}"`, tensor.data, ids);
    return [path, tensor];
  }));
}

function checkLengths(model: Module, lengths: ArrayLike<number>, shape: readonly number[]): Uint32Array {
  const batch = batchOf(model, shape);
  const steps = shape[model.batchFirst ? 1 : 0];
  if (lengths.length !== batch) throw new RnnError("shape", "inputs", `lengths must hold one number per row of the batch, ${batch}, got ${lengths.length}`);
  checkIds("inputs", "lengths", lengths, steps + 1);
  return Uint32Array.from(lengths);
}
