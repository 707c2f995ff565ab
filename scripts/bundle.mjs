// The esbuild settings that the package, the pages, the browser tests and the command-line programs share.
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { wgslPlugin } from "./wgsl-plugin.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** Bundles for browsers (and, for the package itself, Node): ES modules, WGSL as text. */
export function bundle({ minify = false, plugins = [], ...options }) {
  return esbuild.build({
    absWorkingDir: root,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify,
    sourcemap: true,
    // Dawn for Node is an optional peer, and Node's own modules are reached by guarded dynamic imports.
    external: ["webgpu", "node:*"],
    plugins: [wgslPlugin({ minify }), ...plugins],
    logLevel: "warning",
    ...options,
  });
}

/** Bundles a TypeScript program to run under Node; packages are loaded from node_modules as they are. */
export function bundleProgram(entry, outfile) {
  return bundle({ entryPoints: [entry], outfile, platform: "node", target: "node20", external: [], packages: "external", plugins: [ownNamePlugin] });
}

/** `packages: "external"` would also leave out this package's own name, which means src/index.ts here. */
const ownNamePlugin = {
  name: "own-name",
  setup(build) {
    build.onResolve({ filter: /^webgpu-rnn$/ }, () => ({ path: fileURLToPath(new URL("../src/index.ts", import.meta.url)) }));
  },
};
