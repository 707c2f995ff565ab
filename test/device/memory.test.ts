/** Nobody disposes of anything: what is no longer held goes by itself. test/long/memory.test.ts does the same for long. */
import { describe, it } from "vitest";
import { collect, expectNoBackendKept, expectNothingKept } from "./memory-rounds.ts";

const few = {
  steps: 5,
  models: 30,
  trainers: 30,
  runsLeftHalfWay: 10,
  shapes: 40,
  generatorsLeftHalfWay: 12,
  failures: 5,
  searches: 5,
  cells: 5,
  verifications: 5,
};

describe.skipIf(!collect)("memory comes back", () => {
  it("on the CPU", () => expectNothingKept("cpu", few, 1e6));
  it("on the CPU without WebAssembly", () => expectNothingKept("javascript", few, 1e6));
  it("on WebGPU", () =>
    expectNothingKept("webgpu", { models: 12, trainers: 12, shapes: 20, generatorsLeftHalfWay: 6, failures: 3, runsLeftHalfWay: 4 }, 1e6));
  it.each(["cpu", "webgpu"] as const)("of whole backends on %s", (kind) => expectNoBackendKept(kind, 6, 3e6));
});
