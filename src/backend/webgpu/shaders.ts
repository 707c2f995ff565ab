/**
 * The WGSL files, by path below `shaders/` without extension: those that most models need, and others that are loaded in
 * groups when needed. `scripts/shader-groups.json` lists the groups; a file that is in no list is loaded with the rest.
 */
import { clip, RnnError } from "../../errors.ts";
import { meantBy } from "../../options.ts";
import { cellText } from "../../recurrent/kernels/cell-structs.ts";
import { structsPath } from "../../recurrent/kernels/recurrent-kernel.ts";
import { common, further, groups } from "../../../shaders/index.group";

type Texts = Readonly<Record<string, string>>;

/** The files of a group, by path. */
const unpack = (packed: string): Texts =>
  Object.fromEntries(
    packed
      .slice(1, -1)
      .split("\n#")
      .map((file) => {
        const end = file.indexOf("\n");
        return [file.slice(0, end), `${file.slice(end + 1)}\n`];
      }),
  );

const inCommon = unpack(common);

/** The text of a file, undefined if there is none of this path. */
export async function shaderText(path: string): Promise<string | undefined> {
  if (path in inCommon) return inCommon[path];
  const { packed } = await (groups.find(({ files }) => files.includes(path))?.load ?? further)();
  return unpack(packed)[path];
}

/** Every file. */
export async function allShaders(): Promise<Texts> {
  const loaded = await Promise.all([...groups.map(({ load }) => load()), further()]);
  return Object.assign({}, inCommon, ...loaded.map(({ packed }) => unpack(packed))) as Texts;
}

/** @throws RnnError `option` for a path that no file has, with the nearest one; paths below `own/` are the program's */
export async function checkPaths(paths: readonly string[]): Promise<void> {
  const known = Object.keys(await allShaders());
  const unknown = paths.find((path) => !known.includes(path) && !path.startsWith("own/"));
  if (unknown === undefined) return;
  const meant = meantBy(unknown, known);
  const hint = meant === undefined ? "paths are those below shaders/ without .wgsl" : `did you mean "${meant}"?`;
  throw new RnnError("option", "createBackend", `shaders: there is no file "${clip(unknown)}"; ${hint}`);
}

/** All WGSL of the package: every file, and what is made from the data of its cells. */
export async function allTexts(): Promise<Texts> {
  const [files, { allCells }] = await Promise.all([allShaders(), import("../../recurrent/cells/all-cells.ts")]);
  const made = allCells.flatMap((cell) =>
    (["forward", "backward"] as const).map((pass) => [`${structsPath}:${cell.name}:${pass}`, cellText({ cell, pass }, structsPath)!]),
  );
  return { ...files, ...(Object.fromEntries(made) as Record<string, string>) };
}
