// One configuration for all tests under Node: contract tests need no GPU, node tests need files and
// processes, device tests need an adapter and run in browsers too (test/browser/), page tests steer a browser (BROWSER),
// long tests take minutes and may call gc().
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { entryPoints, root } from "./scripts/bundle.mjs";
import { wgslVitePlugin } from "./scripts/wgsl-plugin.mjs";

const project = (name: string, settings: Record<string, unknown> = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...settings },
});

export default defineConfig({
  plugins: [wgslVitePlugin()],
  resolve: {
    alias: Object.entries(entryPoints).map(([name, file]) => ({
      find: new RegExp(`^webgpu-rnn${name === "index" ? "" : `/${name}`}$`),
      replacement: join(root, file),
    })),
  },
  test: {
    // Child processes: Dawn is a native addon, and worker threads would share one copy of it. The device tests' files
    // share processes, and the devices in them.
    pool: "forks",
    // More processes than cores would make the software adapter's own threads fight each other.
    maxWorkers: 2,
    // What is built is loaded as it is, by Node itself.
    server: { deps: { external: [/\/dist\//] } },
    // For a test that hangs. A busy machine must not reach it.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    projects: [
      project("contract", { isolate: false }),
      project("node"),
      project("pages", { globalSetup: ["test/pages/built-pages.ts"] }),
      project("device", {
        globalSetup: ["test/device/vulkan-setup.mjs"],
        setupFiles: ["test/device/calm-polls.ts", "test/device/quick-dawn.ts"],
        isolate: false,
      }),
      project("long", {
        globalSetup: ["test/device/vulkan-setup.mjs"],
        setupFiles: ["test/device/calm-polls.ts"],
        execArgv: ["--expose-gc"],
        testTimeout: 1_800_000,
        hookTimeout: 1_800_000,
      }),
    ],
  },
});
