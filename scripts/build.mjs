// `npm run build`: src/ to dist/.
//   dist/index.js           ES modules; the WebGPU backend is a chunk of its own, loaded on demand
//   dist/webgpu-rnn.min.js  everything in one minified file, for <script type="module">
//   dist/types/             declarations
// Prints the size that a page downloads.
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { bundle, root } from "./bundle.mjs";
import { tool } from "./tool.mjs";

const run = promisify(execFile);

async function declarations() {
  try {
    await run(process.execPath, [tool("typescript", "tsc"), "-p", "tsconfig.build.json"], { cwd: root });
  } catch (error) {
    throw new Error(`tsc found errors while writing declarations:\n${error.stdout ?? error.message}`);
  }
}

/** Builds everything and returns the minified file's size in bytes, gzipped. */
export async function build() {
  await rm(join(root, "dist"), { recursive: true, force: true });
  const single = "dist/webgpu-rnn.min.js";
  await Promise.all([
    bundle({ entryPoints: { index: "src/index.ts" }, outdir: "dist", splitting: true, chunkNames: "chunks/[name]-[hash]" }),
    bundle({ entryPoints: ["src/index.ts"], outfile: single, minify: true }),
    declarations(),
  ]);
  return { file: single, gzip: gzipSync(await readFile(join(root, single)), { level: 9 }).length };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { file, gzip } = await build();
  console.log(`built dist/index.js, dist/types, ${file} (${(gzip / 1000).toFixed(1)} kB gzip)`);
}
