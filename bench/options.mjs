// The options of `npm run bench` and of the bundle that it makes for other machines.
import { parseArgs } from "node:util";
import { inUnit, inWords } from "./amounts.mjs";

const places = ["chromium", "firefox", "node"];

/**
 * @param {string[]} argv
 * @returns {{ plan: import("./plan.ts").PlanOptions, json?: string, place: string, peers: boolean, bundle?: string, pytorch: boolean }}
 * @throws {Error} in words if an option is unknown or out of range
 */
export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
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
      grid: { type: "boolean", default: false },
      pytorch: { type: "boolean", default: false },
    },
  });
  if (!places.includes(values.browser)) throw new Error(`--browser: "${values.browser}" is none of ${places.join(", ")}`);
  const seconds = values.seconds === undefined ? undefined : Number(values.seconds);
  if (seconds !== undefined && !(seconds > 0)) throw new Error(`--seconds: "${values.seconds}" is no number above 0`);
  const plan = { only: values.only, shapes: values.shape, cells: values.cell, modes: values.mode, seconds, grid: values.grid };
  return { plan, json: values.json, place: values.browser, peers: values.peers, bundle: values.bundle, pytorch: values.pytorch };
}

/** Tells of a run's progress on stderr: one line that is overwritten on a terminal, lines elsewhere. */
export function tell(event) {
  if (event.kind === "row") {
    if (!event.final) return;
    const { library, backend, cell, steps, batch, input, hidden, layers, mode, median_ms: median } = event.row;
    const shape = [steps, batch, input, hidden, ...(layers ? [layers] : [])].join("x");
    line(`${mode} ${cell} ${shape} ${library} ${backend}: ${inUnit(median, mode)}`, true);
  } else if (event.kind === "absent" && event.absence.kind === "refused") {
    const { library, backend, case: of, reason } = event.absence;
    line(`REFUSED ${library} ${backend} ${of}: ${reason}`, true);
  } else if (event.kind === "progress") {
    line(`[${event.done + 1}/${event.of}, ${inWords(event.left)} left] ${event.text}`, false);
  }
}

function line(text, keep) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text.slice(0, process.stderr.columns - 1)}${keep ? "\n" : ""}`);
  else if (keep) process.stderr.write(`${text}\n`);
}

/** 1 if nothing was measured or our own results were wrong. That another library's differ is its own affair. */
export function exitCode({ rows, absent }) {
  return rows.length === 0 || absent.some(({ kind, library }) => kind === "refused" && library === "webgpu-rnn") ? 1 : 0;
}
