/** Runs a loss or an optimiser alone, on either backend: to check, plot or teach it. */
import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import { listed, RnnError, show } from "../errors.ts";
import { lossSum } from "../kernels/losses.ts";
import { checkLoss, takeMask, takeTargets, type Loss } from "../losses/loss.ts";
import { Module } from "../nn/module.ts";
import { Parameter } from "../nn/parameter.ts";
import { Tape } from "../autodiff/tape.ts";
import { takeEntries, takeItems, takeOptions } from "../options.ts";
import { checkOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { Recording, type Buffer } from "../recording/recording.ts";
import { derivatives } from "../recurrent/parts.ts";
import { checkBackend, Session } from "../session/session.ts";
import { sizeOf } from "../tensor/shape.ts";
import { finite, takeTensor, type TensorLike } from "../tensor/take.ts";
import type { FloatArray, Tensor } from "../tensor/tensor.ts";
import { checkClipping, OptimizerState } from "./optimizer-state.ts";

/**
 * The value of a loss, its gradient with respect to the prediction, and the sum of the weights of the targets. If no
 * target has a weight, all are 0.
 * @param inputs.targets in the loss's `targetShape`; `mask` (default all 1) has the same shape
 * @throws RnnError `shape` or `data` if targets or mask do not fit the prediction, `option` if the loss, the inputs or
 * the options are invalid
 */
export async function lossAndGradient(
  loss: Loss,
  given: { prediction: TensorLike; targets: TensorLike; mask?: TensorLike },
  options: { backend: Backend },
): Promise<{ loss: number; gradient: Tensor<FloatArray>; targets: number }> {
  checkLoss("lossAndGradient", loss);
  const inputs = takeOptions("inputs", given, ["prediction", "targets", "mask"], { needed: true });
  const { backend } = takeOptions("lossAndGradient", options, ["backend"], { needed: true });
  checkBackend(backend);
  const prediction = takeTensor(loss.name, "prediction", inputs.prediction, finite);
  if (loss.targetType === "i32" && !(prediction.shape.at(-1)! > 0))
    throw new RnnError("shape", loss.name, `prediction must be [..., classes], got ${show([...prediction.shape])}`);
  const shape = loss.targetShape(prediction.shape);
  const targets = takeTargets(loss, inputs.targets, shape);
  const { data: mask } = takeMask(loss, inputs.mask ?? { shape, data: new Float32Array(sizeOf(shape)).fill(1) }, shape);
  loss.checkTargets(targets.data, prediction.shape);
  const recording = new Recording();
  const tape = new Tape(recording, { derivatives: await derivatives.load() });
  const variable = tape.leaf("prediction", recording.buffer("prediction", prediction.shape, "input"), { needsGradient: true });
  const normalizer = recording.buffer("normalizer", [2], "input");
  const losses = loss.record(
    tape,
    variable,
    recording.buffer("targets", shape, "input", loss.targetType),
    recording.buffer("mask", shape, "input"),
    normalizer,
  );
  const value = recording.buffer("loss", [1]);
  recording.dispatch(lossSum, { losses, normalizer, loss: value }, { length: sizeOf(losses.shape) });
  recording.download("loss", value);
  recording.download("gradient", variable.gradient!);
  const program = await backend.prepare(recording, new Map());
  try {
    const normalizer = loss.normalizer(targets.data, mask);
    const { downloads } = await program.run({ prediction: prediction.data, targets: targets.data, mask, normalizer });
    const values = await downloads;
    return { loss: values.loss[0], gradient: { shape: prediction.shape, data: values.gradient as FloatArray }, targets: normalizer[0] };
  } finally {
    program.free();
  }
}

/** A model made of named arrays, so that they can be optimised like one. */
class Arrays extends Module {
  constructor(values: ReadonlyMap<string, Tensor>) {
    super();
    for (const [name, { shape }] of values) this.addParameter(name, new Parameter(shape, (s) => new Float32Array(sizeOf(s))));
    this.loadStateDict(Object.fromEntries(values));
  }

  forward(): never {
    throw new RnnError("option", "optimizerSteps", "arrays have no forward pass");
  }
}

/** Tensors by name, as they are at this moment. */
function takeNamed(what: string, of: (name: string) => string, values: unknown): Map<string, Tensor> {
  return new Map(
    takeEntries("optimizerSteps", what, "tensors by name", values).map(([name, value]) => [
      name,
      takeTensor("optimizerSteps", of(name), value, finite),
    ]),
  );
}

/** @throws RnnError unless each step has one gradient for each parameter, and no others */
function takeGradients(gradients: unknown, parameters: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor>[] {
  return takeItems("option", "optimizerSteps", "gradients", "a list with a set for each step", gradients, (value, step) => {
    const given = new Map(takeEntries("optimizerSteps", `gradients of step ${step}`, "tensors by name", value));
    const unknown = [...given.keys()].find((path) => !parameters.has(path));
    if (unknown !== undefined)
      throw new RnnError("option", "optimizerSteps", `gradients of step ${step} have ${listed([unknown])}, which is no parameter`);
    return new Map(
      [...parameters].map(([path, { shape }]) => [
        path,
        takeTensor("optimizerSteps", `gradient "${path}" of step ${step}`, given.get(path), finite, shape),
      ]),
    );
  });
}

/**
 * Applies an optimiser to named arrays with given gradients.
 * @param gradients one set for each step, by the names of `parameters`
 * @returns the parameters after each step
 * @throws RnnError `option` for an argument or option that is missing, unknown or out of range, `shape` if a gradient does
 * not fit its parameter, `data` if a number is not finite, `numeric` if the norm of gradients is too large to be used
 */
export async function optimizerSteps(
  optimizer: Optimizer,
  parameters: Readonly<Record<string, TensorLike>>,
  gradients: readonly Readonly<Record<string, TensorLike>>[],
  given: { backend: Backend; clipNorm?: number; clipValue?: number },
): Promise<Record<string, Tensor<FloatArray>>[]> {
  const options = takeOptions("optimizerSteps", given, ["backend", "clipNorm", "clipValue"], { needed: true });
  checkOptimizer("optimizerSteps", optimizer);
  const clipping = checkClipping("optimizerSteps", options);
  const { backend } = options;
  checkBackend(backend);
  const first = takeNamed("parameters", (name) => `parameter "${name}"`, parameters);
  const steps = takeGradients(gradients, first);
  const session = Session.of(new Arrays(first), backend);
  const state = new OptimizerState(optimizer, session, clipping);
  const recording = new Recording();
  const { length } = session.store;
  const memory = new Map<Buffer, DeviceBuffer>();
  const external = (label: string, size: number): ReturnType<Recording["buffer"]> => {
    const view = recording.buffer(label, [size], "external");
    memory.set(view.buffer, session.store.memoryOf(label) ?? state.memoryFor(label, view.buffer));
    return view;
  };
  // The loss is a constant zero, which is finite.
  const zero = recording.buffer("loss.zero", [2], "constant");
  const update = state.nextUpdate();
  state.record(
    {
      recording,
      parameters: external("parameters", length),
      gradients: external("gradients", length),
      external: (label, [size]) => external(label, size),
    },
    zero,
    zero,
    update,
  );
  const program = await backend.prepare(recording, memory);
  try {
    await session.store.sync();
    state.begin();
    const results: Record<string, Tensor<FloatArray>>[] = [];
    for (const [step, set] of steps.entries()) {
      for (const [path, { offset }] of session.store.places) {
        backend.write(session.store.gradients, set.get(path)!.data, offset);
      }
      const { downloads } = await program.run(state.controls({ ...update, counts: [step] }, step));
      const { norm } = await downloads;
      if (norm[2] === 0)
        throw new RnnError(
          "numeric",
          "optimizerSteps",
          `gradients of step ${step} have norm ${norm[0]}, which is too large to take a step; scale them down, or give clipNorm`,
        );
      results.push(session.store.split(await backend.read(session.store.parameters)));
    }
    return results;
  } finally {
    program.free();
    state.free();
    session.store.free();
  }
}
