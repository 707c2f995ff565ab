/** Runs a model forward and backward, and says what memory both passes take. */
import type { Backend } from "../backend/backend.ts";
import { checkBoolean, clip, RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import type { Variable } from "../autodiff/tape.ts";
import { takeEntries, takeOptions } from "../options.ts";
import { checkShape, sizeOf } from "../tensor/shape.ts";
import { giveBack } from "../tensor/spare.ts";
import { finite, takeTensor, type TensorLike } from "../tensor/take.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { planFor, type ModelInputs } from "./plan.ts";
import { memoryOf, type MemoryUse } from "./memory.ts";
import type { Reading } from "./reading.ts";
import { resultsOf, type ModelOutputs } from "./results.ts";
import { downloadOutputs, takeRunOptions, type RunOptions } from "./run.ts";
import type { RunContext } from "./run-context.ts";
import { Session } from "./session.ts";

/** Cotangents: ∂L/∂output and, optionally, ∂L/∂(final state) by path. */
export interface Cotangents {
  output?: TensorLike;
  state?: Readonly<Record<string, TensorLike>>;
}

/** Checked copies of the cotangents, as they were at the moment of the call. */
interface TakenCotangents {
  readonly output?: Tensor;
  readonly state: Readonly<Record<string, Tensor>>;
}

/** The result of a forward and a backward pass. */
export interface ModelGradients extends ModelOutputs {
  gradients: {
    /** By parameter name, in PyTorch's shapes, without frozen parameters. */
    parameters: Record<string, Tensor<FloatArray>>;
    /** Undefined if the input is ids, because they have no gradient. */
    input?: Tensor<FloatArray>;
    /** By path, for further inputs that are numbers. */
    further: Record<string, Tensor<FloatArray>>;
    /** With respect to the given initial states. */
    state: Record<string, Tensor<FloatArray>>;
  };
}

/** The gradients of given initial states. Their downloads are `d.<path>.<i>`; a part without one is zero. */
function stateGradients(
  context: RunContext,
  downloads: Readonly<Record<string, NumericArray>>,
  backend: Backend,
): Record<string, Tensor<FloatArray>> {
  const result: Record<string, Tensor<FloatArray>> = {};
  for (const [path, { shape, initial }] of context.states) {
    if (!initial) continue;
    const data = backend.floats(sizeOf(shape));
    for (let i = 0; i < shape[0]; i++) {
      const part = downloads[`d.${path}.${i}`];
      if (part) data.set(part, (i * data.length) / shape[0]);
    }
    result[path] = { shape, data };
  }
  return result;
}

/**
 * Runs a model forward and backward. Computes the gradients of L = Σ output⊙cotangent, plus the same for final states.
 * @throws RnnError `shape`, `data` or `option` before anything runs, if inputs or cotangents do not fit
 */
export async function gradients(
  model: Module,
  inputs: ModelInputs | TensorLike,
  cotangents: Cotangents,
  options: RunOptions,
): Promise<ModelGradients> {
  return gradientsOf(model, inputs, cotangents, options);
}

/** @param reading the parameters of an earlier moment (default: of this one) */
export async function gradientsOf(
  model: Module,
  inputs: ModelInputs | TensorLike,
  cotangents: Cotangents,
  given: RunOptions,
  reading?: Reading,
): Promise<ModelGradients> {
  const options = takeRunOptions("gradients", given);
  const { backend } = options;
  const session = Session.of(model, backend);
  const { plan, data } = planFor(model, inputs, { ...options, differentiates: true });
  const taken = takeCotangents(cotangents);
  const key = `gradients ${taken.output ? "output" : ""} ${JSON.stringify(Object.keys(taken.state).sort())}`;
  const { trained } = session.store;
  const { context, program, release } = await session.prepare(key, plan, (made) => recordGradients(made, taken));
  try {
    Object.assign(data, cotangentData(context, taken));
    const { outputs, byDownload } = resultsOf(context, backend, "gradients");
    const { downloads } = await session.run(
      program,
      { ...data, ...context.stepInputs(options.seed ?? 0, 0) },
      { reading, into: byDownload, halves: plan.storage === "float16", changes: plan.training && session.store.keepsStatistics },
    );
    const values = await downloads;
    giveBack(data);
    const gradientOf = (name: string, { shape }: Variable): Tensor<FloatArray> => ({
      shape,
      data: (values[`d.${name}`] as FloatArray | undefined) ?? backend.floats(sizeOf(shape)),
    });
    const further = [...context.furtherInputs].filter(([, { needsGradient }]) => needsGradient);
    return {
      ...outputs,
      gradients: {
        parameters: session.store.split(values.gradients, trained),
        input: context.input.needsGradient ? gradientOf("input", context.input) : undefined,
        further: Object.fromEntries(further.map(([path, variable]) => [path, gradientOf(`further.${path}`, variable)])),
        state: stateGradients(context, values, backend),
      },
    };
  } finally {
    release();
  }
}

/**
 * Bytes that `forward` will take on the backend's device for these inputs; with `gradients: true`, those of
 * `gradients`. Nothing is allocated. A trainer has its own `plannedMemory`. Besides, the CPU backend packs weights that
 * stay between runs, and recurrent ones for each pass forward and backward over eight steps or more: as many numbers as
 * they have, with columns rounded up to eight.
 * @throws RnnError `shape`, `data` or `option` if the inputs do not fit
 */
export async function plannedMemory(
  model: Module,
  inputs: ModelInputs | TensorLike,
  given: RunOptions & { gradients?: boolean },
): Promise<MemoryUse> {
  const options = takeRunOptions("plannedMemory", given, ["gradients"]);
  const differentiates = checkBoolean("plannedMemory", "gradients", options.gradients ?? false);
  const session = Session.of(model, options.backend);
  const { plan } = planFor(model, inputs, { ...options, differentiates });
  const { recording } = await session.record(plan, (context) => {
    if (differentiates) recordGradients(context, { output: { shape: context.output.shape, data: new Float32Array() }, state: {} });
    else downloadOutputs(context);
  });
  return memoryOf(recording, session.backend);
}

function recordGradients(context: RunContext, cotangents: TakenCotangents): void {
  const { recording, tape } = context;
  // Parameters that take no part in the output have a place in the flat buffer too, which must be zero.
  recording.clearFirst(context.gradients);
  if (cotangents.output) tape.seed(context.output, recording.buffer("cotangent", context.output.shape, "input"));
  for (const path of Object.keys(cotangents.state)) {
    context.states.get(path)?.final.forEach((v, i) => tape.seed(v, recording.buffer(`cotangent.${path}.${i}`, v.shape, "input")));
  }
  tape.backward();
  downloadOutputs(context);
  recording.download("gradients", context.gradients);
  if (context.input.gradient) recording.download("d.input", context.input.gradient);
  for (const [path, { gradient }] of context.furtherInputs) if (gradient) recording.download(`d.further.${path}`, gradient);
  for (const [path, { initial }] of context.states) {
    initial?.forEach((v, i) => v.gradient && recording.download(`d.${path}.${i}`, v.gradient));
  }
}

/** @throws RnnError `shape`, `data` or `option` if an argument is no cotangent, or if there is none */
function takeCotangents(cotangents: Cotangents): TakenCotangents {
  const { output, state } = takeOptions("cotangents", cotangents, ["output", "state"], { needed: true });
  const states = state === undefined ? [] : takeEntries("cotangents", "state", "tensors by name", state);
  if (output === undefined && states.length === 0)
    throw new RnnError("option", "cotangents", "need an output or a state; of nothing there are no gradients");
  return {
    output: output === undefined ? undefined : takeTensor("cotangents", "output", output, finite),
    state: Object.fromEntries(states.map(([path, value]) => [path, takeTensor("cotangents", `state "${path}"`, value, finite)])),
  };
}

/** The cotangents' arrays as the recording names them. @throws RnnError `shape` or `option` if they do not fit the model */
function cotangentData(context: RunContext, { output, state }: TakenCotangents): Record<string, NumericArray> {
  const data: Record<string, NumericArray> = {};
  if (output) {
    checkShape("cotangents", "output", output.shape, context.output.shape);
    data.cotangent = output.data;
  }
  for (const [path, { shape, data: values }] of Object.entries(state)) {
    const known = context.states.get(path);
    if (!known) throw new RnnError("option", "cotangents", `this model has no state "${clip(path)}"`);
    checkShape("cotangents", `state "${path}"`, shape, known.shape);
    const size = values.length / shape[0];
    for (let i = 0; i < shape[0]; i++) data[`cotangent.${path}.${i}`] = values.slice(i * size, (i + 1) * size);
  }
  return data;
}
