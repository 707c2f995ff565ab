// The packed package, installed in a fresh folder.
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pack, project } from "./packed.ts";

const app = `
import { createBackend, forward, LSTM } from "webgpu-rnn";
const backend = await createBackend("cpu");
const { output } = await forward(new LSTM(2, 3, { seed: 1 }), { shape: [2, 1, 2], data: Float32Array.of(1, 2, 3, 4) }, { backend });
console.log(output.shape.join());
`;
let folder: string;
beforeAll(async () => {
  folder = await project(await pack(), { "app.mjs": app });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("runs in Node as an ES module", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ["app.mjs"], { cwd: folder });
  expect(stdout).toBe("2,1,3\n");
});
