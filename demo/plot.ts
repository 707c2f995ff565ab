/** Curves over the steps of a training. */
import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import { count } from "./dom.ts";

export interface Line {
  /** The custom property of the style sheet that holds its colour. */
  readonly colour: string;
  readonly width: number;
  readonly dash?: readonly number[];
}

export interface PlotOptions {
  readonly lines: readonly Line[];
  /** What the horizontal axis counts; by default steps. */
  readonly unit?: string;
  /** The steps, then the values of each line. */
  readonly data: () => uPlot.AlignedData;
  /** A description of the picture in words. */
  readonly label: () => string;
  /** Called when the pointer is at this index of the data, or has left. */
  readonly pointed: (index: number | null) => void;
  /** Least and greatest value shown; by default what the data need. */
  readonly range?: () => [number, number];
  /** Height, in a wide page and in a narrow one. */
  readonly heights?: readonly [number, number];
}

export class Plot {
  private plot: uPlot | undefined;
  private drawing = false;

  constructor(
    private readonly place: HTMLElement,
    private readonly options: PlotOptions,
  ) {
    this.build();
    this.draw();
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  /** Draws at most once a frame, and not while the tab is in the background. */
  draw(): void {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      const data = this.options.data();
      this.plot?.setData(data);
      this.place.dataset.empty = String(data[0].length === 0);
      this.place.setAttribute("aria-label", this.options.label());
    });
  }

  private size(): { width: number; height: number } {
    const [wide, narrow] = this.options.heights ?? [260, 200];
    return { width: Math.max(200, this.place.clientWidth), height: this.place.clientWidth < 500 ? narrow : wide };
  }

  /** Colours are read from the style sheet once, so another colour scheme needs another plot. */
  private build(): void {
    this.plot?.destroy();
    const { lines, data, pointed, range, unit = "step" } = this.options;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour("--faint"),
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    this.plot = new uPlot(
      {
        ...this.size(),
        scales: {
          x: { time: false },
          y: { range: (_, low, high) => range?.() ?? (Number.isFinite(low) ? uPlot.rangeNum(low, high, 0.08, true) : [0, 5]) },
        },
        axes: [
          {
            ...axis,
            label: unit,
            labelFont: axis.font,
            labelSize: 18,
            size: 28,
            values: (_, values) => values.map((v) => (Number.isInteger(v) ? count(v) : "")),
          },
          { ...axis, size: 44 },
        ],
        series: [
          {},
          ...lines.map(({ colour: name, width, dash }) => ({
            stroke: colour(name),
            width,
            dash: dash && [...dash],
            // A line through one point has no length.
            points: { show: ({ data: [x] }: uPlot) => x.length === 1, size: 9, fill: colour(name) },
          })),
        ],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 6 } },
        hooks: { setCursor: [({ cursor }) => pointed(cursor.idx ?? null)] },
      },
      data(),
      this.place,
    );
  }
}
