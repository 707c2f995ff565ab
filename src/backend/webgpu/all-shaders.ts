/** All WGSL of the package at once: to check the paths of an app's own files, and to tell versions apart. */
import { clip, RnnError } from "../../errors.ts";
import { meantBy } from "../../options.ts";
import { Part } from "../../part.ts";
import { allCells } from "../../recurrent/cells/all-cells.ts";
import { cellText } from "../../recurrent/kernels/cell-structs.ts";
import { structsPath } from "../../recurrent/kernels/recurrent-kernel.ts";
import { further, groups } from "../../../shaders/groups.group";
import { unpack, type Texts } from "./unpack-shaders.ts";

/** Every file. @param common those that are loaded already */
export async function allShaders(common: Texts): Promise<Texts> {
  const loads = [...groups.map(({ load }) => load), further];
  const loaded = await Promise.all(loads.map((load) => new Part("shaders", load).load()));
  return Object.assign({}, common, ...loaded.map(({ packed }) => unpack(packed))) as Texts;
}

/** @throws RnnError `option` for a path that no file has, with the nearest one; paths below `own/` are the program's */
export async function checkPaths(paths: readonly string[], common: Texts): Promise<void> {
  const known = Object.keys(await allShaders(common));
  const unknown = paths.find((path) => !known.includes(path) && !path.startsWith("own/"));
  if (unknown === undefined) return;
  const meant = meantBy(unknown, known);
  const hint = meant === undefined ? "paths are those below shaders/ without .wgsl" : `did you mean "${meant}"?`;
  throw new RnnError("option", "createBackend", `shaders: there is no file "${clip(unknown)}"; ${hint}`);
}

/** All WGSL: every file, and what is made from the data of the package's cells. */
export async function allTexts(common: Texts): Promise<Texts> {
  const made = allCells.flatMap((cell) =>
    (["forward", "backward"] as const).flatMap((pass) =>
      ([4, 8] as const).map((rows) => [
        `${structsPath}:${cell.name}:${pass}:${rows}`,
        cellText({ cell, pass, form: { rows } }, structsPath)!,
      ]),
    ),
  );
  return { ...(await allShaders(common)), ...(Object.fromEntries(made) as Record<string, string>) };
}

/** A hash (FNV-1a) of all WGSL. @param replaced used instead, by path */
export async function fingerprint(replaced: Texts, common: Texts): Promise<string> {
  let hash = 0x811c9dc5;
  const texts = Object.entries({ ...(await allTexts(common)), ...replaced }).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [, text] of texts) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16);
}
