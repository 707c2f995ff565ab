// `npm run kernels`: compiles the package's kernels to the machine code of an AMD GPU that need not be there, prints what
// each became, and compares it with bench/kernels.json. Nothing runs: registers, occupancy and instructions are facts of
// that GPU, microseconds are estimates. Needs Linux, cc and Mesa's RADV driver; bench/README.md says more.
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { bundleProgram, root } from "../bundle.mjs";
import { nullDriver } from "./null-driver.mjs";

// The table uses the package's TypeScript.
const built = join(root, "build", "programs", "kernels-table.mjs");
await bundleProgram("scripts/kernels/table.mjs", built);
const { describeChanges, describeTable, findProblems, gpus, rowOf, whyNotCompared } = await import(pathToFileURL(built).href);

const stored = join(root, "bench", "kernels.json");
const usage = `npm run kernels -- [options]
  --chip NAME          the GPU by Mesa's name: ${gpus.flatMap(({ chips }) => chips).join(", ")} (which have estimates), … (default navi21)
  --cells LIST         (default lstm,gru,gru-before,rnn,lstm-layer-norm,lstm-half); -half: with weights in half precision
  --threads N          as if an adapter granted no more threads of a workgroup
  --shapes LIST        TxBxIxH (default 64x32x64x128,32x8x32x32,100x1x64x128,64x64x64x256,32x16x64x320,32x32x256x512)
  --strategies LIST    (default loop,step)
  --only PATTERN       kernels whose names match
  --replace PATH=FILE  compiles FILE in the place of shaders/PATH.wgsl; may be repeated
  --isa FILE           writes all that the driver says, with the machine code
  --json FILE          writes the table
  --update             lists what differs from the table to compare with, ${stored},
                       and writes the new one there, unless a kernel does not compile`;

function readOptions() {
  const text = { type: "string" };
  const flag = { type: "boolean" };
  try {
    const { values, tokens } = parseArgs({
      tokens: true,
      options: {
        chip: { ...text, default: "navi21" },
        cells: { ...text, default: "lstm,gru,gru-before,rnn,lstm-layer-norm,lstm-half" },
        shapes: { ...text, default: "64x32x64x128,32x8x32x32,100x1x64x128,64x64x64x256,32x16x64x320,32x32x256x512" },
        strategies: { ...text, default: "loop,step" },
        only: { ...text, default: "." },
        replace: { ...text, multiple: true, default: [] },
        threads: { ...text, default: "1024" },
        isa: text,
        json: text,
        update: flag,
        help: flag,
      },
    });
    // The stored table has all kernels, as they are.
    const part = tokens.find(({ name }) => ["cells", "shapes", "strategies", "only", "replace", "threads"].includes(name));
    if (values.update && part) throw new Error(`--update stores the whole table: leave out --${part.name}`);
    return { ...values, whole: !part };
  } catch (error) {
    console.error(`${error.message}\n\n${usage}`);
    return process.exit(2);
  }
}

/** Without the tools there is no table. In CI, which installs them, that is a failure. */
function skip(reason) {
  console.log(`kernels: skipped, since ${reason}`);
  process.exit(process.env.CI && process.env.CI !== "false" ? 1 : 0);
}

/** Runs compile.ts. @returns its exit code, the lines it wrote, and what the driver said */
async function compile(variables, work) {
  const program = [join(root, "scripts", "run-ts.mjs"), join(root, "scripts", "kernels", "compile.ts"), JSON.stringify(work)];
  // Files, since the driver writes megabytes at once and does not try again when a pipe is full.
  const files = ["compiled.jsonl", "driver.txt"].map((name) => join(root, "build", "null-icd", name));
  const handles = files.map((file) => openSync(file, "w"));
  const child = spawn(process.execPath, program, { cwd: root, env: { ...process.env, ...variables }, stdio: ["ignore", ...handles] });
  const code = await new Promise((resolve) => child.on("close", resolve));
  for (const handle of handles) closeSync(handle);
  const [written, log] = files.map((file) => readFileSync(file, "utf8"));
  return {
    code,
    log,
    lines: written
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  };
}

const options = readOptions();
if (options.help) {
  console.log(usage);
  process.exit(0);
}
const { chip } = options;
const { variables, missing } = nullDriver(chip);
if (missing) skip(missing);
const work = {
  cells: options.cells.split(","),
  shapes: options.shapes.split(",").map((shape) => shape.split("x").map(Number)),
  strategies: options.strategies.split(","),
  pattern: options.only,
  threads: Number(options.threads),
  replaced: Object.fromEntries(options.replace.map((pair) => pair.split("="))),
};
const { code, log, lines } = await compile(variables, work);
if (options.isa) writeFileSync(options.isa, log);
const adapter = lines[0]?.adapter ?? "no adapter";
if (!adapter.includes("radv"))
  skip(
    `Mesa's RADV driver does not start for ${chip} (Debian: apt-get install mesa-vulkan-drivers libvulkan1); Dawn found ${adapter}\n${log.slice(-2000)}`,
  );
if (code !== 0) {
  console.error(`${log.slice(-4000)}\nkernels: a kernel was not compiled${options.update ? ", so the stored table stays as it was" : ""}`);
  process.exit(1);
}
const table = { chip, driver: adapter, rows: lines.filter(({ name }) => name !== undefined).map((line) => rowOf(line, log, chip)) };
console.log(`${adapter}\n${describeTable(table)}`);
for (const { refused, why } of lines) if (refused !== undefined) console.log(`not compiled: ${refused}: ${why}`);
const text = `${JSON.stringify(table)}\n`;
if (options.json) writeFileSync(options.json, text);
const before = existsSync(stored) ? JSON.parse(readFileSync(stored, "utf8")) : undefined;
if (options.update) {
  for (const change of describeChanges(table, before)) console.log(`changed: ${change}`);
  writeFileSync(stored, text);
}
// With --update, what is worse than before is meant; spills never are.
const problems = findProblems(table, options.update ? undefined : before, options.whole);
for (const problem of problems) console.log(`FAIL ${problem}`);
const apart = options.update ? undefined : whyNotCompared(table, before);
if (apart) console.log(`shares of multiply-adds were not compared, since ${apart}`);
console.log(`kernels: ${table.rows.length} compiled for ${chip}, ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);
