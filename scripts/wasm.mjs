// `node scripts/wasm.mjs`: compiles src/backend/cpu/wasm/ (AssemblyScript) twice, with and without relaxed SIMD, into
// src/backend/cpu/wasm-builds.ts. Run it after each change there; a contract test compares the two.
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { deflateSync } from "node:zlib";
import { root } from "./bundle.mjs";
import { tool } from "./tool.mjs";

const run = promisify(execFile);
const generated = "src/backend/cpu/wasm-builds.ts";

async function compile(name, features) {
  const file = join(root, "build", "wasm", `${name}.wasm`);
  const options = ["--runtime", "stub", "--importMemory", "--noExportMemory", "--noAssert", "-O3", "--shrinkLevel", "1", ...features.flatMap((feature) => ["--enable", feature])];
  try {
    await run(process.execPath, [tool("assemblyscript", "asc"), "src/backend/cpu/wasm/index.ts", "--outFile", file, ...options], { cwd: root });
  } catch (error) {
    throw new Error(`asc found errors in src/backend/cpu/wasm:\n${error.stderr ?? error.message}`);
  }
  return readFile(file);
}

/** The two builds' bytes. */
export async function buildWasm() {
  await mkdir(join(root, "build", "wasm"), { recursive: true });
  const [plain, relaxed] = await Promise.all([compile("plain", ["simd"]), compile("relaxed", ["simd", "relaxed-simd"])]);
  return { plain, relaxed };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { plain, relaxed } = await buildWasm();
  // One stream for both: the second build differs little from the first, and then costs little.
  const packed = deflateSync(Buffer.concat([plain, relaxed]), { level: 9 });
  await writeFile(join(root, generated), [
    "// Made by scripts/wasm.mjs from src/backend/cpu/wasm/; not to be edited.",
    `export const plainLength = ${plain.length};`,
    "/** The plain build and the relaxed one, joined, deflated (zlib) and in base64. */",
    `export const packed = "${packed.toString("base64")}";`,
    "",
  ].join("\n"));
  console.log(`${generated}: plain ${plain.length}, relaxed ${relaxed.length}, together ${packed.length} bytes deflated`);
}
