// `node scripts/wasm.mjs`: compiles src/backend/cpu/wasm/ (AssemblyScript) twice, with and without relaxed SIMD, into
// src/backend/cpu/wasm-builds.ts. Run it after each change there; tests find out when it was forgotten.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { deflateSync } from "node:zlib";
import { root } from "./bundle.mjs";
import { tool } from "./tool.mjs";

const run = promisify(execFile);
const generated = "src/backend/cpu/wasm-builds.ts";

async function compile(name, features) {
  const file = join(root, "build", "wasm", `${name}.wasm`);
  const options = [
    "--runtime",
    "stub",
    "--importMemory",
    "--noExportMemory",
    "--maximumMemory",
    "65536",
    "--noAssert",
    "-O3",
    "--shrinkLevel",
    "1",
    ...features.flatMap((feature) => ["--enable", feature]),
  ];
  try {
    await run(process.execPath, [tool("assemblyscript", "asc"), "src/backend/cpu/wasm/index.ts", "--outFile", file, ...options], {
      cwd: root,
    });
  } catch (error) {
    throw new Error(`asc found errors in src/backend/cpu/wasm:\n${error.stderr ?? error.message}`);
  }
  return readFile(file);
}

const blockLength = 16384;

/** Both builds in one, block by block: the second differs little from the first, and deflate looks back 32 KiB. */
function alternating(plain, relaxed) {
  const blocks = [];
  for (let at = 0; at < Math.max(plain.length, relaxed.length); at += blockLength)
    blocks.push(plain.subarray(at, at + blockLength), relaxed.subarray(at, at + blockLength));
  return Buffer.concat(blocks);
}

/** The two builds' bytes. */
export async function buildWasm() {
  await mkdir(join(root, "build", "wasm"), { recursive: true });
  const [plain, relaxed] = await Promise.all([compile("plain", ["simd"]), compile("relaxed", ["simd", "relaxed-simd"])]);
  return { plain, relaxed };
}

/** Of everything that the builds are made from: the sources, and this file with its options. */
export async function sourcesHash() {
  const folder = join(root, "src/backend/cpu/wasm");
  const files = (await readdir(folder))
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => join(folder, name));
  const hash = createHash("sha256");
  for (const file of [...files, fileURLToPath(import.meta.url)]) hash.update(await readFile(file, "utf8"));
  return hash.digest("hex");
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { plain, relaxed } = await buildWasm();
  const packed = deflateSync(alternating(plain, relaxed), { level: 9 });
  await writeFile(
    join(root, generated),
    [
      "// Made by scripts/wasm.mjs from src/backend/cpu/wasm/; not to be edited.",
      `// sources: ${await sourcesHash()}`,
      `export const plainLength = ${plain.length};`,
      "/** Bytes of one build that are followed by as many of the other. */",
      `export const blockLength = ${blockLength};`,
      "/** The plain build and the relaxed one, in blocks that alternate, deflated (zlib) and in base64 with line ends. */",
      `export const packed = \`\n${packed.toString("base64").replace(/.{1,140}/g, "$&\n")}\`;`,
      "",
    ].join("\n"),
  );
  console.log(`${generated}: plain ${plain.length}, relaxed ${relaxed.length}, together ${packed.length} bytes deflated`);
}
