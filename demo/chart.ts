/** The loss curve. */
import { block } from "./dom.ts";
import { LossHistory, type SavedLosses } from "./loss-history.ts";
import type { StepReport } from "./messages.ts";
import { Plot } from "./plot.ts";

export class Chart {
  history = new LossHistory();
  private readonly plot = new Plot(block("chart"), {
    lines: [
      { colour: "--raw", width: 1 },
      { colour: "--accent", width: 2.5 },
    ],
    data: () => [this.history.steps, this.history.raw, this.history.smooth],
    label: () => `Loss curve: ${this.inWords()}`,
    pointed: (index) => this.readOut(index),
  });

  /** @param losses of a training that is gone on with */
  clear(losses?: SavedLosses): void {
    this.history = new LossHistory();
    if (losses) this.history.restore(losses);
    this.plot.draw();
  }

  /** For a training that goes back to an earlier step. */
  cutAfter(step: number): void {
    this.history.cutAfter(step);
    this.plot.draw();
  }

  add(steps: readonly StepReport[]): void {
    for (const step of steps) this.history.add(step);
    this.plot.draw();
  }

  private inWords(): string {
    const { steps, raw, latest } = this.history;
    return steps.length === 0
      ? "nothing yet"
      : `from ${raw[0].toFixed(2)} at step ${steps[0]} to ${latest.toFixed(2)} at step ${steps[steps.length - 1]}`;
  }

  /** The numbers under the pointer. */
  private readOut(index: number | null): void {
    const { steps, raw, smooth } = this.history;
    const there = index !== null && index < steps.length;
    block("readout").textContent = there ? `step ${steps[index]}: ${raw[index].toFixed(3)}, smoothed ${smooth[index].toFixed(3)}` : "";
  }
}
