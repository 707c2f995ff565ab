/** The report as text for the terminal. */
import { inUnit, threeDigits, unitOf } from "./amounts.mjs";
import { shapeName } from "./cases.ts";
import type { Absence, Report, Row } from "./report.ts";

/** In the unit of the median. */
export const digitsOf = (row: Row, ms: number): string => threeDigits(ms * unitOf(row.mode).inMs);

/** Another row's time as a multiple of ours on the same device, GPU or CPU. */
export function ratioToOurs(row: Row, all: readonly Row[]): string {
  const place = row.backend.startsWith("webgpu") ? "webgpu" : "cpu";
  const own = all.find((other) => other.library === "webgpu-rnn" && other.backend === place && caseOf(other) === caseOf(row));
  if (!own || own === row || row.backend.startsWith("cuda")) return "";
  const ratio = row.median_ms / own.median_ms;
  return `${ratio >= 10 ? ratio.toFixed(0) : ratio.toPrecision(2)}x`;
}

const caseOf = (row: Row): string => [row.mode, row.cell, shapeName(row)].join();

const columns: readonly [title: string, cell: (row: Row, all: readonly Row[]) => string][] = [
  ["mode", (r) => r.mode],
  ["cell", (r) => r.cell],
  ["T x B x I x H", shapeName],
  ["library", (r) => r.library],
  ["backend", (r) => r.backend],
  ["median", (r) => inUnit(r.median_ms, r.mode)],
  // Above 1: ours is faster.
  ["to ours", ratioToOurs],
  ["min", (r) => digitsOf(r, r.min_ms)],
  ["max", (r) => digitsOf(r, r.max_ms)],
  ["steady", (r) => (r.steady_ms === undefined ? "" : digitsOf(r, r.steady_ms))],
  ["µs/step", (r) => threeDigits(r.us_per_step)],
  ["dispatches", (r) => String(r.dispatches)],
  ["submits", (r) => String(r.submits)],
  ["GFLOP/s", (r) => r.gflops.toPrecision(3)],
  ["of matmul", (r) => (r.of_matmul === undefined ? "" : `${Math.round(100 * r.of_matmul)} %`)],
];
const leftColumns = 5;

/** Aligned columns, a blank line between cases. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => columns.map(([, cell]) => cell(row, rows)));
  const titles = columns.map(([title]) => title);
  const widths = titles.map((title, i) => Math.max(title.length, ...cells.map((line) => line[i].length)));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => (i < leftColumns ? text.padEnd(widths[i]) : text.padStart(widths[i])))
      .join("  ")
      .trimEnd();
  const body = rows.flatMap((row, i) => [...(i > 0 && caseOf(row) !== caseOf(rows[i - 1]) ? [""] : []), line(cells[i])]);
  return [line(titles), ...body].join("\n");
}

/** What was not measured, and why: a line for each library and reason. */
export function absences(absent: readonly Absence[]): string[] {
  const groups = new Map<string, Absence[]>();
  for (const absence of absent) {
    const key = [absence.library, absence.kind, absence.reason].join();
    groups.set(key, [...(groups.get(key) ?? []), absence]);
  }
  return [...groups.values()].map((group) => {
    const [{ library, kind, reason }] = group;
    const of = (name: "backend" | "case"): string[] => [...new Set(group.map((one) => one[name]).filter((text) => text !== ""))];
    const [backends, cases] = [of("backend"), of("case")];
    const where = cases.length > 2 ? `${cases.length} cases` : cases.join(" and ");
    return [
      library,
      backends.length > 0 ? ` on ${backends.join(" and ")}` : "",
      where && `, ${where}`,
      ": ",
      kind === "refused" ? "refused, it " : "",
      reason,
    ].join("");
  });
}

/** The whole report: device, rows, absent rows, and remarks. */
export function reportText({ adapter, browser, machine, date, note, matmul, rows, absent }: Report): string {
  const ceilings = Object.entries(matmul).map(([backend, { gflops, what }]) => `  ${backend}: ${gflops.toFixed(1)} GFLOP/s (${what})`);
  const missing = absences(absent).map((text) => `  ${text}`);
  const checks = rows.some(({ checked_steps: checked, steps }) => checked < steps)
    ? ["Cases too long for the twins were checked by their first steps (checked_steps in the JSON file)."]
    : [];
  return [
    `${browser}, ${machine}, ${date}`,
    `WebGPU adapter: ${adapter}`,
    note,
    ...checks,
    "",
    "Best matrix product of this run:",
    ...ceilings,
    "",
    rows.length > 0 ? table(rows) : "no row was measured",
    ...(missing.length > 0 ? ["", "Not measured:", ...missing] : []),
  ].join("\n");
}
