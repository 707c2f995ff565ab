// The tests that run against mutants of the sources: those about state, files and inputs on the CPU, in one project.
// A device runs the same sources in many times the time. MUTANTS_TESTS names fewer files, by the start of their paths.
import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";

const fewer = process.env.MUTANTS_TESTS?.split(",").map((start) => `test/${start}*.test.ts`);

export default defineConfig({
  ...base,
  root: new URL("../..", import.meta.url).pathname,
  test: {
    ...base.test,
    projects: undefined,
    isolate: false,
    globalSetup: ["test/device/vulkan-setup.mjs"],
    setupFiles: ["test/device/calm-polls.ts"],
    include: fewer ?? [
      "test/contract/{defaults,initializers,optimizers}.test.ts",
      "test/node/{bad-input,safetensors,text-data,trainer-bad-input}.test.ts",
      "test/device/{bptt,going-on,inputs-taken,one-moment,oracles-training,randomness,shared-parameters,stacked-weights,trainer-runs,training}.test.ts",
    ],
    testNamePattern: /^(?!.*(webgpu|both backends|verif))/i,
  },
});
