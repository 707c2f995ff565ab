// Threads of the package in Node: they end with destroy(), keep no program alive, and a program goes on that ends them itself.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Worker } from "node:worker_threads";
import { beforeAll, expect, it } from "vitest";
import { createBackend, forward, LSTM } from "webgpu-rnn";
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

it("a layer computes on when its threads are ended from outside, before a call or during one", async () => {
  const workers: Worker[] = [];
  const add = (worker: Worker) => void workers.push(worker);
  process.on("worker", add);
  const backend = await createBackend("cpu", { threads: 3 });
  process.off("worker", add);
  const breath = (backend as unknown as { breath: { isDue: () => boolean; take: () => unknown } }).breath;
  breath.isDue = () => true;
  const run = async (): Promise<ArrayLike<number>> =>
    (await forward(new LSTM(32, 64, { seed: 1 }), { shape: [300, 16, 32], data: new Float32Array(300 * 16 * 32).fill(0.1) }, { backend }))
      .output.data;
  const expected = await run();
  // The event loop does not run before the next piece does.
  breath.take = () => workers.pop()?.terminate() && undefined;
  expect(await run()).toEqual(expected);
  expect(await run()).toEqual(expected);
  expect(workers.length).toBe(0);
  await expect.poll(() => backend.adapter).not.toContain("threads");
  expect(await run()).toEqual(expected);
  backend.destroy();
});
