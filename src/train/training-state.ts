/** What a training keeps on one backend, and how it makes a step there. */
import type { Backend } from "../backend/backend.ts";
import { RnnError } from "../errors.ts";
import type { Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { CarriedStates } from "../session/carried-states.ts";
import type { LayerOptions } from "../session/plan.ts";
import { Session } from "../session/session.ts";
import type { FloatArray, NumericArray, Tensor } from "../tensor/tensor.ts";
import { batchInputs, LossRecorder, type TakenBatch } from "./loss-recorder.ts";
import { OptimizerState, type Clipping } from "./optimizer-state.ts";

/** How steps are made, on whatever backend. */
export interface Training {
  readonly model: Module;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly clipping: Clipping;
  readonly carryState: boolean;
  readonly seed: number;
  readonly layerOptions: LayerOptions;
}

/** A step that was submitted but whose loss has not come back yet. */
export interface Pending {
  readonly step: number;
  readonly tokens: number;
  readonly learningRate: number;
  readonly downloads: Promise<Readonly<Record<string, NumericArray>>>;
}

/** Everything that a training goes on from, as it was at one moment. */
export interface Moment {
  readonly step: number;
  readonly parameters: Record<string, Tensor<FloatArray>>;
  /** `<slot>.<parameter>`. */
  readonly optimizer: Record<string, Tensor>;
  readonly carried: Record<string, NumericArray>;
}

export class TrainingState {
  /** Training steps submitted so far. */
  step = 0;
  readonly session: Session;
  readonly carried: CarriedStates;
  readonly optimizer: OptimizerState;
  readonly recorder: LossRecorder;
  /** Where the present run began: its first parameters are never undone. */
  private firstStep = 0;

  constructor(private readonly training: Training, readonly backend: Backend) {
    const { model, loss, optimizer, clipping, carryState, layerOptions } = training;
    this.session = Session.of(model, backend);
    this.carried = new CarriedStates(backend);
    this.optimizer = new OptimizerState(optimizer, this.session, clipping);
    this.recorder = new LossRecorder(this.session, loss, this.carried, carryState, this.optimizer, layerOptions);
  }

  /** Frees all of it, at once. */
  dispose(): void {
    this.recorder.dispose();
    this.optimizer.free();
    this.carried.free();
  }

  /** Before a run. */
  begin(): Promise<void> {
    return this.session.store.inTurn(async () => {
      await this.optimizer.begin();
      this.firstStep = this.step;
    });
  }

  /**
   * Submits the next step.
   * @param prepared called when nothing of the batch's is needed any more but what has been copied
   */
  async submit(batch: TakenBatch, prepared: () => void): Promise<Pending> {
    const { step, training: { loss, optimizer, seed } } = this;
    const { program, context, release } = await this.recorder.prepare(batch);
    try {
      const control = Float64Array.from(optimizer.control(step));
      const inputs = { ...batchInputs(loss, context, batch, seed, step), control };
      prepared();
      const { downloads } = await this.session.run(program, inputs, {
        changes: true,
        before: () => this.carried.begin(context.externals, batch.startsSequence),
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

  /**
   * The outcome of a step, once it has come.
   * @throws RnnError `numeric` if it is not finite
   */
  async report({ step, learningRate, downloads }: Pending): Promise<{ step: number; loss: number; gradientNorm: number; learningRate: number }> {
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

  /** What there is to go on from, all of one moment between two steps. */
  async read(): Promise<Moment> {
    const { step, reading } = await this.session.store.inTurn(() => ({
      step: this.step, reading: Promise.all([this.training.model.readParameters(), this.optimizer.read(), this.carried.read()]),
    }));
    const [parameters, optimizer, carried] = await reading;
    return { step, parameters, optimizer, carried };
  }

  /** Goes on from there. */
  write({ step, parameters, optimizer, carried }: Pick<Moment, "step" | "carried"> & { parameters: Readonly<Record<string, Tensor>>; optimizer: Readonly<Record<string, Tensor>> }): void {
    this.training.model.loadStateDict(parameters);
    this.optimizer.write(optimizer);
    this.carried.write(carried);
    this.step = step;
  }
}
