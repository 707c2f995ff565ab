// `npm run bench`: measures and prints a table.
//   npm run bench -- [--json FILE] [--only PATTERN] [--browser chromium|firefox|node] [--peers] [--bundle DIR]
//                    [--shape TxBxIxH]... [--cell CELL]... [--mode MODE]... [--seconds N]
// In a browser it runs the code of the bench page, in the page's worker. bench/README.md explains it all.
import { cpus } from "node:os";
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { runInBrowser } from "./run-browser.mjs";
import { runInNode } from "./run-node.mjs";

const places = ["chromium", "firefox", "node"];

const { values } = parseArgs({
  options: {
    json: { type: "string" },
    only: { type: "string" },
    browser: { type: "string", default: "chromium" },
    peers: { type: "boolean", default: false },
    bundle: { type: "string" },
    shape: { type: "string", multiple: true },
    cell: { type: "string", multiple: true },
    mode: { type: "string", multiple: true },
    seconds: { type: "string" },
  },
});

function usage(problem) {
  console.error(problem);
  process.exit(2);
}
if (!places.includes(values.browser)) usage(`--browser: "${values.browser}" is none of ${places.join(", ")}`);
const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
if (seconds !== undefined && !(seconds > 0)) usage(`--seconds: "${values.seconds}" is no number above 0`);
const options = { only: values.only, shapes: values.shape, cells: values.cell, modes: values.mode, seconds };

/** One line that is overwritten on a terminal, and lines elsewhere. */
function onEvent(event) {
  if (event.kind === "row") {
    const { library, backend, cell, steps, batch, input, hidden, mode, median_ms: median } = event.row;
    line(`${mode} ${cell} ${steps}x${batch}x${input}x${hidden} ${library} ${backend}: ${median} ms`, true);
  } else if (event.kind === "absent" && event.absence.kind === "refused") {
    const { library, backend, case: of, reason } = event.absence;
    line(`REFUSED ${library} ${backend} ${of}: ${reason}`, true);
  } else if (event.kind === "progress") {
    line(`[${event.done + 1}/${event.of}] ${event.text}`, false);
  }
}

function line(text, keep) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text.slice(0, process.stderr.columns - 1)}${keep ? "\n" : ""}`);
  else if (keep) process.stderr.write(`${text}\n`);
}

const machine = `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores`;
try {
  const run = values.browser === "node" ? runInNode : (...args) => runInBrowser(values.browser, ...args);
  const { report, text } = await run(options, { peers: values.peers, machine, onEvent });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
  console.log(text);
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    console.log(`\nwritten to ${values.json}`);
  }
  // That another library's numbers differ is its own affair; ours must not.
  const refused = report.absent.filter(({ kind, library }) => kind === "refused" && library === "webgpu-rnn");
  if (refused.length > 0 || report.rows.length === 0) process.exitCode = 1;
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}
