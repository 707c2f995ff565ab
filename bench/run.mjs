// `npm run bench`: measures and prints a table.
//   npm run bench -- [--json FILE] [--only PATTERN] [--peers] [--browser chromium|firefox|node]
//                    [--shape TxBxIxH]... [--cell CELL]... [--mode MODE]... [--seconds N] [--grid]
//   npm run bench -- --bundle DIR      a folder that runs on a machine without network; see bench/README.md
// In a browser it runs the code of the bench page, in the page's worker.
import { cpus } from "node:os";
import { writeFile } from "node:fs/promises";
import { makeBundle } from "./make-bundle.mjs";
import { exitCode, parseOptions, tell } from "./options.mjs";
import { runInBrowser } from "./run-browser.mjs";
import { runInNode } from "./run-node.mjs";

/** @type {ReturnType<typeof parseOptions>} */
let options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exit(2);
}

async function main({ plan, json, place, peers, bundle }) {
  if (bundle !== undefined) return makeBundle(bundle, { peers });
  const machine = `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores`;
  const run = place === "node" ? runInNode : (...args) => runInBrowser(place, ...args);
  const { report, text } = await run(plan, { peers, machine, onEvent: tell });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[2K");
  console.log(text);
  if (json !== undefined) {
    await writeFile(json, `${JSON.stringify(report, null, 2)}\n`);
    console.log(`\nwritten to ${json}`);
  }
  process.exitCode = exitCode(report);
}

main(options).catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
