// Measures what a page loads for a task: a small program for each, bundled by esbuild from dist/ like an app, then
// gzipped.
//   node scripts/sizes.mjs [--write]      prints them, or puts them into README.md; dist/ must be there
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";
import { root } from "./bundle.mjs";

/**
 * `imports`: what the program uses, by the entry that has it; `loads`: the modules that it reaches by import() on its way;
 * `limit`: bytes, a little above what it is today. The aims are 50, 70 and 90 kB. Modules import each other by names with
 * hashes, so that any change moves the sizes by some bytes.
 */
export const tasks = {
  "running an LSTM on the CPU": {
    imports: { index: ["createBackend", "forward", "LSTM", "tensor"] },
    loads: ["cpu/cpu-backend", "wasm-builds/running"],
    limit: 50_000,
  },
  "training a character model on WebGPU": {
    imports: {
      index: ["adam", "createBackend", "crossEntropy", "Embedding", "generate", "Linear", "LSTM", "Sequential", "TextData", "Trainer"],
    },
    loads: ["webgpu/create-webgpu", "recurrent/derivatives"],
    limit: 70_000,
  },
  "running an LSTM from an ONNX file on the CPU": {
    imports: { index: ["createBackend", "forward"], formats: ["importModel"] },
    loads: ["cpu/cpu-backend", "wasm-builds/running", "formats/onnx/import-onnx"],
    limit: 88_000,
  },
};

/** Bytes of dist/stream.js, a little above what it is today; 35 kB are the most that it may ever have. */
export const streamLimit = 25_500;

const gzipSize = (bytes) => gzipSync(bytes, { level: 9 }).length;

/** Bytes of one task, with the names of the chunks that it loads. */
async function sizeOf({ imports, loads }) {
  const lines = Object.entries(imports).map(([entry, names]) => `import { ${names.join(", ")} } from "./dist/esm/${entry}.js";\n`);
  const program = `${lines.join("")}console.log(${Object.values(imports).flat().join(", ")});\n`;
  const { outputFiles, metafile } = await esbuild.build({
    absWorkingDir: root,
    stdin: { contents: program, resolveDir: root, sourcefile: "app.js" },
    outdir: "build/size",
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    minify: true,
    metafile: true,
    write: false,
    logLevel: "warning",
  });
  const texts = new Map(outputFiles.map(({ path, contents }) => [path, contents]));
  const loaded = new Set();
  const load = (path) => {
    if (loaded.has(path)) return;
    loaded.add(path);
    for (const { path: next, kind } of metafile.outputs[path].imports) {
      const entry = metafile.outputs[next]?.entryPoint ?? "";
      if (kind === "import-statement" || loads.some((name) => entry.endsWith(`/${name}.js`))) load(next);
    }
  };
  load(Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === "app.js"));
  let bytes = 0;
  for (const path of loaded) bytes += gzipSize(texts.get(join(root, path)));
  const modules = new Set(
    [...loaded].flatMap((path) =>
      Object.entries(metafile.outputs[path].inputs)
        .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
        .map(([name]) => name),
    ),
  );
  return { bytes, modules: [...modules] };
}

/**
 * For each task its bytes and its modules; and the bytes of the single file, and of that of streams alone.
 * @returns {Promise<{ tasks: Record<string, { bytes: number, modules: string[] }>, single: number, stream: number }>}
 */
export async function sizes() {
  const found = await Promise.all(Object.entries(tasks).map(async ([name, task]) => [name, await sizeOf(task)]));
  const sizeIn = async (file) => gzipSize(await readFile(join(root, "dist", file)));
  return { tasks: Object.fromEntries(found), single: await sizeIn("webgpu-rnn.min.js"), stream: await sizeIn("stream.js") };
}

const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

/** The sizes in a line. */
export function describeSizes({ tasks: found, single, stream }) {
  return `built dist/ (gzipped: ${Object.entries(found)
    .map(([name, { bytes }]) => `${name} ${kB(bytes)}`)
    .join(", ")}; all in one file ${kB(single)}, streams alone ${kB(stream)})`;
}

const marks = ["<!-- what a page loads: node scripts/sizes.mjs --write -->", "<!-- end of what a page loads -->"];

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const found = await sizes();
  console.log(describeSizes(found));
  if (process.argv.includes("--write")) {
    const table = [
      "| a page that does this | loads, gzipped |",
      "|---|---|",
      ...Object.entries(found.tasks).map(([name, { bytes }]) => `| ${name} | ${kB(bytes)} |`),
    ];
    const file = join(root, "README.md");
    const text = await readFile(file, "utf8");
    const [from, to] = marks.map((mark) => text.indexOf(mark));
    await writeFile(file, `${text.slice(0, from)}${[marks[0], ...table].join("\n")}\n${text.slice(to)}`);
  }
}
