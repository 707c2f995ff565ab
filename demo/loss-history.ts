/** Losses by step for the curve. When there are many, neighbours are joined, so that memory and drawing stay small. */
import type { StepReport } from "./messages.ts";

/** Weight of a new loss in the smoothed curve. */
const weight = 0.06;

/** The saved form of a history. */
export interface SavedLosses {
  readonly steps: readonly number[];
  readonly raw: readonly number[];
  readonly smooth: readonly number[];
}

export class LossHistory {
  readonly steps: number[] = [];
  readonly raw: number[] = [];
  readonly smooth: number[] = [];
  private average = NaN;
  private stride = 1;
  private waiting: number[] = [];

  constructor(private readonly most = 4000) {}

  /** The smoothed loss, or NaN before the first. */
  get latest(): number {
    return this.average;
  }

  add({ step, loss }: StepReport): void {
    // The smoothed curve starts where the raw one does; a mean of few losses weighs them alike.
    const share = Math.max(weight, 1 / (this.steps.length * this.stride + this.waiting.length + 1));
    this.average = Number.isNaN(this.average) ? loss : this.average + share * (loss - this.average);
    this.waiting.push(loss);
    // The first loss stays as it was.
    if (this.waiting.length < this.stride && this.steps.length > 0) return;
    this.steps.push(step);
    this.raw.push(mean(this.waiting));
    this.smooth.push(this.average);
    this.waiting = [];
    if (this.steps.length > this.most) this.thin();
  }

  /** For a training that goes back to an earlier step: what came later is forgotten, in the smoothed loss too. */
  cutAfter(step: number): void {
    const first = this.steps.findIndex((s) => s > step);
    if (first >= 0) {
      this.cut(first);
      this.average = this.smooth.at(-1) ?? NaN;
    }
    this.waiting = [];
  }

  get kept(): SavedLosses {
    const { steps, raw, smooth } = this;
    return { steps: [...steps], raw: [...raw], smooth: [...smooth] };
  }

  /** Continues from saved losses, if they are valid. */
  restore({ steps, raw, smooth }: SavedLosses): void {
    const isCurve = [steps, raw, smooth].every(
      (values) => Array.isArray(values) && values.length === steps.length && values.every(Number.isFinite),
    );
    if (!isCurve) return;
    this.cut(0);
    steps.forEach((step, i) => {
      this.steps.push(step);
      this.raw.push(raw[i]);
      this.smooth.push(smooth[i]);
    });
    this.stride = Math.max(1, Math.round(((steps.at(-1) ?? 0) - (steps[0] ?? 0)) / Math.max(1, steps.length - 1)));
    this.average = smooth.at(-1) ?? NaN;
    this.waiting = [];
  }

  private cut(length: number): void {
    for (const array of [this.steps, this.raw, this.smooth]) array.length = length;
  }

  private thin(): void {
    const { length } = this.steps;
    const kept = 1 + (length >> 1);
    // The first stays as it is, the others are joined in pairs.
    for (let i = 1; i < kept; i++) {
      const last = Math.min(2 * i, length - 1);
      this.steps[i] = this.steps[last];
      this.raw[i] = (this.raw[2 * i - 1] + this.raw[last]) / 2;
      this.smooth[i] = this.smooth[last];
    }
    this.cut(kept);
    this.stride *= 2;
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
