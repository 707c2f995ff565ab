// `npm run build`: src/ to dist/.
//   dist/index.js           the core; the WebGPU backend and the CPU's SIMD kernels are chunks, loaded on demand
//   dist/webgpu-rnn.min.js  all of it in one file, for <script type="module">
//   dist/types/             declarations
// Prints the sizes that a page downloads.
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

const gzipSize = (bytes) => gzipSync(bytes, { level: 9 }).length;

/**
 * Bytes, gzipped: `core` is dist/index.js with every chunk it imports at once, `onDemand` each dynamically imported
 * chunk, `single` the one file.
 */
async function sizes({ outputs }) {
  const eager = new Set();
  const onDemand = {};
  const visit = (path) => {
    if (eager.has(path)) return;
    eager.add(path);
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind === "import-statement") visit(next);
    }
  };
  visit("dist/index.js");
  for (const path of Object.keys(outputs).filter((p) => p.endsWith(".js") && !eager.has(p))) {
    onDemand[path.replace(/^.*\/|-[A-Z0-9]+\.js$/g, "")] = gzipSize(await readFile(join(root, path)));
  }
  let core = 0;
  for (const path of eager) core += gzipSize(await readFile(join(root, path)));
  return { core, onDemand, single: gzipSize(await readFile(join(root, "dist/webgpu-rnn.min.js"))) };
}

/** Builds everything and returns the sizes. */
export async function build() {
  await rm(join(root, "dist"), { recursive: true, force: true });
  const [{ metafile }] = await Promise.all([
    bundle({ entryPoints: { index: "src/index.ts" }, outdir: "dist", splitting: true, chunkNames: "chunks/[name]-[hash]", minify: true, metafile: true }),
    bundle({ entryPoints: ["src/index.ts"], outfile: "dist/webgpu-rnn.min.js", minify: true }),
    declarations(),
  ]);
  return sizes(metafile);
}

/** The sizes in a line. */
export function describeSizes({ core, onDemand, single }) {
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  const chunks = Object.entries(onDemand).map(([name, bytes]) => `${name} ${kB(bytes)}`).join(", ");
  return `built dist/ (gzipped: core ${kB(core)}; on demand ${chunks}; all in one file ${kB(single)})`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(describeSizes(await build()));
