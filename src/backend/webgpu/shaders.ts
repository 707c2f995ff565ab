/**
 * The WGSL files, by path below `shaders/` without extension: those that most models need, and others that are loaded in
 * groups when needed. `scripts/shader-groups.json` lists the groups; a file that is in no list is loaded with the rest.
 */
import { cellText } from "../../recurrent/kernels/cell-structs.ts";
import { structsPath } from "../../recurrent/kernels/recurrent-kernel.ts";
import { common, further, groups } from "../../../shaders/index.group";

/** The text of a file, undefined if there is none of this path. */
export async function shaderText(path: string): Promise<string | undefined> {
  if (path in common) return common[path];
  const { shaders } = await (groups.find(({ files }) => files.includes(path))?.load ?? further)();
  return shaders[path];
}

/** Every file. */
export async function allShaders(): Promise<Readonly<Record<string, string>>> {
  const loaded = await Promise.all([...groups.map(({ load }) => load()), further()]);
  return Object.assign({}, common, ...loaded.map(({ shaders }) => shaders)) as Readonly<Record<string, string>>;
}

/** All WGSL of the package: every file, and what is made from the data of its cells. */
export async function allTexts(): Promise<Readonly<Record<string, string>>> {
  const [files, { allCells }] = await Promise.all([allShaders(), import("../../recurrent/cells/all-cells.ts")]);
  const made = allCells.flatMap((cell) =>
    (["forward", "backward"] as const).map((pass) => [`${structsPath}:${cell.name}:${pass}`, cellText({ cell, pass }, structsPath)!]),
  );
  return { ...files, ...(Object.fromEntries(made) as Record<string, string>) };
}
