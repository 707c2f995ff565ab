import type { BatchLike } from "../data/batch.ts";
import { checkBoolean } from "../errors.ts";
import { align } from "../kernels/kernel.ts";
import { lossSum } from "../kernels/losses.ts";
import { takeMask, takeTargets, type Loss } from "../losses/loss.ts";
import { takeOptions } from "../options.ts";
import { subview, type Recording, type View } from "../recording/recording.ts";
import type { CarriedStates } from "../session/carried-states.ts";
import type { ParameterStore } from "../session/parameter-store.ts";
import type { RecordingPlan, RunContext } from "../session/run-context.ts";
import { planOf, takeInputs, type LayerOptions, type TakenInputs } from "../session/plan.ts";
import { Recordings, type Lent } from "../session/recordings.ts";
import type { Session } from "../session/session.ts";
import { checkShape, sizeOf } from "../tensor/shape.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";
import type { OptimizerState, Update } from "./optimizer-state.ts";

/** Copies of a batch, checked as far as possible before recording. */
export interface TakenBatch {
  readonly inputs: TakenInputs;
  readonly targets: Tensor;
  readonly mask: Tensor | undefined;
  readonly startsSequence: boolean;
}

/** Records the forward pass and the loss of a batch; with an optimiser, the whole training step. */
export class LossRecorder {
  /** Separate from the session's recordings: they hold the memory of one trainer and are freed with it. */
  private readonly recordings = new Recordings();

  constructor(
    private readonly session: Session,
    private readonly loss: Loss,
    private readonly carried: CarriedStates,
    private readonly carryState: boolean,
    private readonly optimizer?: OptimizerState,
    private readonly layerOptions: LayerOptions = {},
  ) {}

  /** @throws RnnError `shape`, `data` or `option` if the batch does not fit the model */
  take(given: BatchLike): TakenBatch {
    const batch = takeOptions("batch", given, ["input", "further", "lengths", "stepMask", "targets", "mask", "startsSequence"], {
      needed: true,
    });
    return {
      inputs: takeInputs(this.session.model, {
        input: batch.input,
        lengths: batch.lengths,
        stepMask: batch.stepMask,
        further: batch.further,
      }),
      targets: takeTargets(this.loss, batch.targets),
      mask: batch.mask === undefined ? undefined : takeMask(this.loss, batch.mask),
      startsSequence: checkBoolean("batch", "startsSequence", batch.startsSequence ?? false),
    };
  }

  /** The recording for batches of this shape, with this update at its end if there is an optimiser. */
  prepare(batch: TakenBatch, update?: Update): Promise<Lent> {
    return this.lend(batch, `${batch.mask !== undefined} ${update?.key ?? ""}`, this.planOf(batch, update), (context) =>
      this.finish(context, batch, update),
    );
  }

  /** The recording for a batch without a target that counts: it advances the carried states and learns nothing. */
  prepareWithoutTargets(batch: TakenBatch): Promise<Lent> {
    return this.lend(batch, "no targets", { ...this.planOf(batch), differentiates: false }, (context) => context.keepStates());
  }

  private async lend(
    { startsSequence }: TakenBatch,
    key: string,
    plan: RecordingPlan,
    finish: (context: RunContext) => void,
  ): Promise<Lent> {
    if (this.carried.isFull) {
      this.recordings.clear();
      this.carried.freeOthers();
    }
    const carrying = await this.lendOne(key, plan, finish);
    if (plan.states.kind !== "carried" || !carrying.context.givesStates || !(startsSequence || this.carried.isEmpty)) return carrying;
    // Sequences begin with states that the model computes: it can learn them.
    carrying.release();
    return this.lendOne(key, { ...plan, states: { kind: "begun" } }, finish);
  }

  private lendOne(key: string, plan: RecordingPlan, finish: (context: RunContext) => void): Promise<Lent> {
    return this.recordings.lend(`${key} ${JSON.stringify(plan)}`, () =>
      this.session.make(plan, finish, (label, buffer) =>
        (label.startsWith("carried.") ? this.carried : this.optimizer!).memoryFor(label, buffer),
      ),
    );
  }

  /** [Σ weights of the targets, factor of the sum of losses]. */
  normalizer({ targets, mask }: TakenBatch): Float64Array {
    return this.loss.normalizer(targets.data, mask?.data);
  }

  /**
   * Checks the targets of a batch against the loss, and names its arrays as the recording does. `take` has checked the
   * input.
   * @param normalizer the loss's normaliser for this batch
   */
  inputs(context: RunContext, batch: TakenBatch, normalizer: Float64Array, seed: number, step: number): Record<string, NumericArray> {
    const { loss } = this;
    const shape = loss.targetShape(context.output.shape);
    const { inputs: given, targets, mask } = batch;
    checkShape(loss.name, "targets", targets.shape, shape);
    loss.checkTargets(targets.data, context.output.shape);
    if (mask) checkShape(loss.name, "mask", mask.shape, shape);
    const inputs = { ...planOf(given, { differentiates: false }).data, ...context.stepInputs(seed, step) };
    return normalizer[0] === 0 ? inputs : { ...inputs, targets: targets.data, ...(mask && { mask: mask.data }), normalizer };
  }

  /** The plan of a batch's recording, with this update at its end if there is an optimiser. */
  planOf({ inputs }: TakenBatch, update?: Update): RecordingPlan {
    const training = this.optimizer !== undefined;
    const { plan } = planOf(inputs, { training, differentiates: training, ...this.layerOptions });
    return { ...plan, states: this.carryState ? { kind: "carried" } : { kind: "zero" }, inputGradient: false, learnt: update?.paths };
  }

  /** Frees the recordings at once: a caller that still uses one gets an error. */
  dispose(): void {
    this.recordings.dispose();
  }

  finish(context: RunContext, { mask }: TakenBatch, update: Update | undefined): void {
    const { recording, tape, output } = context;
    const shape = this.loss.targetShape(output.shape);
    const targets = recording.buffer("targets", shape, "input", this.loss.targetType);
    const weights = mask
      ? recording.buffer("mask", shape, "input")
      : recording.buffer("mask.ones", shape, "constant", "f32", new Float32Array(sizeOf(shape)).fill(1));
    const normalizer = recording.buffer("normalizer", [2], "input");
    const losses = this.loss.record(tape, output, targets, weights, normalizer);
    if (this.optimizer && update) {
      tape.backward();
      const reached = update.paths.filter((path) => context.hasGradient(path));
      clearOthers(this.session.store, recording, context.gradients, reached);
      this.optimizer.record(context, losses, normalizer, update);
    } else {
      const loss = recording.buffer("loss", [1]);
      recording.dispatch(lossSum, { losses, normalizer, loss }, { length: sizeOf(losses.shape) });
      recording.download("loss", loss);
      recording.download("losses", losses);
    }
    context.keepStates();
  }
}

/**
 * Records a clear of `gradients` before the first dispatch: parameters that get no gradient here, because they are frozen
 * or take no part, get zeros. Another recording may have left others there.
 * @param reached paths of the parameters that get one
 */
export function clearOthers({ learnable }: ParameterStore, recording: Recording, gradients: View, reached: readonly string[]): void {
  for (const { path, parameter, offset } of learnable) {
    if (!reached.includes(path)) recording.clearFirst(subview(gradients, offset, [align(parameter.deviceSize)]));
  }
}
