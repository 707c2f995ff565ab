/** What a trainer is made of and asked for, and what it tells. */
import type { Backend } from "../backend/backend.ts";
import type { TrainingData } from "../data/batch.ts";
import { checkBoolean, checkInteger, RnnError, show } from "../errors.ts";
import { checkLoss, type Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import { hasMethods, takeOptions } from "../options.ts";
import { checkOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { checkLayerOptions, layerOptionNames, type LayerOptions } from "../session/plan.ts";
import { checkBackend, checkModel, Session } from "../session/session.ts";
import { checkClipping } from "./optimizer-state.ts";
import { takeRecovery, type Recovered, type RecoveryOptions } from "./recovery.ts";
import type { Training } from "./training-state.ts";

/** What a `Trainer` needs; the first four have no default. */
export interface TrainerOptions extends LayerOptions {
  backend: Backend;
  /** Where batches come from, e.g. `TextData`. */
  data: TrainingData;
  loss: Loss;
  optimizer: Optimizer;
  /** Gradients are scaled down to this global norm (Pascanu et al. 2013). */
  clipNorm?: number;
  /** Each gradient is clipped to ±clipValue; behind clipNorm if there are both. */
  clipValue?: number;
  /** Whether a step starts from the states the last one ended with (truncated BPTT; default true, unless the data says otherwise or a layer is bidirectional). */
  carryState?: boolean;
  /** Seed of dropout (default 0). */
  seed?: number;
  /**
   * What happens if the WebGPU device is lost: the training goes on from a copy on the host, on a new device or on the CPU,
   * and makes the steps since that copy again, on the batches that it had then. It takes the host's memory for the copy
   * (parameters and the optimiser's state) and for up to 32 MiB of batches. False: a lost device ends the training.
   */
  recovery?: RecoveryOptions | false;
}

/** How a training step went. */
export interface Progress {
  /** Training steps done so far, this one included. */
  step: number;
  /** Of this step's batch, before its update. */
  loss: number;
  /** Targets that counted, by the sum of their weights. If none did, loss and norm are 0, and nothing was learnt. */
  targets: number;
  /** Global norm of the gradients, before clipping. */
  gradientNorm: number;
  /** Of this step, from the optimiser's schedule. */
  learningRate: number;
  /** Targets per second since `run` was called. */
  tokensPerSecond: number;
  /** Set in the first step that is told after a device was lost. */
  recovered?: Recovered;
}

/** How long `Trainer.train` trains. */
export interface TrainOptions {
  /** Training steps to make. */
  steps: number;
  /** Ends the training early, after the steps in flight. */
  signal?: AbortSignal;
  /** Called after each step; if it returns a promise, that is awaited. */
  onProgress?: (progress: Progress) => unknown;
}

/** How a call of `Trainer.train` went. */
export interface Summary {
  /** Steps that it made: fewer than it was asked for if the signal ended it. */
  steps: number;
  /** Of each of these steps. */
  losses: number[];
  seconds: number;
  /** Targets per second. */
  tokensPerSecond: number;
}

function checkTrainerParts(model: Module, { backend, data, loss, optimizer }: TrainerOptions): void {
  checkModel(model);
  checkBackend(backend, "Trainer");
  if (!hasMethods(data, "batch"))
    throw new RnnError("option", "Trainer", `data must come from TextData.from or have a function batch(step), got ${show(data)}`);
  checkLoss("Trainer", loss);
  checkOptimizer("Trainer", optimizer);
}

/**
 * The parts of a trainer.
 * @throws RnnError `option` if an option is missing, unknown or out of range
 */
export function takeTrainer(
  model: Module,
  given: TrainerOptions,
): { data: TrainingData; backend: Backend; training: Training; recovery: RecoveryOptions | undefined } {
  const options = takeOptions(
    "Trainer",
    given,
    ["backend", "data", "loss", "optimizer", "clipNorm", "clipValue", "carryState", "seed", "recovery", ...layerOptionNames],
    { needed: true },
  );
  checkTrainerParts(model, options);
  const { data, loss, optimizer, backend } = options;
  const clipping = checkClipping("Trainer", options);
  if (options.carryState === true && model.readsBackwards)
    throw new RnnError(
      "option",
      "Trainer",
      "carryState must be false with bidirectional layers: what the second direction ends with belongs to the first step, not to the next batch",
    );
  const carryState = checkBoolean("Trainer", "carryState", options.carryState ?? data.carriesState ?? true) && !model.readsBackwards;
  const seed = checkInteger("Trainer", "seed", options.seed ?? 0, 0);
  Session.of(model, backend);
  const reserved = [...model.namedParameters().keys()].find((path) => /^(optimizer|carried)\./.test(path));
  if (reserved)
    throw new RnnError(
      "option",
      "Trainer",
      `a part of the model may not be named as checkpoints name what is not a parameter, got "${reserved}"; rename it`,
    );
  const training: Training = { model, loss, optimizer, clipping, carryState, seed, layerOptions: checkLayerOptions("Trainer", options) };
  return { data, backend, training, recovery: takeRecovery(options.recovery) };
}
