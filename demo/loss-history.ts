/** Losses by step for the curve. When there are many, neighbours are joined, so that memory and drawing stay small. */
import type { StepReport } from "./messages.ts";

/** Weight of a new loss in the smoothed curve. */
const weight = 0.06;

export class LossHistory {
  readonly steps: number[] = [];
  readonly raw: number[] = [];
  readonly smooth: number[] = [];
  private average = 0;
  private total = 0;
  private stride = 1;
  private waiting: number[] = [];

  constructor(private readonly most = 4000) {}

  /** The smoothed loss, or NaN before the first. */
  get latest(): number {
    return this.total === 0 ? NaN : this.average / this.total;
  }

  add({ step, loss }: StepReport): void {
    // An exponential mean divided by the weights so far, so that it does not start at zero.
    this.average += weight * (loss - this.average);
    this.total += weight * (1 - this.total);
    this.waiting.push(loss);
    if (this.waiting.length < this.stride) return;
    this.steps.push(step);
    this.raw.push(mean(this.waiting));
    this.smooth.push(this.latest);
    this.waiting = [];
    if (this.steps.length > this.most) this.thin();
  }

  cutAfter(step: number): void {
    const first = this.steps.findIndex((s) => s > step);
    if (first >= 0) this.cut(first);
    this.waiting = [];
  }

  private cut(length: number): void {
    for (const array of [this.steps, this.raw, this.smooth]) array.length = length;
  }

  private thin(): void {
    const kept = this.steps.length >> 1;
    for (let i = 0; i < kept; i++) {
      this.steps[i] = this.steps[2 * i + 1];
      this.raw[i] = (this.raw[2 * i] + this.raw[2 * i + 1]) / 2;
      this.smooth[i] = this.smooth[2 * i + 1];
    }
    this.cut(kept);
    this.stride *= 2;
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;
