/**
 * Writes the tables of the README from reports: `node scripts/run-ts.mjs bench/readme-table.ts out.json`, between the two
 * comments that say so there. Medians in milliseconds; behind them how many times as long as ours in the same place.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { shapeName } from "./cases.ts";
import type { Report, Row } from "./report.ts";
import { milliseconds, ratioToOurs } from "./table.ts";

const [start, end] = ["<!-- measured by npm run bench -->", "<!-- end of what was measured -->"];

/** A column for each library and backend that has a row, a line for each shape and mode. */
function tableOf(rows: readonly Row[]): string[] {
  const column = ({ library, backend }: Row): string => `${library} ${backend.replace(/^cpu .*/, "cpu")}`;
  const lineOf = (row: Row): string => `${row.cell} ${shapeName(row)} ${row.mode}`;
  const columns = [...new Set(rows.map(column))];
  const lines = [...new Set(rows.map(lineOf))].map((line) =>
    columns
      .map((name) => {
        const row = rows.find((one) => column(one) === name && lineOf(one) === line);
        if (!row) return "";
        const ratio = ratioToOurs(row, rows);
        return `${milliseconds(row.median_ms)}${ratio && ` (${ratio})`}`;
      })
      .reduce((text, cell) => `${text} ${cell} |`, `| ${line} |`),
  );
  return [
    `| LSTM, T x B x I x H | ${columns.join(" | ")} |`,
    `|---|${columns.map(() => "---").join("|")}|`,
    ...lines.map((line) => line.replace("| lstm ", "| ")),
  ];
}

const reports = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")) as Report);
const text = reports.flatMap((report) => {
  const rows = report.rows.filter(({ cell, mode }) => cell === "lstm" && (mode === "forward" || mode === "training"));
  const shares = rows.flatMap((row) =>
    row.of_matmul === undefined ? [] : [`${shapeName(row)} ${row.mode} on ${row.backend} ${Math.round(100 * row.of_matmul)} %`],
  );
  return [
    `${report.date.slice(0, 10)}, ${report.browser}, ${report.machine}; WebGPU adapter: ${report.adapter}. ${report.note}`,
    "",
    ...tableOf(rows),
    "",
    `Share of the best matrix product of the same run: ${shares.join(", ")}.`,
    "",
  ];
});
const path = fileURLToPath(new URL("../../README.md", import.meta.url));
const readme = readFileSync(path, "utf8");
if (!readme.includes(start) || !readme.includes(end)) throw new Error(`README.md lacks "${start}" or "${end}"`);
writeFileSync(path, readme.slice(0, readme.indexOf(start) + start.length) + `\n\n${text.join("\n")}\n` + readme.slice(readme.indexOf(end)));
