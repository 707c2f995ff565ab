// One configuration for all tests under Node. Contract tests need no GPU; device tests get one from
// the environment that test/run.mjs prepares (see scripts/vulkan.mjs).
import { defineConfig } from "vitest/config";
import { wgslVitePlugin } from "./scripts/wgsl-plugin.mjs";

export default defineConfig({
  plugins: [wgslVitePlugin()],
  test: {
    include: ["test/{contract,node,device}/**/*.test.ts"],
    // A child process per file: Dawn is a native addon, and worker threads would share one copy of it.
    pool: "forks",
    // More forks than cores would make the software adapter's own threads fight each other.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
