/** The options and results of a trainer. */
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

/** Options of a `Trainer`; the first four have no default. */
export interface TrainerOptions extends LayerOptions {
  backend: Backend;
  /** The source of batches, e.g. `TextData`. */
  data: TrainingData;
  loss: Loss;
  optimizer: Optimizer;
  /** Gradients are scaled down to this global norm (Pascanu et al. 2013). */
  clipNorm?: number;
  /** Each gradient is clipped to ±clipValue, after clipNorm if both are set. */
  clipValue?: number;
  /**
   * If true, a step starts from the final states of the last one (truncated BPTT). Default true, unless the data says
   * otherwise or a layer is bidirectional.
   */
  carryState?: boolean;
  /** Seed of dropout (default 0). */
  seed?: number;
  /**
   * What to do if the WebGPU device is lost. By default, training continues from a copy on the host, on a new device or
   * on the CPU, and runs the steps since that copy again with the same batches. This takes host memory for the copy
   * (parameters and the optimiser's state) and for up to 32 MiB of batches. False: a lost device ends the training.
   */
  recovery?: RecoveryOptions | false;
}

/** The result of a training step. */
export interface Progress {
  /** Training steps done so far, this one included. */
  step: number;
  /** Of this step's batch, before its update. */
  loss: number;
  /** Sum of the weights of the targets. If it is 0, loss and norm are 0, and the step learnt nothing. */
  targets: number;
  /** Global norm of the gradients, before clipping. */
  gradientNorm: number;
  /** The learning rate of this step, from the optimiser's schedule. */
  learningRate: number;
  /** Targets per second since `run` was called. */
  tokensPerSecond: number;
  /** Set in the first step that is reported after a device was lost. */
  recovered?: Recovered;
}

/** Options of `Trainer.train`. */
export interface TrainOptions {
  /** Number of training steps. */
  steps: number;
  /** Ends the training early, after the steps in flight. */
  signal?: AbortSignal;
  /** Called after each step. If it returns a promise, the trainer awaits it. */
  onProgress?: (progress: Progress) => unknown;
}

/** The result of `Trainer.train`. */
export interface Summary {
  /** Steps made: fewer than requested if the signal ended the run. */
  steps: number;
  /** The loss of each of these steps. */
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
      "carryState must be false with layers that read backwards: what they end with belongs to the first step, not to the next batch",
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
