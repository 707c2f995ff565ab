// Runs a TypeScript program under Node without a build step: `node scripts/run-ts.mjs FILE.ts [arguments]`.
// The program is bundled (TypeScript and WGSL in, one file out) and then imported in this same process.
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleProgram, root } from "./bundle.mjs";
import { nodeAdapter } from "./vulkan.mjs";

const [file, ...rest] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: node scripts/run-ts.mjs FILE.ts [arguments]");
  process.exit(2);
}
const outfile = join(root, "build", "programs", basename(file).replace(/\.ts$/, ".mjs"));
// Where the system has no Vulkan driver, programs that ask for WebGPU get the software one; it is fetched for those that insist.
const insists = rest.some((word, i) => word === "--backend=webgpu" || (word === "webgpu" && rest[i - 1] === "--backend"));
const [{ variables }] = await Promise.all([nodeAdapter({ install: insists }), bundleProgram(file, outfile)]);
Object.assign(process.env, variables);
process.setSourceMapsEnabled(true);
process.argv = [process.argv[0], outfile, ...rest];
await import(pathToFileURL(outfile).href);
