// `node scripts/wasm.mjs`: compiles src/backend/cpu/wasm/ (AssemblyScript) into src/backend/cpu/wasm-builds/, each of its entries
// twice, with and without relaxed SIMD. Run it after each change there; tests find out when it was forgotten.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import zopfli from "@gfx/zopfli";
import { root } from "./bundle.mjs";
import { tool } from "./tool.mjs";

const run = promisify(execFile);
const sources = "src/backend/cpu/wasm";
const generated = "src/backend/cpu/wasm-builds";

/** The modules that pages load apart, and that of saved streams, which has the forward passes of all. */
export const parts = ["running", "training", "regularized", "two-phase", "scan", "operators", "stream"];

/** What unpacks them where the engine has nothing for it. It is not packed itself. */
export const unpacking = "unpack";

async function compile(part, name, features, shrinkLevel = 1) {
  const file = join(root, "build", "wasm", `${part}-${name}.wasm`);
  const options = [
    "--runtime",
    "stub",
    "--importMemory",
    "--noExportMemory",
    "--maximumMemory",
    "65536",
    // A gap in the scratch memory, see src/backend/cpu/wasm/scratch.ts.
    "--memoryBase",
    "640",
    "--noAssert",
    "-O3",
    "--shrinkLevel",
    `${shrinkLevel}`,
    ...features.flatMap((feature) => ["--enable", feature]),
  ];
  try {
    await run(process.execPath, [tool("assemblyscript", "asc"), `${sources}/${part}.ts`, "--outFile", file, ...options], { cwd: root });
  } catch (error) {
    throw new Error(`asc found errors in src/backend/cpu/wasm:\n${error.stderr ?? error.message}`);
  }
  return readFile(file);
}

/** The two builds' bytes of a part. */
export async function buildWasm(part) {
  await mkdir(join(root, "build", "wasm"), { recursive: true });
  const [plain, relaxed] = await Promise.all([compile(part, "plain", ["simd"]), compile(part, "relaxed", ["simd", "relaxed-simd"])]);
  return { plain, relaxed };
}

/** The bytes of what unpacks. Its size counts, and not its speed: it runs once. */
export async function buildUnpacking() {
  await mkdir(join(root, "build", "wasm"), { recursive: true });
  return compile(unpacking, "plain", [], 2);
}

/** Of everything that the builds are made from: the sources, and this file with its options. */
export async function sourcesHash() {
  const folder = join(root, sources);
  const files = (await readdir(folder))
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => join(folder, name));
  const hash = createHash("sha256");
  for (const file of [...files, fileURLToPath(import.meta.url)]) hash.update(await readFile(file, "utf8"));
  return hash.digest("hex");
}

async function write(part, ...lines) {
  const head = [`// Made by scripts/wasm.mjs from ${sources}/${part}.ts; not to be edited.`, `// sources: ${await sourcesHash()}`];
  await writeFile(join(root, generated, `${part}.ts`), [...head, ...lines, ""].join("\n"));
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await mkdir(join(root, generated), { recursive: true });
  for (const part of parts) {
    const { plain, relaxed } = await buildWasm(part);
    // Five percent smaller than by the usual deflate, which pages load again and again.
    const packed = Buffer.from(await zopfli.zlibAsync(Buffer.concat([plain, relaxed]), { numiterations: 15 }));
    await write(
      part,
      `export const plainLength = ${plain.length};`,
      `export const relaxedLength = ${relaxed.length};`,
      "/** The plain build and behind it the relaxed one, which differs little, deflated (zlib) and in base64 with line ends. */",
      `export const packed = \`\n${packed.toString("base64").replace(/.{1,140}/g, "$&\n")}\`;`,
    );
    console.log(`${generated}/${part}.ts: plain ${plain.length}, relaxed ${relaxed.length}, together ${packed.length} bytes deflated`);
  }
  const code = await buildUnpacking();
  await write(unpacking, `export const bytes = [\n${[...code].join().replace(/.{1,138},/g, "  $&\n")}\n];`);
  console.log(`${generated}/${unpacking}.ts: ${code.length} bytes`);
}
