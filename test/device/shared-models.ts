/**
 * Models of other programs, with what those programs compute: the folder ../shared/models beside the repository. They are
 * not part of it, and tests that need them say so and are skipped where the folder is not, as in pages.
 */
import { inPage } from "./support.ts";

const builtIn = <T>(name: string): T | undefined =>
  inPage ? undefined : (process as unknown as { getBuiltinModule?: (name: string) => T }).getBuiltinModule?.(name);

interface Files {
  existsSync(path: string): boolean;
  readFileSync(path: string): Uint8Array;
  readdirSync(path: string): string[];
}

const fs = builtIn<Files>("node:fs");
const root = inPage ? "" : `${import.meta.dirname}/../../../shared/models`;

/** Whether the folder is there. */
export const hasSharedModels = fs?.existsSync(root) ?? false;
if (!hasSharedModels && !inPage) console.warn("tests of other programs' models are skipped: there is no ../shared/models");

/** The bytes of a file. */
export const sharedFile = (path: string): Uint8Array<ArrayBuffer> => Uint8Array.from(fs!.readFileSync(`${root}/${path}`));

export const sharedJson = <T>(path: string): T => JSON.parse(new TextDecoder().decode(sharedFile(path))) as T;

/** The names in a folder, in order; none where it is not. */
export const sharedNames = (folder: string, ending = ""): string[] =>
  hasSharedModels
    ? fs!
        .readdirSync(`${root}/${folder}`)
        .filter((name) => name.endsWith(ending))
        .sort()
    : [];
