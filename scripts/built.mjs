// Decides whether something must be built, from the contents of its sources and of its results. Of two programs that
// need the same, such as `npm start` and `npm test` in two terminals, one builds and the other waits.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { entryPoints, root } from "./bundle.mjs";

/** Files in a source folder that no build uses. */
const ignored = /(^|[\\/])(node_modules|\.[^\\/]*)([\\/]|$)/;

/** A hash of the names and contents of files and folders, or undefined where one of them is missing. */
async function contents(paths, folder) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const at = join(folder, path);
    const found = await stat(at).catch(() => undefined);
    if (!found) return undefined;
    const files = found.isDirectory()
      ? (await readdir(at, { recursive: true, withFileTypes: true }))
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
      : [at];
    for (const file of files.filter((one) => !ignored.test(one.slice(folder.length))).sort())
      hash.update(`${file.slice(folder.length)}\0`).update(
        createHash("sha256")
          .update(await readFile(file))
          .digest(),
      );
  }
  return hash.digest("hex");
}

/** True if a process of this number runs, whoever owns it. */
function runs(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** When a file was written last; Infinity if it is gone. */
const changed = (file) =>
  stat(file).then(
    ({ mtimeMs }) => mtimeMs,
    () => Infinity,
  );

/** Does `work` while no other process holds the file `lock`. One whose process has ended holds nothing. */
async function alone(lock, work) {
  await mkdir(dirname(lock), { recursive: true });
  for (let waits = 0; ; waits++) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const holder = Number(await readFile(lock, "utf8").catch(() => process.pid));
    // The file may be empty for a moment, which reads as 0; for longer if its process was ended in that moment.
    const isOver = holder === 0 ? Date.now() - (await changed(lock)) > 2000 : holder !== process.pid && !runs(holder);
    if (isOver) await rm(lock, { force: true });
    if (waits === 3) console.log(`process ${holder} is building the same; waiting for it (it holds ${lock}) …`);
    if (waits > 0) await new Promise((done) => setTimeout(done, 200));
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
}

/**
 * Builds `into` from `from`, unless neither has changed since the last build. The result of `build` is stored, so it
 * must be JSON; `fresh` is true if it was built now.
 * @template T
 * @param {string} name
 * @param {{ from: readonly string[], into: readonly string[], folder?: string }} paths
 * @param {() => Promise<T>} build
 * @returns {Promise<{ result: T, fresh: boolean }>}
 */
export function unlessBuilt(name, { from, into, folder = root }, build) {
  const record = join(folder, "build", "built", `${name}.json`);
  return alone(record.replace(/json$/, "lock"), () => builtNow(record, { from, into, folder }, build));
}

async function builtNow(record, { from, into, folder }, build) {
  // Another version of Node may bundle differently, and an install may change node_modules.
  const installed = await contents(["node_modules/.package-lock.json"], folder);
  const bench = await contents(["bench/node_modules/.package-lock.json"], folder);
  const sources = [process.version, installed, bench, await contents(from, folder)].join();
  const known = await readFile(record, "utf8")
    .then(JSON.parse)
    .catch(() => undefined);
  if (known?.sources === sources && known.made !== undefined && known.made === (await contents(into, folder)))
    return { result: known.result, fresh: false };
  await rm(record, { force: true });
  const result = await build();
  const made = await contents(into, folder);
  await mkdir(dirname(record), { recursive: true });
  await writeFile(`${record}.${process.pid}.tmp`, JSON.stringify({ sources, made, result }));
  await rename(`${record}.${process.pid}.tmp`, record);
  return { result, fresh: true };
}

/** What the package is built from. */
export const packageSources = ["package-lock.json", "package.json", "scripts", "shaders", "src", "tsconfig.json", "tsconfig.build.json"];

/** The package, and a line about its sizes. The builders are loaded only when they are needed. */
export function builtPackage(announce = () => undefined) {
  const into = ["dist", ...Object.keys(entryPoints).filter((entry) => entry !== "index")];
  return unlessBuilt("package", { from: packageSources, into }, async () => {
    announce();
    const [{ build }, { describeSizes }] = await Promise.all([import("./build.mjs"), import("./sizes.mjs")]);
    return describeSizes(await build());
  });
}
