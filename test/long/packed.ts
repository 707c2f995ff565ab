/** The package as users get it: packed by npm, then installed from the tarball into a new project. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../scripts/bundle.mjs";

/** Bundlers, compilers and Jest have a package.json of their own, since few runs of the tests need them. */
export const tools = join(root, "test", "bundlers");

export interface Ran {
  readonly code: number;
  /** Both outputs. */
  readonly text: string;
  readonly stdout: string;
}

/** Runs a program to its end; a failure is a result. `input` is its standard input. */
export async function run(
  cwd: string,
  command: string,
  args: readonly string[],
  { env = {}, input = "" }: { env?: Record<string, string>; input?: string } = {},
): Promise<Ran> {
  const running = promisify(execFile)(command, args, {
    cwd,
    env: { ...process.env, NODE_OPTIONS: "", VITEST: "", NODE_ENV: "", CI: "true", NO_COLOR: "1", FORCE_COLOR: "0", ...env },
    maxBuffer: 1 << 26,
    shell: process.platform === "win32" && command === "npm",
  });
  running.child.stdin?.end(input);
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr, stdout }),
    (error: unknown) => {
      const { code, message, stdout, stderr } = error as { code: number; message: string; stdout: string; stderr: string };
      return { code, text: `${message}\n${stdout}\n${stderr}`, stdout };
    },
  );
}

export async function npm(cwd: string, ...args: string[]): Promise<string> {
  const { code, text, stdout } = await run(cwd, "npm", args);
  if (code !== 0) throw new Error(`npm ${args.join(" ")}: ${text}`);
  return stdout;
}

/** The program file of a tool, to be run by Node. */
export function tool(packageName: string, binary = packageName): string {
  const manifest = join(tools, "node_modules", packageName, "package.json");
  const { bin } = createRequire(import.meta.url)(manifest) as { bin: string | Record<string, string> };
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[binary]);
}

/** Installs the tools, unless they are those of the lock file. */
export async function installTools(): Promise<void> {
  const lock = join(tools, "package-lock.json");
  const installed = join(tools, "node_modules", "installed-lock.json");
  const [wanted, present] = await Promise.all([lock, installed].map((file) => readFile(file, "utf8").catch(() => "")));
  if (wanted === present) return;
  await npm(tools, "ci", "--no-audit", "--no-fund", "--ignore-scripts");
  await writeFile(installed, wanted);
}

/** A tarball of the present dist/, which the lane has built. */
export async function pack(): Promise<string> {
  const folder = join(root, "build", "packed");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const [{ filename }] = JSON.parse(await npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder)) as [
    { filename: string },
  ];
  return join(folder, filename);
}

/** A project outside this repository, so that no file of it is found by accident; `files` by path. */
export async function makeProject(tarball: string, files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "webgpu-rnn-"));
  await writeFile(join(folder, "package.json"), JSON.stringify({ name: "app", version: "1.0.0", private: true }));
  await npm(folder, "install", "--no-audit", "--no-fund", "--ignore-scripts", tarball);
  await writeFiles(folder, files);
  return folder;
}

export async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

/** A file of the installed package. */
export const fileOf = (project: string, path: string): Promise<string> => readFile(join(project, "node_modules/webgpu-rnn", path), "utf8");
