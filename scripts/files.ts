/** Reads texts and writes results. Every error is one line, and a written file is complete or unchanged. */
import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { access, open, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { UserError } from "./user-error.ts";

/** npm starts scripts in the package's folder; paths mean those of the folder that npm was called in. */
export function absolute(path: string): string {
  const { npm_lifecycle_event, INIT_CWD } = process.env;
  return resolve(["train", "import"].includes(npm_lifecycle_event ?? "") && INIT_CWD !== undefined ? INIT_CWD : ".", path);
}

const reasons: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOENT: "no such file or folder",
  ENOTDIR: "a part of its path is no folder",
  EISDIR: "it is a folder",
  ENOSPC: "no space left",
  EDQUOT: "no space left",
  EFBIG: "the file would be too large",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many links",
  EMFILE: "too many open files",
  EIO: "the disk failed",
};

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return reasons[code ?? ""] ?? message;
}

/** The longest string that JavaScript has. */
const mostCharacters = 2 ** 29 - 24;

/** @throws UserError if there is no such file, or it is none */
export async function readBytes(name: string, path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(absolute(path));
    if (size > mostCharacters) throw new UserError(`${name} has ${size} bytes, more than the ${mostCharacters} that fit; use a part of it`);
    return await readFile(absolute(path));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`cannot read ${name}: ${reasonOf(error)}`);
  }
}

/** @throws UserError if the file cannot be read, is empty or not UTF-8 */
export async function readText(path: string): Promise<string> {
  const name = JSON.stringify(path);
  const bytes = await readBytes(name, path);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UserError(`${name} is not UTF-8 text; convert it first`);
  }
  if (text === "") throw new UserError(`${name} is empty`);
  return text;
}

/** A place that results are written to. */
export interface Output {
  readonly name: string;
  /** Where links end, so that a link stays one. */
  readonly path: string;
  /** A pipe or a device, which cannot be renamed to. */
  readonly special: boolean;
}

/** A file beside `path`: a rename works only within one file system. */
const temporaryBeside = (path: string): string => join(dirname(path), `.webgpu-rnn-${randomUUID()}.tmp`);

/**
 * Finds out before any work whether `path` can be written.
 * @throws UserError if it cannot
 */
export async function checkOutput(flag: string, path: string): Promise<Output> {
  const name = `${flag} ${JSON.stringify(path)}`;
  const whole = absolute(path);
  try {
    const found = await stat(whole).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    });
    if (found?.isDirectory() || /[/\\]$/.test(path)) throw new UserError(`${name} must be a file, but is a folder`);
    if (found && !found.isFile()) return { name, path: whole, special: true };
    if (found) await access(whole, constants.W_OK);
    const real = found ? await realpath(whole) : join(await realpath(dirname(whole)), basename(whole));
    const probe = temporaryBeside(real);
    await (await open(probe, "wx")).close();
    await rm(probe);
    return { name, path: real, special: false };
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${name} cannot be written: ${reasonOf(error)}`);
  }
}

/** True if two paths lead to the same file. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  const real = (path: string): Promise<string> => realpath(absolute(path)).catch(() => absolute(path));
  return (await real(a)) === (await real(b));
}

/**
 * Writes all or nothing: to a temporary file in the same folder, flushed to the disk, then renamed.
 * @throws UserError if that fails; the old file is then as it was
 */
export async function writeOutput({ name, path, special }: Output, data: string | Uint8Array): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    if (special) return await writeFile(path, data);
    const mode = await stat(path).then(
      (s) => s.mode & 0o777,
      () => 0o666,
    );
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new UserError(`${name} could not be written: ${reasonOf(error)}; what was there before is unchanged`);
  }
}

/** Makes the rename itself last. Not every system lets folders be opened. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}
