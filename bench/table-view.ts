/** All rows that were measured, and what was not. */
import { block, make } from "../demo/dom.ts";
import { inUnit } from "./amounts.mjs";
import type { Absence, Row } from "./report.ts";
import { absences, digitsOf } from "./table.ts";
import { caseTitle, cellNames, modeNames, rowName, sizeName } from "./words.ts";

const columns: readonly [title: string, explained: string, cell: (row: Row) => string][] = [
  ["Work", "", ({ mode }) => modeNames[mode]],
  ["Cell", "", ({ cell }) => cellNames[cell]],
  ["T × B × I × H", "Steps, batch, input size, hidden size, and layers where there are several", sizeName],
  ["Library", "", rowName],
  ["Median", "Of one pass, step, text or call of a stream", (r) => inUnit(r.median_ms, r.mode)],
  ["Least", "", (r) => digitsOf(r, r.min_ms)],
  ["Greatest", "", (r) => digitsOf(r, r.max_ms)],
  ["Samples", "", (r) => String(r.samples)],
  [
    "Without transfers",
    "Forward passes over data that stays on the device, one after the other",
    (r) => (r.steady_ms === undefined ? "" : digitsOf(r, r.steady_ms)),
  ],
  ["Dispatches", "", (r) => (r.dispatches === 0 ? "" : String(r.dispatches))],
  ["Submits", "", (r) => (r.submits === 0 ? "" : String(r.submits))],
  ["GFLOP/s", "Of the matrix products", (r) => r.gflops.toPrecision(3)],
  [
    "Of best product",
    "Share of the best matrix product measured on the same backend in the same run",
    (r) => (r.of_matmul === undefined ? "" : `${(100 * r.of_matmul).toFixed(0)} %`),
  ],
];

export function showTable(rows: readonly Row[], absent: readonly Absence[]): void {
  const table = block("table");
  const head = make(
    "tr",
    "",
    columns.map(([title, explained]) => make("th", "", title, { scope: "col", ...(explained ? { title: explained } : {}) })),
  );
  const body = rows.map((row, i) => {
    const first = i > 0 && caseTitle(row) !== caseTitle(rows[i - 1]);
    return make(
      "tr",
      first ? "first" : "",
      columns.map(([title, , cell]) => make("td", title === "Median" ? "median" : "", cell(row))),
    );
  });
  table.querySelector("thead")!.replaceChildren(...(rows.length > 0 ? [head] : []));
  table.querySelector("tbody")!.replaceChildren(...body);
  block("empty").hidden = rows.length > 0;
  const box = block("absent-box");
  const lines = absences(absent);
  box.hidden = lines.length === 0;
  box.querySelector("summary")!.textContent = "Not measured, and why";
  block("absent").replaceChildren(...lines.map((line) => make("li", "", line)));
}
