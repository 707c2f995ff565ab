// `npm run build`: src/ to dist/.
//   dist/index.js           the core  the WebGPU backend and the CPU's SIMD kernels are chunks, loaded on demand
//   dist/full.js            the core and more, in further chunks
//   dist/webgpu-rnn.min.js  all of it in one file, for <script type="module">
//   dist/types/             declarations
// Prints the sizes that a page downloads.
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { bundle, entryPoints, root } from "./bundle.mjs";
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
 * Bytes, gzipped: `core` is dist/index.js with every chunk it imports at once, `more` what dist/full.js adds
 * to that, `onDemand` each dynamically imported chunk, `single` the one file.
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
  const sizeOf = async (paths) => {
    let sum = 0;
    for (const path of paths) sum += gzipSize(await readFile(join(root, path)));
    return sum;
  };
  visit("dist/index.js");
  const core = await sizeOf(eager);
  const ofCore = new Set(eager);
  visit("dist/full.js");
  const more = await sizeOf([...eager].filter((path) => !ofCore.has(path)));
  for (const path of Object.keys(outputs).filter((p) => p.endsWith(".js") && !eager.has(p))) {
    onDemand[path.replace(/^.*\/|-[A-Z0-9]+\.js$/g, "")] = gzipSize(await readFile(join(root, path)));
  }
  return { core, more, onDemand, single: gzipSize(await readFile(join(root, "dist/webgpu-rnn.min.js"))) };
}

/** Builds everything and returns the sizes. */
export async function build() {
  await rm(join(root, "dist"), { recursive: true, force: true });
  const [{ metafile }] = await Promise.all([
    bundle({ entryPoints, outdir: "dist", splitting: true, chunkNames: "chunks/[name]-[hash]", minify: true, metafile: true }),
    bundle({ entryPoints: [entryPoints.full], outfile: "dist/webgpu-rnn.min.js", minify: true }),
    declarations(),
  ]);
  return sizes(metafile);
}

/** The sizes in a line. */
export function describeSizes({ core, more, onDemand, single }) {
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  const list = (parts) => Object.entries(parts).map(([name, bytes]) => `${name} ${kB(bytes)}`).join(", ");
  return `built dist/ (gzipped: core ${kB(core)}; full ${kB(more)} more; on demand ${list(onDemand)}; all in one file ${kB(single)})`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(describeSizes(await build()));
