/** Runs a model forward. */
import type { Backend } from "../backend/backend.ts";
import { checkBoolean, checkInteger } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { giveBack } from "../tensor/spare.ts";
import type { TensorLike } from "../tensor/take.ts";
import { checkLayerOptions, layerOptionNames, planFor, type LayerOptions, type ModelInputs } from "./plan.ts";
import type { Reading } from "./reading.ts";
import type { RunContext } from "./run-context.ts";
import { resultsOf, takeResultArrays, type ModelOutputs, type ResultArrays } from "./results.ts";
import { Session } from "./session.ts";

/** Options of a run. */
export interface RunOptions extends LayerOptions {
  backend: Backend;
  /** True if dropout is active (default false). */
  training?: boolean;
  /** Seed of the dropout masks (default 0). */
  seed?: number;
}

/** Options of `forward`. */
export interface ForwardOptions extends RunOptions {
  /** Arrays that receive the results, instead of new ones. They must stay as they are until the call is over. */
  into?: ResultArrays;
}

/** @throws RnnError `option` */
export function takeRunOptions<O extends RunOptions>(where: string, given: O, further: readonly string[] = []): O {
  const options = takeOptions(where, given, ["backend", "training", "seed", ...layerOptionNames, ...further], { needed: true });
  checkBoolean(where, "training", options.training ?? false);
  checkInteger(where, "seed", options.seed ?? 0, 0);
  checkLayerOptions(where, options);
  return options;
}

/** Downloads of a forward pass: output and final states. */
export function downloadOutputs(context: RunContext): void {
  context.recording.download("output", context.output.view);
  for (const [path, { view }] of context.emitted) context.recording.download(`emitted.${path}`, view);
  for (const [path, { final }] of context.states) final.forEach((v, i) => context.recording.download(`final.${path}.${i}`, v.view));
}

/**
 * Runs a model once.
 * @throws RnnError `shape`, `data` or `option` before anything runs, if the inputs do not fit
 */
export function forward(model: Module, inputs: ModelInputs | TensorLike, options: ForwardOptions): Promise<ModelOutputs> {
  return forwardOf(model, inputs, options);
}

/** @param reading the parameters of an earlier moment (default: of this one) */
export async function forwardOf(
  model: Module,
  inputs: ModelInputs | TensorLike,
  given: ForwardOptions,
  reading?: Reading,
): Promise<ModelOutputs> {
  const options = takeRunOptions("forward", given, ["into"]);
  const taken = takeResultArrays("forward", options.into);
  const session = Session.of(model, options.backend);
  const { plan, data } = planFor(model, inputs, { ...options, differentiates: false });
  const { context, program, release } = await session.prepare("forward", plan, downloadOutputs);
  try {
    const { outputs, byDownload } = resultsOf(context, options.backend, "forward", taken);
    const { downloads } = await session.run(
      program,
      { ...data, ...context.stepInputs(options.seed ?? 0, 0) },
      { reading, into: byDownload, halves: plan.storage === "float16", changes: plan.training && session.store.keepsStatistics },
    );
    await downloads;
    giveBack(data);
    return outputs;
  } finally {
    release();
  }
}
