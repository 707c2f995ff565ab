/** Training steps whose loss has not come back yet, and the way back to before one that failed. */
import type { DeviceBuffer, Fill } from "../backend/backend.ts";
import { RnnError } from "../errors.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { Backup, History } from "./history.ts";
import type { TrainingState } from "./training-state.ts";

/** What is needed to undo a step, besides `lastGood` on the device. */
export interface Before {
  readonly step: number;
  readonly updates: ReadonlyMap<string, number>;
  readonly backup: Backup;
}

/** A step that was submitted but whose loss has not come back yet. */
export interface Pending {
  /** The state that submitted it. */
  readonly state: TrainingState;
  readonly step: number;
  readonly tokens: number;
  readonly learningRate: number;
  /** Σ weights of the targets. */
  readonly targets: number;
  /** Undefined if no target counted: then the step learnt nothing, and there is nothing to undo. */
  readonly before: Before | undefined;
  readonly downloads: Promise<Readonly<Record<string, NumericArray>>>;
}

/** The result of a step. */
export interface Outcome {
  step: number;
  loss: number;
  targets: number;
  gradientNorm: number;
  learningRate: number;
}

export class StepsInFlight {
  /** The oldest first. */
  private readonly pending: Pending[] = [];
  /**
   * The state before the last step of this run that is known to be good; none from before a change of what is frozen.
   */
  private lastGood: Before | undefined;
  /** Steps before this one are never undone. */
  private firstStep = 0;
  /** The failure of this run, once the failed step has been undone. */
  failure: RnnError | undefined;

  /**
   * @param goBack goes back to the state before a step, then calls `then`, all in one turn
   * @param remedy the end of the error's advice
   */
  constructor(
    private readonly history: History,
    private readonly goBack: (to: Before, then: () => void) => Promise<void>,
    private readonly remedy: string,
  ) {}

  /** Forgets all steps. Called before a run. */
  begin(step: number): void {
    this.history.releaseAll();
    this.pending.length = 0;
    this.firstStep = step;
    this.lastGood = this.failure = undefined;
  }

  /** Awaits the steps in flight. If they are good, they are never undone; `step` is the next one. */
  async settle(step: number): Promise<void> {
    await this.undoFailure();
    if (this.failure) return;
    if (this.lastGood) this.history.release(this.lastGood.backup);
    this.lastGood = undefined;
    this.firstStep = step;
  }

  /** Keeps what the next step changes besides the update. @returns copies that its run must do first */
  backUp(step: number, updates: ReadonlyMap<string, number>, states: ReadonlyMap<string, DeviceBuffer>): { before: Before; fills: Fill[] } {
    const { backup, fills } = this.history.backUp(states);
    return { before: { step, updates, backup }, fills };
  }

  add(pending: Pending): void {
    this.pending.push(pending);
  }

  /**
   * Awaits the outcome of the oldest step.
   * @throws RnnError `numeric` if its loss or gradient norm is not finite
   */
  async report({ step, targets, learningRate, before, downloads }: Pending): Promise<Outcome> {
    const {
      loss: [loss],
      norm: [gradientNorm, , healthy],
    } = { loss: [0], norm: [0, 0, 1], ...(await downloads) };
    if (healthy === 0) {
      await this.undoFailure(1);
      throw this.failure!;
    }
    if (before && before.step < this.firstStep) {
      this.history.release(before.backup);
    } else if (before) {
      if (this.lastGood) this.history.release(this.lastGood.backup);
      this.lastGood = before;
    }
    this.pending.shift();
    return { step, targets, learningRate, loss, gradientNorm };
  }

  /** If one of the oldest `count` steps failed, goes back to the state before the update that caused it. */
  async undoFailure(count = this.pending.length): Promise<void> {
    let good = this.lastGood;
    for (const { step, before, downloads } of this.pending.slice(0, count)) {
      const { loss, norm } = (await downloads) as { loss: NumericArray; norm: NumericArray };
      if (this.failure) return;
      if (!before) continue;
      if (norm[2] !== 0) {
        if (before.step >= this.firstStep) good = before;
        continue;
      }
      // This step and those behind it changed nothing else. The update before it is undone, because its result is what
      // failed.
      const back = good ?? before;
      await this.goBack(back, () => {
        this.failure ??= new RnnError(
          "numeric",
          "Trainer",
          `step ${step} gave loss ${loss[0]} with gradient norm ${norm[0]}; everything is as it was after step ${back.step}. Try a lower learning rate${this.remedy}`,
        );
      });
      return;
    }
  }
}
