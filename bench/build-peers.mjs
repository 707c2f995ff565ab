// Installs (on demand) and bundles the other libraries for the bench, each separately: if one is missing or broken, the
// others, the page and the terminal program still work. manifest.json says which exist, and why others do not.
import { spawn } from "node:child_process";
import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { bundle, root } from "../scripts/bundle.mjs";

const folder = join(root, "bench");
const packages = join(folder, "node_modules");
const ownPackages = join(root, "node_modules");

/** `always`: needs the root's packages only, and measured without being asked for. `assets`: files that a library fetches for itself. */
const peers = [
  { library: "gpu.js", name: "gpujs", always: true },
  {
    library: "onnxruntime-web",
    name: "onnx",
    always: true,
    assets: ["mjs", "wasm", "asyncify.mjs", "asyncify.wasm"].map((ending) => `onnxruntime-web/dist/ort-wasm-simd-threaded.${ending}`),
  },
  { library: "plain loop", name: "plain", always: true },
  { library: "floor", name: "floor", always: true },
  { library: "tfjs", name: "tfjs", assets: ["@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm"] },
  { library: "jax-js", name: "jax" },
  { library: "brain.js", name: "brain" },
];

function upToDate() {
  const installed = join(packages, ".package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, "package-lock.json")).mtimeMs;
}

function npmCi() {
  console.error("installing the other libraries into bench/node_modules (about 400 MB) …");
  // npm sets its own path; outside of npm, use the one on PATH.
  const [command, ...args] = process.env.npm_execpath
    ? [process.execPath, process.env.npm_execpath, "ci"]
    : [process.platform === "win32" ? "npm.cmd" : "npm", "ci"];
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", fail).on("close", (code) => (code === 0 ? done() : fail(new Error(`npm ci ended with code ${code}`))));
  });
}

/** `import bytes from "./x.as"` gives the WebAssembly that the AssemblyScript in x.as compiles to, with an imported memory. */
const assemblyScriptPlugin = {
  name: "assemblyscript",
  setup(build) {
    build.onLoad({ filter: /\.as$/ }, async ({ path }) => {
      const { compileString } = await import("assemblyscript/asc");
      const options = { optimizeLevel: 3, runtime: "stub", importMemory: true, noExportMemory: true, enable: ["simd"] };
      const { error, binary, stderr } = await compileString(await readFile(path, "utf8"), options);
      return error ? { errors: [{ text: `${error.message}\n${stderr}` }] } : { contents: binary, loader: "binary" };
    });
  },
};

/** Node gets the same code as pages, but with real modules where bundlers put empty ones for pages. */
const nodeSettings = {
  platform: "node",
  target: "node20",
  mainFields: ["browser", "module", "main"],
  conditions: ["browser"],
  banner: { js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);' },
};

/** The manifest's entry of a library, once its bundle is in `outdir`. */
async function bundlePeer({ library, name, always = false, assets = [] }, outdir, { forNode, missing }) {
  if (!always && missing !== undefined) return { library, always, reason: missing };
  const file = forNode ? `${name}.mjs` : `${name}.js`;
  try {
    await bundle({
      entryPoints: [join(folder, "peers", `${name}.ts`)],
      outfile: join(outdir, file),
      sourcemap: false,
      logLevel: "silent",
      plugins: [assemblyScriptPlugin],
      ...(forNode ? nodeSettings : {}),
    });
    await Promise.all(assets.map((path) => cp(join(always ? ownPackages : packages, path), join(outdir, basename(path)))));
    return { library, always, file };
  } catch (error) {
    return { library, always, reason: `it cannot be bundled: ${error.message.split("\n").slice(0, 2).join(" ")}` };
  }
}

/** Bundles into `outdir` the libraries that are always measured and, if they are there or may be installed, the others. */
export async function buildPeers(outdir, { install = false, forNode = false } = {}) {
  let missing = upToDate() ? undefined : "it is not installed; `npm run bench -- --peers` installs it";
  if (install && missing !== undefined) {
    missing = await npmCi().then(
      () => undefined,
      (error) => `it could not be installed: ${error.message}`,
    );
  }
  await mkdir(outdir, { recursive: true });
  const manifest = await Promise.all(peers.map((peer) => bundlePeer(peer, outdir, { forNode, missing })));
  await writeFile(join(outdir, "manifest.json"), `${JSON.stringify(manifest, null, 2)}\n`);
}
