// What a stream leaves to the garbage collector, measured in a process of its own.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { root } from "../../scripts/bundle.mjs";

it("steps of a stream leave no garbage", () => {
  // New memory so large that the collector does not run by itself between two measurements.
  const program = [
    "--expose-gc",
    "--min-semi-space-size=256",
    "--max-semi-space-size=256",
    join(root, "scripts/run-ts.mjs"),
    join(root, "test/node/stream-garbage.ts"),
  ];
  const bytes = JSON.parse(execFileSync(process.execPath, program, { encoding: "utf8" })) as Record<string, number>;
  expect(Object.keys(bytes)).toEqual([
    "step",
    "convolution",
    "ids",
    "stepRows",
    "steps",
    "step of a file's stream",
    "steps of a file's stream",
  ]);
  // The smallest object has 12 bytes, 1.2 MB over all calls; measuring itself takes a few kilobytes.
  for (const [call, left] of Object.entries(bytes)) expect(left, call).toBeLessThan(30_000);
});
