/** The state of a training on one backend, and how it makes a step there. */
import type { Backend } from "../backend/backend.ts";
import { RnnError } from "../errors.ts";
import type { Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import type { Parameter } from "../nn/parameter.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { CarriedStates } from "../session/carried-states.ts";
import type { LayerOptions } from "../session/plan.ts";
import type { Versions } from "../session/parameter-store.ts";
import { Session } from "../session/session.ts";
import { giveBack } from "../tensor/spare.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { History } from "./history.ts";
import { LossRecorder, type TakenBatch } from "./loss-recorder.ts";
import { OptimizerState, type Clipping, type Update } from "./optimizer-state.ts";
import { StepsInFlight, type Before, type Outcome, type Pending } from "./steps-in-flight.ts";

/** The settings of a training, on any backend. */
export interface Training {
  readonly model: Module;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly clipping: Clipping;
  readonly carryState: boolean;
  readonly seed: number;
  readonly layerOptions: LayerOptions;
}

/** The parts of a step besides its batch. */
export interface StepPlan {
  /** Which parameters are frozen in this step. */
  readonly frozen: string;
  readonly update: Update;
  readonly controls: Readonly<Record<string, Float64Array>>;
}

/** Everything that training needs to continue, all from one moment. */
export interface Snapshot {
  readonly step: number;
  /** Number of updates by parameter path, where it is not `step`. */
  readonly updates: Readonly<Record<string, number>>;
  readonly parameters: Record<string, Tensor<FloatArray>>;
  /** `<slot>.<parameter>`. */
  readonly optimizer: Record<string, Tensor>;
  readonly carried: Record<string, NumericArray>;
}

/** Someone else has changed parameters since the last copy, so this step could not be replayed from it. */
export class ChangedMeanwhile extends Error {}

/** A snapshot whose arrays are on the host, but not yet in the order of files. */
export interface Capture {
  readonly step: number;
  /** A parameter's values, in device order. */
  readonly parameters: (parameter: Parameter) => FloatArray;
  readonly snapshot: () => Snapshot;
  readonly versions: Versions;
  readonly frozen: string;
}

export class TrainingState {
  /** Training steps submitted so far. */
  step = 0;
  /** The parameters' versions after the last step, or in a copy made since then. */
  versions: Versions = new Map();
  frozen = "";
  readonly session: Session;
  readonly carried: CarriedStates;
  readonly optimizer: OptimizerState;
  readonly recorder: LossRecorder;
  readonly history: History;
  private readonly inFlight: StepsInFlight;
  /** The key of the last update. */
  private updating: string | undefined;

  constructor(
    readonly training: Training,
    readonly backend: Backend,
  ) {
    const { model, loss, optimizer, clipping, carryState, layerOptions } = training;
    this.session = Session.of(model, backend);
    this.carried = new CarriedStates(backend);
    this.optimizer = new OptimizerState(optimizer, this.session, clipping);
    this.history = new History(this.session, this.carried);
    // A value too large for half precision becomes NaN.
    const remedy =
      layerOptions.storage === "float16"
        ? ', clipNorm, or storage "float32" if recurrent weights or gates are beyond 65504'
        : ", or clipNorm";
    this.inFlight = new StepsInFlight(this.history, (to, then) => this.goBack(to, then), remedy);
    this.recorder = new LossRecorder(this.session, loss, this.carried, carryState, this.optimizer, layerOptions);
  }

  /** Frees all of it at once. */
  dispose(): void {
    this.recorder.dispose();
    this.optimizer.free();
    this.carried.free();
    this.history.free();
  }

  /** Called before a run. */
  begin(): Promise<void> {
    return this.session.store.inTurn(() => {
      this.optimizer.begin();
      this.inFlight.begin(this.step);
      this.updating = undefined;
    });
  }

  /** True if someone else has changed or frozen parameters since the last step or the last copy. */
  get isChanged(): boolean {
    return this.changed.length > 0 || this.frozen !== this.session.store.frozen;
  }

  /** The parameters that someone else has changed since then. */
  get changed(): Parameter[] {
    return this.session.store.changedSince(this.versions);
  }

  /** Called when this capture is the copy that a replay starts from. */
  hasCopied({ step, versions, frozen }: Capture): void {
    if (step === this.step) Object.assign(this, { versions, frozen });
  }

  /** The plan of the next step: what it updates, and the optimiser's inputs. */
  plan(): StepPlan {
    const update = this.optimizer.nextUpdate();
    return { update, frozen: this.session.store.frozen, controls: this.optimizer.controls(update, this.step) };
  }

  /**
   * Handles a change of what is frozen. A failed update restores only the parameters that it updates, which are not
   * those of the updates before. So this waits for the steps in flight; if they were good, they are never undone.
   */
  private async startAfterFreezing({ key }: Update): Promise<void> {
    if (this.updating === undefined || this.updating === key) return;
    await this.inFlight.settle(this.step);
    if (this.inFlight.failure) return;
    await this.session.store.inTurn(() => this.optimizer.begin());
    this.updating = undefined;
  }

  /**
   * Submits the next step.
   * @param prepared called when everything needed from the batch has been copied
   * @param plan the plan of the original step, in a replay
   * @param needsCopy true if a copy must contain what someone else has changed
   * @throws ChangedMeanwhile if the copy does not contain it
   */
  async submit(batch: TakenBatch, prepared: () => void, { update, controls, frozen }: StepPlan, needsCopy: boolean): Promise<Pending> {
    await this.startAfterFreezing(update);
    if (this.inFlight.failure) throw this.inFlight.failure;
    const {
      step,
      optimizer,
      training: { seed, layerOptions },
    } = this;
    const normalizer = this.recorder.normalizer(batch);
    const learns = normalizer[0] !== 0;
    if (learns) this.updating = update.key;
    const { program, context, release } = await (learns
      ? this.recorder.prepare(batch, update)
      : this.recorder.prepareWithoutTargets(batch));
    try {
      const inputs = { ...this.recorder.inputs(context, batch, normalizer, seed, step), ...(learns && controls) };
      prepared();
      let before: Before | undefined;
      const { downloads } = await this.session.run(program, inputs, {
        halves: layerOptions.storage === "float16",
        changes: learns || this.session.store.keepsStatistics,
        before: () => {
          if (needsCopy && this.changed.length > 0) throw new ChangedMeanwhile();
          const states = this.carried.buffers;
          const starts = this.carried.begin(context.externals, batch.startsSequence, context.begins);
          if (!learns) return starts;
          const kept = this.inFlight.backUp(step, optimizer.updates, states);
          before = kept.before;
          return [...kept.fills, ...starts];
        },
        after: () => {
          if (learns) optimizer.updated(update);
          this.step++;
          this.versions = this.session.store.versions;
          this.frozen = frozen;
        },
      });
      downloads.then(release, release);
      // Otherwise the step may have to be run again.
      if (!needsCopy) giveBack(inputs);
      const pending = {
        state: this,
        step: step + 1,
        tokens: batch.targets.data.length,
        learningRate: controls.control[0],
        targets: normalizer[0],
        before,
        downloads,
      };
      this.inFlight.add(pending);
      return pending;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** @throws RnnError as `StepsInFlight.report` */
  report(pending: Pending): Promise<Outcome> {
    return this.inFlight.report(pending);
  }

  /** A snapshot of one moment between two steps. */
  async read(): Promise<Snapshot> {
    return (await this.capture()).snapshot();
  }

  /** The same, with arrays put into file order only if needed. */
  async capture(): Promise<Capture> {
    const { store } = this.session;
    for (;;) {
      const { step, updates, versions, frozen, reading } = await store.inTurn(async () => {
        await store.sync();
        const {
          step,
          optimizer: { updates },
        } = this;
        return {
          step,
          updates,
          versions: store.versions,
          frozen: store.frozen,
          reading: Promise.all([
            store.read(),
            this.optimizer.read(),
            this.carried.read(),
            this.inFlight.failure ? true : this.optimizer.isHealthy(),
          ]),
        };
      });
      const [parameters, optimizer, carried, healthy] = await reading;
      const others = Object.fromEntries([...updates].filter(([, count]) => count !== step));
      if (healthy)
        return {
          step,
          parameters,
          versions,
          frozen,
          snapshot: () => ({ step, updates: others, parameters: store.tensors(parameters), optimizer: optimizer(), carried }),
        };
      // A step in flight has failed and has not been reported yet, so this is not a state between two good steps.
      await this.inFlight.undoFailure();
      if (!this.inFlight.failure)
        throw new RnnError("device", "Trainer", "the device says that a step went wrong, but none that it was given did");
    }
  }

  private goBack({ step, updates, backup }: Before, then: () => void): Promise<void> {
    return this.session.store.inTurn(() => {
      this.history.restore(backup);
      this.optimizer.updates = updates;
      this.step = step;
      then();
    });
  }
}
