/** The package as users get it: packed by npm, then installed from the tarball into a folder of its own. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../scripts/bundle.mjs";

const run = promisify(execFile);

/** `npm` is a script file on Windows, which takes a shell. */
export async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { stdout } = await run("npm", args, { cwd, shell: process.platform === "win32", maxBuffer: 1 << 26 });
  return stdout;
}

/** The tarball of dist/ as it lies there: the lane has built it. */
export async function pack(): Promise<string> {
  const folder = join(root, "build", "packed");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const [{ filename }] = JSON.parse(await npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder)) as [{ filename: string }];
  return join(folder, filename);
}

/** A project outside this repository, so that no file of it is found by accident; `files` by path. */
export async function project(tarball: string, files: Readonly<Record<string, string>>, manifest: object = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "webgpu-rnn-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", private: true, ...manifest }));
  await npm(folder, "install", "--no-audit", "--no-fund", "--ignore-scripts", tarball);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, ".."), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}
