import type { Backend } from "../backend/backend.ts";
import type { TrainingData } from "../data/batch.ts";
import { checkBoolean, checkInteger, checkSignal, RnnError, show } from "../errors.ts";
import { checkLoss, type Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { checkOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { CarriedStates } from "../session/carried-states.ts";
import { checkLayerOptions, layerOptionNames, type LayerOptions } from "../session/plan.ts";
import type { MemoryUse } from "../session/memory.ts";
import { Session } from "../session/session.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import { breathe } from "../session/breathe.ts";
import { now } from "../session/clock.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint.ts";
import { batchInputs, LossRecorder } from "./loss-recorder.ts";
import { checkClipping, OptimizerState } from "./optimizer-state.ts";

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
}

/** How a training step went. */
export interface Progress {
  /** Training steps done so far, this one included. */
  step: number;
  /** Of this step's batch, before its update. */
  loss: number;
  /** Global norm of the gradients, before clipping. */
  gradientNorm: number;
  /** Of this step, from the optimiser's schedule. */
  learningRate: number;
  /** Targets per second since `run` was called. */
  tokensPerSecond: number;
}

/** How good a model is on data, without training on them. */
export interface Evaluation {
  /** Mean loss; nats per token for cross-entropy. */
  loss: number;
  /** loss / ln 2: bits per character of a character model. */
  bitsPerCharacter: number;
  /** e^loss. */
  perplexity: number;
}

/** A step that was submitted but whose loss has not come back yet. */
interface Pending {
  readonly step: number;
  readonly tokens: number;
  readonly learningRate: number;
  readonly downloads: Promise<Readonly<Record<string, NumericArray>>>;
}

function checkParts({ backend, data, loss, optimizer }: TrainerOptions): void {
  if (typeof backend?.prepare !== "function") throw new RnnError("option", "Trainer", `backend must come from createBackend, got ${show(backend)}`);
  if (typeof data?.batch !== "function") throw new RnnError("option", "Trainer", `data must come from TextData.from or have a function batch(step), got ${show(data)}`);
  checkLoss("Trainer", loss);
  checkOptimizer("Trainer", optimizer);
}

/** Steps in flight before the oldest loss is waited for. The CPU has nothing to hide. */
const depthOf = (backend: Backend): number => (backend.kind === "webgpu" ? 4 : 1);

/** Trains a model by truncated BPTT: one submit a step, with the carried state and the optimiser's on the device. */
export class Trainer {
  /** Training steps submitted so far. */
  step = 0;
  readonly backend: Backend;
  private readonly options: TrainerOptions;
  private readonly session: Session;
  private readonly carried: CarriedStates;
  private readonly optimizerState: OptimizerState;
  private readonly recorder: LossRecorder;
  private readonly carryState: boolean;
  private readonly seed: number;
  private running = false;
  /** Where the present run began: its first parameters are never undone. */
  private firstStep = 0;

  /** @throws RnnError `option` if an option is missing, unknown or out of range */
  constructor(readonly model: Module, given: TrainerOptions) {
    const options = (this.options = takeOptions("Trainer", given, ["backend", "data", "loss", "optimizer", "clipNorm", "clipValue", "carryState", "seed", ...layerOptionNames], { needed: true }));
    checkParts(options);
    this.backend = options.backend;
    this.session = Session.of(model, options.backend);
    const clipping = checkClipping("Trainer", options);
    if (options.carryState === true && model.readsBackwards) throw new RnnError("option", "Trainer", "carryState must be false with bidirectional layers: what the second direction ends with belongs to the first step, not to the next batch");
    this.carryState = checkBoolean("Trainer", "carryState", options.carryState ?? options.data.carriesState ?? true) && !model.readsBackwards;
    this.seed = checkInteger("Trainer", "seed", options.seed ?? 0, 0);
    const reserved = [...model.namedParameters().keys()].find((path) => /^(optimizer|carried)\./.test(path));
    if (reserved) throw new RnnError("option", "Trainer", `a part of the model may not be named as checkpoints name what is not a parameter, got "${reserved}"; rename it`);
    this.carried = new CarriedStates(options.backend);
    this.optimizerState = new OptimizerState(options.optimizer, this.session, clipping);
    this.recorder = new LossRecorder(this.session, options.loss, this.carried, this.carryState, this.optimizerState, checkLayerOptions("Trainer", options));
  }

  /**
   * Trains for `steps` more steps. Leaving the loop, or `signal`, ends it after the steps in flight.
   * @throws RnnError `numeric` if the loss or the gradient is not finite, naming step and loss. The parameters are then
   * the last ones whose loss was finite, and carried states are zero.
   */
  async *run(options: { steps: number; signal?: AbortSignal }): AsyncGenerator<Progress, void, undefined> {
    const { signal, steps } = takeOptions("Trainer", options, ["steps", "signal"], { needed: true });
    checkInteger("Trainer", "steps", steps, 0);
    checkSignal("Trainer", signal);
    if (this.running) throw new RnnError("option", "Trainer", "is running already; leave the other loop first");
    this.running = true;
    const pending: Pending[] = [];
    const started = now();
    let tokens = 0;
    let breathed = started;
    const settle = async (): Promise<Progress> => {
      const done = pending.shift()!;
      const progress = await this.report(done);
      tokens += done.tokens;
      return { ...progress, tokensPerSecond: (1000 * tokens) / (now() - started) };
    };
    try {
      await this.session.store.inTurn(() => this.optimizerState.begin());
      this.firstStep = this.step;
      const last = this.step + steps;
      while (this.step < last && !signal?.aborted) {
        pending.push(await this.submit());
        if (pending.length >= depthOf(this.backend)) yield await settle();
        if (now() - breathed > 20) {
          await breathe();
          breathed = now();
        }
      }
      while (pending.length > 0) yield await settle();
    } catch (error) {
      // The steps behind a failed one changed nothing and have nothing to say.
      pending.length = 0;
      throw error;
    } finally {
      // Left early: a failure in a step still in flight must not pass unseen.
      try {
        while (pending.length > 0) await settle();
      } finally {
        this.running = false;
      }
    }
  }

  /** Bytes that a training step takes on the device, for a batch as the data gives it next. Nothing is allocated. */
  plannedMemory(): MemoryUse {
    return this.recorder.plannedMemory(this.recorder.take(this.options.data.batch(this.step, this.model.batchFirst)));
  }

  /**
   * Mean loss over `data` (by default the training data) from zero states, with dropout off.
   * @param options.batches how many of its batches (default all)
   */
  async evaluate(data: TrainingData = this.options.data, given: { batches?: number } = {}): Promise<Evaluation> {
    const options = takeOptions("evaluate", given, ["batches"]);
    if (typeof data?.batch !== "function") throw new RnnError("option", "evaluate", `data must come from TextData.from or have a function batch(step), got ${show(data)}`);
    const batches = checkInteger("evaluate", "batches", options.batches ?? data.batches, 1);
    const carried = new CarriedStates(this.backend);
    const recorder = new LossRecorder(this.session, this.options.loss, carried, this.carryState && data.carriesState !== false);
    try {
      let sum = 0;
      let count = 0;
      for (let i = 0; i < Math.min(batches, data.batches); i++) {
        const batch = recorder.take(data.batch(i, this.model.batchFirst));
        const { program, context, release } = await recorder.prepare(batch);
        if (batch.startsSequence) carried.reset();
        const inputs = batchInputs(this.options.loss, context, batch, this.seed, 0);
        let loss: NumericArray;
        try {
          const { downloads } = await this.session.run(program, inputs);
          ({ loss } = await downloads);
        } finally {
          release();
        }
        const { normalizer } = inputs;
        // A mean is undone by its factor, so that batches count by their targets.
        sum += normalizer[1] === 0 ? 0 : loss[0] / normalizer[1];
        count += normalizer[0];
        await breathe();
      }
      const loss = sum / count;
      return { loss, bitsPerCharacter: loss / Math.LN2, perplexity: Math.exp(loss) };
    } finally {
      recorder.forget();
      carried.free();
    }
  }

  /**
   * Everything a resumed run needs, as a safetensors file: parameters by PyTorch name, the optimiser's state under
   * `optimizer.`, carried states under `carried.`, step and seed in the metadata. While a run is going on it is all of
   * one moment, after the step that the file says.
   * @param metadata further text to keep, e.g. the vocabulary
   */
  async checkpoint(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array<ArrayBuffer>> {
    const { step, reading } = await this.session.store.inTurn(() => ({
      step: this.step, reading: Promise.all([this.model.readParameters(), this.optimizerState.read(), this.carried.read()]),
    }));
    const [parameters, optimizer, carried] = await reading;
    return encodeCheckpoint({
      parameters,
      optimizer,
      carried,
      step,
      seed: this.seed,
      optimizerName: this.options.optimizer.name,
      metadata,
    });
  }

  /**
   * Goes back to a checkpoint: the next step is the one that followed it, bit for bit on the same backend.
   * @throws RnnError `format` if the file is truncated, foreign or does not fit, naming the tensor; nothing changes then
   */
  restore(file: Uint8Array | ArrayBuffer): void {
    if (this.running) throw new RnnError("option", "Trainer", "is running; leave the loop before restoring");
    const checkpoint = decodeCheckpoint(file, { optimizerName: this.options.optimizer.name, seed: this.seed });
    this.optimizerState.check(checkpoint.optimizer);
    this.recorder.checkCarried(checkpoint.carried, this.recorder.take(this.options.data.batch(checkpoint.step, this.model.batchFirst)), checkpoint.step);
    this.model.loadStateDict(checkpoint.parameters);
    this.optimizerState.write(checkpoint.optimizer);
    this.carried.reset();
    this.carried.write(checkpoint.carried);
    this.step = checkpoint.step;
  }

  private async submit(): Promise<Pending> {
    const { step } = this;
    const batch = this.recorder.take(this.options.data.batch(step, this.model.batchFirst));
    const { program, context, release } = await this.recorder.prepare(batch);
    try {
      const control = Float64Array.from(this.options.optimizer.control(step));
      const { downloads } = await this.session.run(program, { ...batchInputs(this.options.loss, context, batch, this.seed, step), control }, {
        changes: true,
        before: () => {
          if (batch.startsSequence) this.carried.reset();
        },
        after: () => {
          this.step++;
        },
      });
      downloads.then(release, release);
      return { step: step + 1, tokens: batch.targets.data.length, learningRate: control[0], downloads };
    } catch (error) {
      release();
      throw error;
    }
  }

  private async report({ step, learningRate, downloads }: Pending): Promise<Omit<Progress, "tokensPerSecond">> {
    const { loss, norm } = await downloads as { loss: NumericArray; norm: NumericArray };
    if (norm[2] === 0) {
      // This step and those behind it changed nothing, and the one before it is undone: its outcome is what failed.
      await this.session.store.inTurn(() => {
        this.step = Math.max(this.firstStep, step - 2);
        this.carried.reset();
      });
      throw new RnnError("numeric", "Trainer", `step ${step} gave loss ${loss[0]} with gradient norm ${norm[0]}; parameters are the last whose loss was finite. Try a lower learning rate, or clipNorm`);
    }
    return { step, loss: loss[0], gradientNorm: norm[0], learningRate };
  }
}
