// Installs (on demand) and bundles the other libraries for the bench. Without them the page and the terminal program
// work all the same; manifest.json says which it is.
import { spawn } from "node:child_process";
import { cp, mkdir, writeFile } from "node:fs/promises";
import { existsSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { bundle, root } from "../scripts/bundle.mjs";

const folder = join(root, "bench");
const packages = join(folder, "node_modules");

/** Files that the libraries fetch for themselves. */
const assets = [
  "@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm",
  ...["mjs", "wasm", "asyncify.mjs", "asyncify.wasm"].map((ending) => `onnxruntime-web/dist/ort-wasm-simd-threaded.${ending}`),
];

function upToDate() {
  const installed = join(packages, ".package-lock.json");
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(folder, "package-lock.json")).mtimeMs;
}

function npmCi() {
  console.error("installing the other libraries into bench/node_modules (about 400 MB) …");
  // npm says where it is; run by hand, the one on the path will do.
  const [command, ...args] = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath, "ci"] : [process.platform === "win32" ? "npm.cmd" : "npm", "ci"];
  return new Promise((done, fail) => {
    const child = spawn(command, args, { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });
    child.on("error", fail).on("close", (code) => (code === 0 ? done() : fail(new Error(`npm ci ended with code ${code}`))));
  });
}

/** Node takes the same code as pages, but modules of its own in place of what bundlers leave empty for pages. */
const nodeSettings = {
  platform: "node", target: "node20", mainFields: ["browser", "module", "main"], conditions: ["browser"], outExtension: { ".js": ".mjs" },
  banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
};

async function bundlePeers(outdir, forNode) {
  await bundle({ entryPoints: [join(folder, "peers", "peers.ts")], outdir, splitting: true, sourcemap: false, logLevel: "error", ...(forNode ? nodeSettings : {}) });
  await Promise.all(assets.map((path) => cp(join(packages, path), join(outdir, basename(path)))));
}

/** Bundles the peers into `outdir`, if they are there or may be installed. Resolves to whether they are there. */
export async function buildPeers(outdir, { install = false, forNode = false } = {}) {
  let reason = "the other libraries are not installed; `npm run bench -- --peers` does that";
  if (install && !upToDate()) {
    await npmCi().catch((error) => {
      reason = `the other libraries could not be installed: ${error.message}`;
    });
  }
  await mkdir(outdir, { recursive: true });
  const installed = upToDate() && await bundlePeers(outdir, forNode).then(() => true, (error) => {
    // Half an installation must not take the page with it.
    reason = `the other libraries cannot be bundled: ${error.message.split("\n")[0]}`;
    return false;
  });
  await writeFile(join(outdir, "manifest.json"), `${JSON.stringify(installed ? { installed } : { installed, reason })}\n`);
  return installed;
}
