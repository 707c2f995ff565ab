// The esbuild settings that the package, the pages, the browser tests and the command-line programs share.
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { wgslPlugin } from "./wgsl-plugin.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** The package's entry points by the names that programs import, and the source behind each. */
export const entryPoints = {
  index: "src/index.ts",
  formats: "src/formats.ts",
  inspect: "src/inspect.ts",
  language: "src/language.ts",
  ops: "src/ops.ts",
  static: "src/all.ts",
  stream: "src/stream.ts",
};

/** Packages whose code the build puts into the one file that imports them, with the words of their licences. */
export const bundledPackages = [
  { file: "src/formats/parsers/protobuf.ts", packages: ["pbf"] },
  { file: "src/formats/parsers/protobuf-writer.ts", packages: ["pbf"] },
  { file: "src/formats/parsers/zip.ts", packages: ["fflate"] },
  // pako comes with jsfive.
  { file: "src/formats/parsers/hdf5.ts", packages: ["fflate", "jsfive", "pako"] },
];

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
export async function bundleProgram(entry, outfile) {
  const options = { platform: "node", target: "node20", external: [], packages: "external", plugins: [ownNamePlugin] };
  const { outputFiles } = await bundle({ entryPoints: [entry], outfile, sourcemap: "inline", write: false, ...options });
  // Another process may start the same program meanwhile; it must not read half a file.
  const temporary = `${outfile}.${process.pid}.tmp`;
  await mkdir(dirname(outfile), { recursive: true });
  await writeFile(temporary, outputFiles[0].contents);
  await rename(temporary, outfile);
}

/** `packages: "external"` would also leave out this package's own name, which means the sources here. */
const ownNamePlugin = {
  name: "own-name",
  setup(build) {
    build.onResolve({ filter: /^webgpu-rnn(\/|$)/ }, ({ path }) => {
      const name = path.split("/")[1] ?? "index";
      // Programs written before the entries were divided say "full" for what all of them hold.
      const entry = entryPoints[name === "full" ? "static" : name];
      if (entry) return { path: join(root, entry) };
      return { errors: [{ text: `${path} is no entry of this package; there are ${Object.keys(entryPoints).join(", ")}` }] };
    });
  },
};
