// `npm test`: the package is built, while the tests run in lanes side by side: Node (contract, node and device tests),
// Chromium and Firefox (device tests, page tests). Browsers run only the files that a browser may decide. `--all` adds
// their other files, and at the end the long lane, in Node: test/long/, and the files that try some of their tests otherwise
// (test/thorough.ts), with all of them. `--rest` runs only what `--all` adds. The last line is the sum: `N passed, N failed`.
//   npm test -- [--all | --rest] [--lane node|chromium|firefox|long]... [part of a test file's path]...
import { spawn } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../scripts/bundle.mjs";
import { builtPackage } from "../scripts/built.mjs";
import { tool } from "../scripts/tool.mjs";
import { nodeAdapter } from "../scripts/vulkan.mjs";
import { runBrowserLane } from "./browser/lane.mjs";

const laneNames = ["node", "chromium", "firefox", "long"];
const { values, positionals: filters } = parseArgs({
  options: { all: { type: "boolean" }, rest: { type: "boolean" }, lane: { type: "string", multiple: true } },
  allowPositionals: true,
});
for (const lane of values.lane ?? []) {
  if (!laneNames.includes(lane)) {
    console.error(`--lane: "${lane}" is none of ${laneNames.join(", ")}`);
    process.exit(2);
  }
}
const asked = (lane) => values.lane?.includes(lane) ?? (values.all || (values.rest ? lane !== "node" : lane !== "long"));
/** Browsers wait for much of their time, in which Node's lane has the cores; long tests watch memory and have them alone. */
const groups = [["node", "chromium", "firefox"], ["long"]].map((lanes) => lanes.filter(asked));
const thorough = { THOROUGH: "1" };
const inCi = Boolean(process.env.CI) && process.env.CI !== "false" && process.env.CI !== "0";

/** The output of a lane. Lanes run side by side but print one after the other: output before its turn is held back. */
class Output {
  held = "";
  live = false;

  write(text) {
    if (this.live) process.stdout.write(text);
    else this.held += text;
  }

  print = (line) => this.write(`${line}\n`);

  release() {
    this.live = true;
    process.stdout.write(this.held);
  }
}

/** The test files of some folders under test/ that the filters leave. */
function testFiles(...folders) {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, "test", folder), { recursive: true }).map((name) => `test/${folder}/${name.split(sep).join("/")}`),
    )
    .filter((file) => file.endsWith(".test.ts"))
    .filter((file) => filters.length === 0 || filters.some((part) => file.includes(part)))
    .sort();
}

/**
 * What a browser may decide: its compiler, its numbers, its event loop, its workers, its devices. Other device tests find in a
 * browser what they find in Node, since kernels.test.ts holds each of their kernels to its twin for each compiler. Node's
 * compiler and adapter are Chromium's too, so that Chromium is left with less than Firefox, whose adapter alone gives workgroups
 * more than 256 threads. Both browsers share the pages' code, so that Chromium alone opens some pages, as a first visitor does.
 */
const usualFiles = {
  chromium: ["device/products", "pages/audio", "pages/demo.", "pages/models", "pages/stream"],
  firefox: ["gpu-kernels.", "kernels.", "oracles-training", "products", "saturation", "scheduler", "threads"].map(
    (name) => `device/${name}`,
  ),
};

/** The files of a browser's lane. A filter selects from all of them. */
function inBrowser(kind, folder) {
  const all = testFiles(folder);
  if (values.all || filters.length > 0) return all;
  const usual = usualFiles[kind].map((start) => all.filter((file) => file.startsWith(`test/${start}`)));
  const unknown = usualFiles[kind].find((start, i) => start.startsWith(folder) && usual[i].length === 0);
  if (unknown !== undefined) throw new Error(`usualFiles of test/run.mjs names test/${unknown}, which no file begins with`);
  return all.filter((file) => usual.flat().includes(file) === !values.rest || (values.rest && hasMore(file)));
}

/** Whether a file has tests, or moments and sizes in them, for the thorough runs alone (test/thorough.ts). */
const hasMore = (file) => readFileSync(join(root, file), "utf8").includes('/thorough.ts"');
const inLongLane = () => testFiles("contract", "node", "device").filter(hasMore);

/** A lane's test files, those that need an adapter last. */
const filesOf = {
  node: () => testFiles("contract", "node", "device"),
  long: () => [...testFiles("long"), ...inLongLane()],
  chromium: () => [...inBrowser("chromium", "device"), ...inBrowser("chromium", "pages")],
  firefox: () => [...inBrowser("firefox", "device"), ...inBrowser("firefox", "pages")],
};

/** Tests in Node use the package in dist/. It is built once; a failed build counts as one failure in each lane. */
let built;
function buildOnce(output) {
  built ??= builtPackage().then(
    () => undefined,
    (error) => error,
  );
  return built.then((error) => {
    if (error !== undefined) output.print(`FAIL the build: ${error.message}`);
    return error === undefined ? 0 : 1;
  });
}

/** Where there is no other driver, Node's adapter needs Chromium's, which is fetched once. */
let found;
const adapterOnce = () => (found ??= nodeAdapter({ install: true }));

async function inNode(lane, output) {
  let files = filesOf[lane]();
  const needAdapter = files.filter((file) => /^test\/(device|long)\//.test(file));
  const adapterFound = needAdapter.length > 0 ? adapterOnce() : undefined;
  const broken = await buildOnce(output);
  let environment = lane === "long" ? thorough : {};
  let missing;
  if (adapterFound !== undefined) {
    const { adapter, variables, reason } = await adapterFound;
    environment = { ...environment, ...variables, WEBGPU_PROBED: "1" };
    if (adapter === null) {
      missing = reason;
      files = files.filter((file) => !file.startsWith("test/device/"));
    } else
      output.print(
        `Node ${process.version}, adapter: ${[adapter.vendor, adapter.architecture, adapter.device, adapter.description].filter(Boolean).join(" ")}`,
      );
  }
  const counts = files.length > 0 ? await vitest(lane, files, environment, output) : { passed: 0, failed: 0, skipped: 0 };
  return { ...counts, failed: counts.failed + broken, missing };
}

/** Device tests run inside the browser; page tests run in Node and steer it, as a visitor would. */
async function browserLane(kind, output) {
  const [device, pages] = ["device", "pages"].map((folder) => inBrowser(kind, folder));
  const all = Boolean(values.all || values.rest);
  // Node's lane may be fetching the same browser.
  await found;
  const inside =
    device.length > 0 || filters.length === 0
      ? await runBrowserLane(kind, device, all, output.print)
      : { passed: 0, failed: 0, skipped: 0 };
  if (inside.missing !== undefined || pages.length === 0) return inside;
  const outside = await vitest(kind, pages, { BROWSER: kind, ...(all ? thorough : {}) }, output);
  return Object.fromEntries(["passed", "failed", "skipped"].map((name) => [name, inside[name] + outside[name]]));
}

/** Runs Vitest on exactly these files. A failed file or suite without a failed test in it counts as one failure. */
async function vitest(lane, files, environment, output) {
  const report = join(root, "build", "reports", `${lane}.json`);
  await mkdir(join(report, ".."), { recursive: true });
  await rm(report, { force: true });
  const args = ["run", ...files, "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const colour = process.stdout.isTTY ? { FORCE_COLOR: "1" } : { NO_COLOR: "1" };
  const code = await new Promise((done, fail) => {
    const env = { ...process.env, ...colour, ...environment };
    const child = spawn(process.execPath, [tool("vitest"), ...args], {
      cwd: root,
      stdio: output.live ? "inherit" : ["ignore", "pipe", "pipe"],
      env,
    });
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (text) => output.write(text));
    child.on("error", fail).on("close", done);
  });
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(await readFile(report, "utf8"));
  const failedElsewhere = testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.every((test) => test.status !== "failed"),
  );
  const failed = numFailedTests + failedElsewhere.length;
  // Errors outside any test (an unhandled rejection) show in the exit code only.
  return { passed: numPassedTests, failed: code !== 0 && failed === 0 ? 1 : failed, skipped: numPendingTests + numTodoTests };
}

async function runLane(lane, output) {
  if (filters.length > 0 && filesOf[lane]().length === 0) return null;
  return lane === "node" || lane === "long" ? inNode(lane, output) : browserLane(lane, output);
}

const total = { passed: 0, failed: 0, skipped: 0 };

/** Runs a lane and adds what it counts to the total. */
async function countLane(lane, output) {
  output.print(`\n== ${lane} ==`);
  const started = performance.now();
  try {
    const result = await runLane(lane, output);
    if (result === null) {
      output.print("no test file matches");
      return;
    }
    const { passed = 0, failed = 0, skipped = 0, missing } = result;
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    if (missing !== undefined) {
      output.print(`WebGPU lane ${inCi ? "FAILED" : "skipped"} in ${lane}: ${missing}`);
      total[inCi ? "failed" : "skipped"]++;
    } else if (passed + failed === 0) {
      output.print("FAIL this lane ran no test");
      total.failed++;
    }
    output.print(
      `${lane}: ${passed} passed, ${failed} failed, ${skipped} skipped in ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
  } catch (error) {
    output.print(`FAIL the ${lane} lane broke off: ${error.stack ?? error}`);
    total.failed++;
  }
}

for (const group of groups.filter(({ length }) => length > 0)) {
  const outputs = group.map(() => new Output());
  outputs[0].release();
  const ends = group.map((lane, i) => countLane(lane, outputs[i]));
  for (const [i, end] of ends.entries()) {
    if (i > 0) outputs[i].release();
    await end;
  }
}
if (total.passed + total.failed + total.skipped === 0) {
  console.log("FAIL no test ran");
  total.failed++;
}
console.log(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`);
process.exit(total.failed === 0 ? 0 : 1);
