// Threads of the package, bundled, in Node: they end with destroy(), and keep no program alive.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, it } from "vitest";
import { bundle, root } from "../../scripts/bundle.mjs";

const program = `
import { createBackend, forward, LSTM } from "./index.mjs";
const backend = await createBackend("cpu", { threads: 3 });
await forward(new LSTM(32, 64, { seed: 1 }), { shape: [16, 32, 32], data: new Float32Array(16 * 32 * 32).fill(0.1) }, { backend });
const workers = () => process.report.getReport().workers.length;
const before = workers();
const destroy = process.argv[2] === "destroy";
if (destroy) backend.destroy();
const pause = () => new Promise((resolve) => setTimeout(resolve, 20));
do await pause(); while (destroy && workers() > 0);
console.log(before, workers());
`;

const folder = join(root, "build", "threads-test");

beforeAll(async () => {
  await mkdir(folder, { recursive: true });
  await bundle({ entryPoints: ["src/index.ts"], outfile: join(folder, "index.mjs"), minify: true, platform: "node" });
});

it.each([
  ["destroy", "2 0"],
  ["leave", "2 2"],
])("a program that chooses to %s its threads ends by itself", async (choice, expected) => {
  const file = join(folder, `${choice}.mjs`);
  await writeFile(file, program);
  const { stdout } = await promisify(execFile)(process.execPath, [file, choice]);
  expect(stdout.trim()).toBe(expected);
});
