/**
 * Writes the tables of the README, and of docs/streams.md if there are streams, from reports:
 * `node scripts/run-ts.mjs bench/readme-table.ts out.json`, between the two comments that say so there. The README has
 * medians in milliseconds and behind them how many times as long as ours in the same place; streams have microseconds.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { threeDigits } from "./amounts.mjs";
import { caseName, isSound, shapeName } from "./cases.ts";
import type { Report, Row } from "./report.ts";
import { digitsOf, ratioToOurs } from "./table.ts";

const [start, end] = ["<!-- measured by npm run bench -->", "<!-- end of what was measured -->"];

/** A column for each library and backend that has a row, a line for each shape and mode. */
function tableOf(rows: readonly Row[]): string[] {
  const column = ({ library, backend }: Row): string => `${library} ${backend}`;
  const lineOf = (row: Row): string => `${row.cell} ${shapeName(row)} ${row.mode}`;
  const columns = [...new Set(rows.map(column))];
  const lines = [...new Set(rows.map(lineOf))].map((line) =>
    columns
      .map((name) => {
        const row = rows.find((one) => column(one) === name && lineOf(one) === line);
        if (!row) return "";
        const ratio = ratioToOurs(row, rows);
        return `${threeDigits(row.median_ms)}${ratio && ` (${ratio})`}`;
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

const layers = reports.flatMap((report) => {
  const rows = report.rows.filter(({ cell, mode }) => cell === "lstm" && (mode === "forward" || mode === "training"));
  if (rows.length === 0) return [];
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

/** "64 streams of LSTM 128": the widths say what the shape is. */
function streamName(row: Row): string {
  const { cell, steps, batch, hidden, layers: deep = 1 } = row;
  const layer = `${deep > 1 ? `${deep} layers of ` : ""}${cell.toUpperCase()} ${hidden}${isSound(row) ? " and Linear" : ""}`;
  return `${steps > 1 ? `${steps} samples, ` : ""}${batch > 1 ? `${batch} streams of ` : ""}${layer}`;
}

/** A line for each case; `stepRows` and the batcher have lines of their own. */
function streamsOf(rows: readonly Row[]): string[] {
  const others = ["onnxruntime-web", "plain loop", "floor"];
  const lines = rows.filter(isOwn).map((own) => {
    const way = own.backend.slice("cpu".length);
    const cells = others.map((name) => rows.find((row) => !way && row.library === name && caseName(row) === caseName(own)));
    return `| ${[`${streamName(own)}${way && `,${way}`}`, ...[own, ...cells].map((row) => (row ? digitsOf(row, row.median_ms) : ""))].join(" | ")} |`;
  });
  return [`| µs | webgpu-rnn | ${others.join(" | ")} |`, "|---|---|---|---|---|", ...lines];
}

const isOwn = ({ library, backend }: Row): boolean => library === "webgpu-rnn" && backend.startsWith("cpu");
const streams = reports.flatMap((report) => {
  const rows = report.rows.filter(({ mode }) => mode === "stream");
  return rows.length > 0 ? [`${report.date.slice(0, 10)}, ${report.browser}, ${report.machine}.`, "", ...streamsOf(rows), ""] : [];
});

function write(document: string, text: readonly string[]): void {
  if (text.length === 0) return;
  const path = fileURLToPath(new URL(`../../${document}`, import.meta.url));
  const before = readFileSync(path, "utf8");
  if (!before.includes(start) || !before.includes(end)) throw new Error(`${document} lacks "${start}" or "${end}"`);
  writeFileSync(
    path,
    before.slice(0, before.indexOf(start) + start.length) + `\n\n${text.join("\n")}\n` + before.slice(before.indexOf(end)),
  );
}

write("README.md", layers);
write("docs/streams.md", streams);
