/** The loss curve. */
import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import { block } from "./dom.ts";
import { LossHistory } from "./loss-history.ts";
import type { StepReport } from "./messages.ts";

export class Chart {
  history = new LossHistory();
  private readonly place = block("chart");
  private plot: uPlot | undefined;
  private drawing = false;

  constructor() {
    this.build();
    this.draw();
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  clear(): void {
    this.history = new LossHistory();
    this.draw();
  }

  /** For a training that goes back to an earlier step. */
  cutAfter(step: number): void {
    this.history.cutAfter(step);
    this.draw();
  }

  add(steps: readonly StepReport[]): void {
    for (const step of steps) this.history.add(step);
    this.draw();
  }

  /** At most once a frame, and not while the tab is in the background. */
  private draw(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      const { steps, raw, smooth, latest } = this.history;
      this.plot?.setData([steps, raw, smooth]);
      const label = steps.length === 0 ? "nothing yet" : `from ${raw[0].toFixed(2)} at step ${steps[0]} to ${latest.toFixed(2)} at step ${steps[steps.length - 1]}`;
      this.place.dataset.empty = String(steps.length === 0);
      this.place.setAttribute("aria-label", `Loss curve: ${label}`);
    });
  }

  /** The numbers under the pointer. */
  private readOut(index: number | null): void {
    const { steps, raw, smooth } = this.history;
    const there = index !== null && index < steps.length;
    block("readout").textContent = there ? `step ${steps[index]}: ${raw[index].toFixed(3)}, smoothed ${smooth[index].toFixed(3)}` : "";
  }

  private size(): { width: number; height: number } {
    return { width: Math.max(200, this.place.clientWidth), height: this.place.clientWidth < 500 ? 200 : 260 };
  }

  /** Colours are read from the style sheet once, so another colour scheme needs another plot. */
  private build(): void {
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    this.plot = new uPlot({
      ...this.size(),
      scales: { x: { time: false }, y: { range: (_, low, high) => (Number.isFinite(low) ? uPlot.rangeNum(low, high, 0.08, true) : [0, 5]) } },
      axes: [{ ...axis, size: 32, values: (_, values) => values.map((v) => (Number.isInteger(v) ? String(v) : "")) }, { ...axis, size: 44 }],
      series: [
        {},
        { stroke: colour("--raw"), width: 1, points: { show: false } },
        { stroke: colour("--accent"), width: 2.5, points: { show: false } },
      ],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
      hooks: { setCursor: [({ cursor }) => this.readOut(cursor.idx ?? null)] },
    }, [this.history.steps, this.history.raw, this.history.smooth], this.place);
  }
}
