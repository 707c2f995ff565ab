// One configuration for all tests under Node: contract tests need no GPU, node tests need files and
// processes, device tests need an adapter and run in browsers too (test/browser/), page tests steer a browser (BROWSER),
// long tests take minutes and may call gc().
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { entryPoints, root } from "./scripts/bundle.mjs";
import { wgslVitePlugin } from "./scripts/wgsl-plugin.mjs";

/**
 * For glibc's malloc: keep what is freed, and ask the system for much at once. A compiler of shaders takes and frees millions
 * of small pieces; without this, a quarter of SwiftShader's processor time goes into giving memory back and getting it again.
 */
const keptMemory = {
  GLIBC_TUNABLES: "glibc.malloc.mmap_threshold=33554432:glibc.malloc.trim_threshold=268435456:glibc.malloc.top_pad=16777216",
};

/** Files share processes, which load the sources once; device tests share the devices in them too. */
const shared = { isolate: false };

const project = (name: string, settings: Record<string, unknown> = {}, folders = [name]) => ({
  extends: true as const,
  test: { name, include: folders.map((folder) => `test/${folder}/**/*.test.ts`), ...settings },
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
    // Child processes: Dawn is a native addon, and worker threads would share one copy of it.
    pool: "forks",
    // More processes than cores would make the software adapter's own threads fight each other.
    maxWorkers: 2,
    // What is built is loaded as it is, by Node itself.
    server: { deps: { external: [/\/dist\//] } },
    // For a test that hangs. A busy machine must not reach it.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    setupFiles: ["test/quick-equality.ts"],
    projects: [
      // One project, since each has a server that transforms the sources, and processes that load them.
      project("node", shared, ["contract", "node"]),
      project("pages", { ...shared, globalSetup: ["test/pages/built-pages.ts"] }),
      project("device", {
        ...shared,
        globalSetup: ["test/device/vulkan-setup.mjs"],
        setupFiles: ["test/device/calm-polls.ts", "test/device/quick-dawn.ts"],
        env: keptMemory,
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
