/**
 * Nothing is disposed of: unreachable objects free their memory by themselves. test/long/memory.test.ts does the same
 * over thousands of steps.
 */
import { describe, it } from "vitest";
import { collect, expectNoBackendKept, expectNothingKept } from "./memory-rounds.ts";
import { itThoroughly, sampled } from "../thorough.ts";

const few = {
  steps: 3,
  models: 10,
  trainers: 6,
  runsLeftHalfWay: 4,
  shapes: 10,
  generatorsLeftHalfWay: 4,
  failures: 4,
  searches: 4,
  cells: 4,
  verifications: 4,
};

describe.skipIf(!collect)("memory comes back", () => {
  it("on the CPU", () => expectNothingKept("cpu", few, 4e5));
  itThoroughly("on the CPU without WebAssembly", () => expectNothingKept("javascript", { models: 10, trainers: 6, shapes: 10 }, 4e5));
  it("on WebGPU", () =>
    expectNothingKept("webgpu", { models: 10, trainers: 6, shapes: 10, generatorsLeftHalfWay: 4, failures: 3, runsLeftHalfWay: 3 }, 4e5));
  it.each(sampled(["cpu", "webgpu"] as const, 1))("of whole backends on %s", (kind) => expectNoBackendKept(kind, 4, 3e6));
});
