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
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  clear(): void {
    this.history = new LossHistory();
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
      this.place.setAttribute("aria-label", `Loss curve: ${label}`);
    });
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
    const digits = (_: uPlot, value: number | null): string => (value === null ? "–" : value.toFixed(3));
    this.plot = new uPlot({
      ...this.size(),
      scales: { x: { time: false }, y: { range: (_, low, high) => (Number.isFinite(low) ? uPlot.rangeNum(low, high, 0.08, true) : [0, 5]) } },
      axes: [{ ...axis, size: 32, values: (_, values) => values.map((v) => (Number.isInteger(v) ? String(v) : "")) }, { ...axis, size: 44 }],
      series: [
        { label: "step", value: (_, value) => (value === null ? "–" : String(value)) },
        { label: "loss", stroke: colour("--raw"), width: 1, points: { show: false }, value: digits },
        { label: "smoothed", stroke: colour("--accent"), width: 2.5, points: { show: false }, value: digits },
      ],
      legend: { show: true },
      cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    }, [this.history.steps, this.history.raw, this.history.smooth], this.place);
  }
}
