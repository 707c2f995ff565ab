// Decides whether something must be built, from the contents of its sources and of its results.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { root } from "./bundle.mjs";

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

/**
 * Builds `into` from `from`, unless neither has changed since the last build. The result of `build` is stored, so it
 * must be JSON; `fresh` is true if it was built now.
 * @template T
 * @param {string} name
 * @param {{ from: readonly string[], into: readonly string[], folder?: string }} paths
 * @param {() => Promise<T>} build
 * @returns {Promise<{ result: T, fresh: boolean }>}
 */
export async function unlessBuilt(name, { from, into, folder = root }, build) {
  const record = join(folder, "build", "built", `${name}.json`);
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
