/** Checks a model's inputs and derives how to record it for them. */
import { checkBoolean, checkChoice, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { lengthsOfMask } from "../recurrent/kernels/lanes.ts";
import { strategyNames, type StrategyName } from "../recurrent/strategies/all-strategies.ts";
import { takeEntries, takeOptions } from "../options.ts";
import { checkShape } from "../tensor/shape.ts";
import { finite, idsBelow, looksLikeTensor, takeList, takeTensor, weights, type Numbers, type TensorLike } from "../tensor/take.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";
import { batchOf, type RecordingPlan } from "./run-context.ts";

/** The inputs of a model. If all rows are complete and states start from zero, `input` alone suffices. */
export interface ModelInputs<T extends TensorLike = TensorLike> {
  /** Numbers, or ids if the model starts with an Embedding; [steps, batch, ·] unless the layers are batchFirst. */
  input: T;
  /** Initial states by path, e.g. `h` and `c` of an LSTM, `rnn.h` inside a Sequential; zeros if left out. */
  state?: Readonly<Record<string, T>>;
  /** Steps of each row of the batch, in any order; 0 is allowed. Outputs past a row's end are zero. */
  lengths?: Numbers;
  /**
   * Which steps rows have, by 1 and 0 or booleans in the input's order of steps and batch; any may be missing, in the place
   * of `lengths`. At a step that a row lacks, a layer keeps the row's state and repeats its last output.
   */
  stepMask?: TensorLike;
  /** Further inputs by path, if the model has any (`furtherInputs`). */
  further?: Readonly<Record<string, T>>;
}

/** Checked copies of the inputs, as they were at the moment of the call. */
export interface TakenInputs {
  readonly input: Tensor;
  readonly state: Readonly<Record<string, Tensor>>;
  readonly lengths?: Uint32Array;
  /** [T, B], whatever the model's order. */
  readonly stepMask?: Tensor;
  readonly further: Readonly<Record<string, Tensor>>;
}

/** How recurrent layers are computed. The results agree up to rounding; time and memory differ. */
export interface LayerOptions {
  /**
   * "loop": one dispatch for a layer's whole time loop. "step": one for each time step. Default: what suits sizes and
   * device. "wavefront" is "step" with dispatches shared by stacked layers. It equals "step" where layers cannot share
   * them: a single layer; bidirectional, regularized or projected layers; dropout between layers; a GRU with the reset
   * before the product; `recompute`; on the CPU.
   */
  strategy?: StrategyName;
  /**
   * Keep only the states of each time step for the backward pass, and compute the gates again from them, an eighth of
   * the sequence at a time. Takes about a third of the memory and one more forward pass (default false).
   */
  recompute?: boolean;
  /**
   * How recurrent weights are read in each step, and how gates are kept for the backward pass (default "float32").
   * "float16" halves these bytes; parameters, states, sums and gradients stay float32. Rounded numbers have 11
   * significant bits, and weights must be below 65504. Meant for GPUs: the CPU runs it by the slow twins.
   */
  storage?: "float32" | "float16";
}

export const layerOptionNames = ["strategy", "recompute", "storage"];

/** @throws RnnError `option` */
export function checkLayerOptions(where: string, { strategy, recompute, storage }: LayerOptions): LayerOptions {
  if (storage !== undefined) checkChoice(where, "storage", storage, ["float32", "float16"]);
  if (strategy !== undefined) checkChoice<StrategyName>(where, "strategy", strategy, strategyNames);
  return { strategy, recompute: checkBoolean(where, "recompute", recompute ?? false), storage };
}

/**
 * Checks a model's inputs and copies them as they are at this moment. A tensor alone is the input.
 * @throws RnnError `shape`, `data` or `option` if they do not fit the model
 */
export function takeInputs(model: Module, inputs: ModelInputs | TensorLike): TakenInputs {
  const given: Partial<ModelInputs> = looksLikeTensor(inputs)
    ? { input: inputs as TensorLike }
    : takeOptions("inputs", inputs as ModelInputs, ["input", "state", "lengths", "stepMask", "further"], { needed: true });
  const input = takeTensor("inputs", "input", given.input, model.idCount === undefined ? finite : idsBelow(model.idCount));
  if (input.shape.some((n) => n === 0))
    throw new RnnError("shape", "inputs", `input must have no dimension of size 0, got ${show([...input.shape])}`);
  const states = given.state === undefined ? [] : takeEntries("inputs", "state", "tensors by name", given.state);
  if (given.lengths !== undefined && given.stepMask !== undefined)
    throw new RnnError("option", "inputs", "lengths and stepMask both say which steps rows have; give one of them");
  return {
    input,
    stepMask: given.stepMask === undefined ? undefined : takeStepMask(model, given.stepMask, input.shape),
    further: takeFurther(model, given.further),
    state: Object.fromEntries(states.map(([path, value]) => [path, takeTensor("inputs", `state "${path}"`, value, finite)])),
    lengths: given.lengths === undefined ? undefined : takeLengths(model, given.lengths, input.shape),
  };
}

/** Takes inputs and plans how to record them. @throws RnnError as `takeInputs` does */
export const planFor = (model: Module, inputs: ModelInputs | TensorLike, options: PlanOptions): Plan =>
  planOf(takeInputs(model, inputs), options);

type PlanOptions = LayerOptions & { training?: boolean; differentiates: boolean };
type Plan = { plan: RecordingPlan; data: Record<string, NumericArray> };

/** Plans how to record inputs that were taken, and names their arrays as the recording does. */
export function planOf(
  { input, state, lengths, stepMask, further }: TakenInputs,
  { training = false, differentiates, strategy, recompute, storage }: PlanOptions,
): Plan {
  const data: Record<string, NumericArray> = { input: input.data };
  const shapesOf = (prefix: string, tensors: Readonly<Record<string, Tensor>>): Record<string, readonly number[]> => {
    const entries = Object.entries(tensors);
    for (const [path, tensor] of entries) data[`${prefix}.${path}`] = tensor.data;
    return Object.fromEntries(entries.map(([path, { shape }]) => [path, shape]));
  };
  const plan: RecordingPlan = {
    inputShape: input.shape,
    states: { kind: "given", shapes: shapesOf("state", state) },
    further: shapesOf("further", further),
    steps: stepMask ? "mask" : lengths ? "lengths" : "all",
    training,
    differentiates,
    inputGradient: differentiates,
    strategy,
    recompute,
    storage,
  };
  const rows = stepMask ? lengthsOfMask(stepMask) : lengths;
  if (rows) data.lengths = rows;
  return { plan, data };
}

function takeFurther(model: Module, given: unknown): Record<string, Tensor> {
  if (given === undefined) return {};
  const known = model.furtherInputs;
  const taken = takeOptions("inputs.further", given as Record<string, unknown> | undefined, Object.keys(known));
  return Object.fromEntries(
    Object.entries(taken).map(([path, value]) => {
      const ids = known[path];
      return [path, takeTensor("inputs", `further "${path}"`, value, ids === undefined ? finite : idsBelow(ids))];
    }),
  );
}

/** Steps first, as the layers have them. */
function takeStepMask(model: Module, given: unknown, inputShape: readonly number[]): Tensor {
  if (inputShape.length < (model.idCount === undefined ? 3 : 2))
    throw new RnnError("shape", "inputs", `stepMask needs an input with steps and a batch, got ${show([...inputShape])}`);
  const mask = takeTensor("inputs", "stepMask", given, weights);
  checkShape("inputs", "stepMask", mask.shape, inputShape.slice(0, 2));
  const other = mask.data.findIndex((value) => value !== 0 && value !== 1);
  if (other >= 0)
    throw new RnnError("data", "inputs", `stepMask must be of 1 and 0, or true and false, got ${mask.data[other]} at index ${other}`);
  if (!model.batchFirst) return mask;
  const [B, T] = mask.shape;
  return { shape: [T, B], data: mask.data.map((_, i) => mask.data[(i % B) * T + Math.floor(i / B)]) };
}

function takeLengths(model: Module, lengths: unknown, shape: readonly number[]): Uint32Array {
  if (shape.length < 2) throw new RnnError("shape", "inputs", `lengths need an input with steps and a batch, got [${shape.join(", ")}]`);
  const batch = batchOf(model, shape);
  const taken = takeList("inputs", "lengths", lengths, idsBelow(shape[model.batchFirst ? 1 : 0] + 1)) as Uint32Array;
  if (taken.length !== batch)
    throw new RnnError("shape", "inputs", `lengths must hold one number per row of the batch, ${batch}, got ${taken.length}`);
  return taken;
}
