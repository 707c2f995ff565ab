/** Draws one case: a dot and whiskers for each library, on a logarithmic axis, because libraries differ by factors. */
import "uplot/dist/uPlot.min.css";
import uPlot from "uplot";
import { block } from "../demo/dom.ts";
import { inUnit, unitOf } from "./amounts.mjs";
import { marks } from "./marks.ts";
import type { Row } from "./report.ts";
import { digitsOf } from "./table.ts";
import { rowName } from "./words.ts";

/** Below this width names stand above their whiskers instead of beside them. */
const narrowWidth = 500;
const axisHeight = 44;
/* eslint-disable @typescript-eslint/no-unsafe-enum-assignment -- uPlot's names for these exist in its declarations only. */
const left: uPlot.Axis.Side = 3;
const below: uPlot.Axis.Side = 2;
const logarithmic: uPlot.Scale.Distr = 3;
/* eslint-enable @typescript-eslint/no-unsafe-enum-assignment */

export class Chart {
  private readonly place = block("chart");
  private plot: uPlot | undefined;
  private rows: readonly Row[] = [];

  constructor() {
    new ResizeObserver(() => this.build()).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
  }

  show(rows: readonly Row[]): void {
    this.rows = [...rows].sort((a, b) => a.median_ms - b.median_ms);
    const spoken = this.rows.map(
      (row) => `${rowName(row)} ${inUnit(row.median_ms, row.mode)}, from ${digitsOf(row, row.min_ms)} to ${digitsOf(row, row.max_ms)}`,
    );
    this.place.setAttribute("aria-label", spoken.length > 0 ? `Fastest first: ${spoken.join("; ")}` : "Nothing measured yet");
    this.build();
  }

  /** Made again each time, because uPlot reads colours and sizes only once. */
  private build(): void {
    this.plot?.destroy();
    this.plot = undefined;
    const { rows } = this;
    const width = this.place.clientWidth;
    if (rows.length === 0 || width === 0) return;
    const narrow = width < narrowWidth;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(name).trim();
    const font = "12px system-ui, sans-serif";
    const { long, inMs } = unitOf(rows[0].mode);
    const least = inMs * Math.min(...rows.map((r) => r.min_ms));
    const most = inMs * Math.max(...rows.map((r) => r.max_ms));
    // Room for the number to the right of the longest whisker.
    const range: [number, number] = [least / (narrow ? 1.6 : 1.3), Math.max(most, least * 3) * (narrow ? 5 : 2.5)];
    const names = rows.map(rowName);
    this.plot = new uPlot(
      {
        width,
        height: rows.length * (narrow ? 44 : 34) + axisHeight,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, ori: 1, dir: -1, range: [-0.5, rows.length - 0.5] },
          y: { ori: 0, dir: 1, distr: logarithmic, log: 10, range },
        },
        axes: [
          {
            side: left,
            stroke: colour("--ink"),
            font,
            size: narrow ? 4 : 170,
            gap: 8,
            grid: { show: false },
            ticks: { show: false },
            splits: () => rows.map((_, i) => i),
            values: () => (narrow ? names.map(() => "") : names),
          },
          {
            side: below,
            stroke: colour("--faint"),
            font,
            size: axisHeight - 4,
            label: long,
            labelFont: font,
            labelSize: 18,
            grid: { stroke: colour("--line"), width: 1 },
            ticks: { show: false },
            splits: () => marks(range),
            // uPlot's own filter would leave the names of powers of ten only, and null for the rest.
            filter: (_, at) => at,
            values: (_, at) => at.map((v) => v.toLocaleString("en")),
          },
        ],
        series: [{}, { paths: () => null, points: { show: false } }],
        hooks: { draw: [(plot) => draw(plot, rows, colour, narrow)] },
      },
      [rows.map((_, i) => i), rows.map((r) => inMs * r.median_ms)],
      this.place,
    );
  }
}

function draw(plot: uPlot, rows: readonly Row[], colour: (name: string) => string, named: boolean): void {
  const { ctx } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.lineCap = "round";
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.font = `${12 * scale}px system-ui, sans-serif`;
  rows.forEach((row, i) => {
    const y = plot.valToPos(i, "x", true) + (named ? 8 * scale : 0);
    const [from, at, to] = [row.min_ms, row.median_ms, row.max_ms].map((ms) => plot.valToPos(ms * unitOf(row.mode).inMs, "y", true));
    ctx.strokeStyle = ctx.fillStyle = colour(row.backend === "webgpu" ? "--gpu" : "--cpu");
    ctx.lineWidth = 2 * scale;
    ctx.beginPath();
    ctx.moveTo(from, y);
    ctx.lineTo(to, y);
    for (const end of [from, to]) {
      ctx.moveTo(end, y - 5 * scale);
      ctx.lineTo(end, y + 5 * scale);
    }
    ctx.stroke();
    ctx.beginPath();
    ctx.arc(at, y, 5.5 * scale, 0, 2 * Math.PI);
    ctx.fill();
    if (row.library !== "webgpu-rnn") {
      // Dots of other libraries are hollow, so this package's stand out without a legend.
      ctx.beginPath();
      ctx.arc(at, y, 3 * scale, 0, 2 * Math.PI);
      ctx.fillStyle = colour("--panel");
      ctx.fill();
    }
    ctx.fillStyle = colour("--ink");
    ctx.fillText(inUnit(row.median_ms, row.mode), to + 10 * scale, y);
    if (named) ctx.fillText(rowName(row), plot.bbox.left, y - 18 * scale);
  });
  ctx.restore();
}
