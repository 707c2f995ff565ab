// `npm run build`: src/ to dist/.
//   dist/index.js           the core  the WebGPU backend and the CPU's SIMD kernels are chunks, loaded on demand
//   dist/full.js            the core and more, in further chunks
//   dist/webgpu-rnn.min.js  all of it in one file, for <script type="module">
//   dist/types/             declarations
// Prints the sizes that a page downloads.
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { minify } from "terser";
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
 * to that, `onDemand` each dynamically imported chunk with what it imports beyond the core, `single` the one file.
 */
async function sizes({ outputs }) {
  /** Everything that comes with `path` at once. */
  const closure = (path, into = new Set()) => {
    if (into.has(path)) return into;
    into.add(path);
    for (const { path: next, kind } of outputs[path].imports) if (kind === "import-statement") closure(next, into);
    return into;
  };
  const gzipOf = async (paths) => {
    let sum = 0;
    for (const path of paths) sum += gzipSize(await readFile(join(root, path)));
    return sum;
  };
  const beyond = (paths, known) => [...paths].filter((path) => !known.has(path));
  const core = closure("dist/index.js");
  const onDemand = {};
  for (const path of [...core, ...Object.keys(outputs)]) {
    for (const { path: next, kind } of outputs[path].imports) {
      if (kind === "dynamic-import" && outputs[next]) onDemand[next.replace(/^.*\/|-[A-Z0-9]+\.js$/g, "")] ??= await gzipOf(beyond(closure(next), core));
    }
  }
  const more = await gzipOf(beyond(closure("dist/full.js"), core));
  return { core: await gzipOf(core), more, onDemand, single: gzipSize(await readFile(join(root, "dist/webgpu-rnn.min.js"))) };
}

/**
 * Lets each chunk that is loaded on demand reach the whole core, as dist/full.js does. esbuild splits by which entries
 * reach a module; if all reach the core's modules alike, these are one file, which compresses better than a dozen.
 */
const onePieceOfCore = {
  name: "one-piece-of-core",
  setup(build) {
    const onDemand = new Set();
    build.onResolve({ filter: /^\.\.?\// }, ({ kind, path, resolveDir }) => {
      if (kind === "dynamic-import") onDemand.add(resolve(resolveDir, path));
      return undefined;
    });
    build.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (!onDemand.has(path)) return undefined;
      return { contents: `${await readFile(path, "utf8")}\nexport * as core from ${JSON.stringify(join(root, entryPoints.index))};\n`, loader: "ts" };
    });
  },
};

/** Empties the shapes in kernels' contracts: they are for those who read the source, and a kilobyte to those who load a page. */
const withoutShapes = {
  name: "without-shapes",
  setup(build) {
    build.onLoad({ filter: /[\\/]src[\\/]kernels[\\/].*\.ts$/ }, async ({ path }) => (
      { contents: (await readFile(path, "utf8")).replace(/\bshape: "(?:[^"\\]|\\.)*"/g, 'shape: ""'), loader: "ts" }
    ));
  },
};

/** esbuild joins and splits fast; what it leaves, Terser makes some 3 % smaller. Source maps stay those of the sources. */
async function shrink(path) {
  const file = join(root, path);
  const [code, content] = await Promise.all([readFile(file, "utf8"), readFile(`${file}.map`, "utf8")]);
  const { code: smaller, map } = await minify(code, { module: true, compress: { passes: 2 }, sourceMap: { content, url: `${path.split("/").pop()}.map` } });
  await Promise.all([writeFile(file, smaller), writeFile(`${file}.map`, map)]);
}

/** Builds everything and returns the sizes. */
export async function build() {
  await rm(join(root, "dist"), { recursive: true, force: true });
  const [{ metafile }, { metafile: single }] = await Promise.all([
    bundle({ entryPoints, outdir: "dist", splitting: true, chunkNames: "chunks/[name]-[hash]", minify: true, metafile: true, plugins: [onePieceOfCore, withoutShapes] }),
    bundle({ entryPoints: [entryPoints.full], outfile: "dist/webgpu-rnn.min.js", minify: true, metafile: true, plugins: [withoutShapes] }),
    declarations(),
  ]);
  await Promise.all([...Object.keys(metafile.outputs), ...Object.keys(single.outputs)].filter((path) => path.endsWith(".js")).map(shrink));
  return sizes(metafile);
}

/** The sizes in a line. */
export function describeSizes({ core, more, onDemand, single }) {
  const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
  const list = (parts) => Object.entries(parts).map(([name, bytes]) => `${name} ${kB(bytes)}`).join(", ");
  return `built dist/ (gzipped: core ${kB(core)}; full ${kB(more)} more; on demand ${list(onDemand)}; all in one file ${kB(single)})`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(describeSizes(await build()));
