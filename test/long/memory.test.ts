/** Long runs: thousands of steps and hundreds of models hold no more memory at the end than at the start. */
import { describe, it } from "vitest";
import { expectNoBackendKept, expectNothingKept } from "../device/memory-rounds.ts";

/** `steps` counts in twenties. */
const many = {
  steps: 500,
  models: 500,
  trainers: 500,
  runsLeftHalfWay: 100,
  shapes: 200,
  generatorsLeftHalfWay: 100,
  failures: 50,
  searches: 50,
  cells: 50,
  verifications: 50,
};

describe("memory comes back after a long time", () => {
  it.each(["cpu", "javascript", "webgpu"] as const)("on %s", (kind) => expectNothingKept(kind, many, 2e6));
  it.each(["cpu", "webgpu"] as const)("of a hundred backends on %s", (kind) => expectNoBackendKept(kind, 100, 5e6));
});
