/** A loss or an optimiser by itself, on either backend: to check one, to plot one, to teach one. */
import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import { checkOptionNames, RnnError, show } from "../errors.ts";
import { lossSum } from "../kernels/losses.ts";
import { checkLoss, type Loss } from "../losses/loss.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../nn/parameter.ts";
import { Tape } from "../ops/tape.ts";
import { checkOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { Recording, type Buffer } from "../recording/recording.ts";
import { checkBackend, Session } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import { checkFinite, checkMask, checkTensor, type FloatArray, type NumericArray, type Tensor } from "../tensor/tensor.ts";
import { checkClipping, OptimizerState } from "./optimizer-state.ts";

/**
 * The value of a loss and its gradient with respect to the prediction.
 * @param inputs.targets in the loss's `targetShape`; `mask` (default all 1) has the same shape
 * @throws RnnError `shape` or `data` if targets or mask do not fit the prediction, `option` if an argument is no loss,
 * inputs or options
 */
export async function lossAndGradient(
  loss: Loss, inputs: { prediction: Tensor; targets: Tensor; mask?: Tensor }, options: { backend: Backend },
): Promise<{ loss: number; gradient: Tensor<FloatArray> }> {
  checkLoss("lossAndGradient", loss);
  checkOptionNames("inputs", inputs, ["prediction", "targets", "mask"], { needed: true });
  checkOptionNames("lossAndGradient", options, ["backend"], { needed: true });
  const { backend } = options;
  checkBackend(backend);
  const prediction = checkTensor(loss.name, "prediction", inputs.prediction);
  if (loss.targetType === "i32" && !(prediction.shape.at(-1)! > 0)) throw new RnnError("shape", loss.name, `prediction must be [..., classes], got ${show([...prediction.shape])}`);
  const shape = loss.targetShape(prediction.shape);
  const targets = checkTensor(loss.name, "targets", inputs.targets, shape);
  const mask = checkMask(loss.name, inputs.mask ?? { shape, data: new Float32Array(sizeOf(shape)).fill(1) }, shape);
  checkFinite(loss.name, "prediction", prediction.data);
  loss.checkTargets(targets.data, prediction.shape);
  const recording = new Recording();
  const tape = new Tape(recording, { differentiates: true });
  const variable = tape.leaf("prediction", recording.buffer("prediction", prediction.shape, "input"), { needsGradient: true });
  const normalizer = recording.buffer("normalizer", [2], "input");
  const losses = loss.record(tape, variable, recording.buffer("targets", shape, "input", loss.targetType), recording.buffer("mask", shape, "input"), normalizer);
  const value = recording.buffer("loss", [1]);
  recording.dispatch(lossSum, { losses, normalizer, loss: value }, { length: sizeOf(losses.shape) });
  recording.download("loss", value);
  recording.download("gradient", variable.gradient!);
  const program = await backend.prepare(recording, new Map());
  try {
    const { downloads } = await program.run({ prediction: prediction.data, targets: targets.data, mask, normalizer: loss.normalizer(targets.data, mask) });
    const values = await downloads;
    return { loss: values.loss[0], gradient: { shape: prediction.shape, data: values.gradient as FloatArray } };
  } finally {
    program.free();
  }
}

/** Named arrays as a model, so that they can be optimised like one. */
class Arrays extends Module {
  constructor(values: Readonly<Record<string, Tensor>>) {
    super();
    for (const [name, value] of Object.entries(values)) {
      const { shape } = checkTensor("optimizerSteps", `parameter "${name}"`, value);
      this.addParameter(name, new Parameter(shape, (s) => new Float32Array(sizeOf(s))));
    }
    this.loadStateDict(values);
  }

  forward(): never {
    throw new RnnError("option", "optimizerSteps", "arrays have no forward pass");
  }
}

function checkNamed(name: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) throw new RnnError("option", "optimizerSteps", `${name} must be tensors by name, got ${show(value)}`);
  return value as Record<string, unknown>;
}

/** @throws RnnError unless there is a gradient for each parameter, and for nothing else, in each step */
function checkSteps(gradients: unknown, parameters: Readonly<Record<string, Tensor>>): void {
  if (!Array.isArray(gradients)) throw new RnnError("option", "optimizerSteps", `gradients must be a list with a set for each step, got ${show(gradients)}`);
  for (const [step, value] of (gradients as readonly unknown[]).entries()) {
    const set = checkNamed(`gradients of step ${step}`, value);
    const unknown = Object.keys(set).find((path) => !Object.hasOwn(parameters, path));
    if (unknown !== undefined) throw new RnnError("option", "optimizerSteps", `gradients of step ${step} have "${unknown}", which is no parameter`);
    for (const [path, { shape }] of Object.entries(parameters)) {
      const name = `gradient "${path}" of step ${step}`;
      checkFinite("optimizerSteps", name, checkTensor("optimizerSteps", name, set[path], shape).data);
    }
  }
}

/**
 * Applies an optimiser to named arrays with given gradients.
 * @param gradients one set a step, by the names of `parameters`
 * @returns the parameters after each step
 * @throws RnnError `option` for an argument or option that is missing, unknown or out of range, `shape` if a gradient does
 * not fit its parameter, `data` if a number is not finite
 */
export async function optimizerSteps(
  optimizer: Optimizer, parameters: Readonly<Record<string, Tensor>>, gradients: readonly Readonly<Record<string, Tensor>>[],
  options: { backend: Backend; clipNorm?: number; clipValue?: number },
): Promise<Record<string, Tensor<FloatArray>>[]> {
  checkOptionNames("optimizerSteps", options, ["backend", "clipNorm", "clipValue"], { needed: true });
  checkOptimizer("optimizerSteps", optimizer);
  const clipping = checkClipping("optimizerSteps", options);
  checkNamed("parameters", parameters);
  const { backend } = options;
  const session = Session.of(new Arrays(parameters), backend);
  checkSteps(gradients, parameters);
  const state = new OptimizerState(optimizer, session, clipping);
  const recording = new Recording();
  const { length } = session.store;
  const memory = new Map<Buffer, DeviceBuffer>();
  const external = (label: string, size: number): ReturnType<Recording["buffer"]> => {
    const view = recording.buffer(label, [size], "external");
    memory.set(view.buffer, session.store.memoryOf(label) ?? state.memoryFor(label, view.buffer));
    return view;
  };
  // A loss of its own kind: constant zero, which is finite.
  const zero = recording.buffer("loss.zero", [2], "constant");
  state.record({ recording, parameters: external("parameters", length), gradients: external("gradients", length), external: (label, [size]) => external(label, size) }, zero, zero);
  const program = await backend.prepare(recording, memory);
  try {
    await state.begin();
    const results: Record<string, Tensor<FloatArray>>[] = [];
    for (const [step, set] of gradients.entries()) {
      for (const [path, { offset }] of session.store.places) {
        backend.write(session.store.gradients, set[path].data, offset);
      }
      await program.run({ control: Float64Array.from(optimizer.control(step)) as NumericArray });
      results.push(session.store.split(await backend.read(session.store.parameters)));
    }
    return results;
  } finally {
    program.free();
    session.store.free();
  }
}
