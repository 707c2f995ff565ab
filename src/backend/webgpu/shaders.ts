/**
 * The WGSL files, by path below `shaders/` without extension: those that most models need, and others that are loaded in
 * groups when needed. `scripts/shader-groups.json` lists the groups; a file that is in no list is loaded with the rest.
 */
import { Part } from "../../part.ts";
import { packed } from "../../../shaders/common.group";
import { unpack } from "./unpack-shaders.ts";

export const allShaders = new Part("shaders", () => import("./all-shaders.ts"));
/** The lists are loaded too: they are nearly as long as a group. */
const others = new Part("shaders", () => import("../../../shaders/groups.group"));

/** The files that most models need. */
export const common = unpack(packed);

/** The text of a file, undefined if there is none of this path. @throws RnnError `load` */
export async function shaderText(path: string): Promise<string | undefined> {
  if (path in common) return common[path];
  const { groups, further } = await others.load();
  const group = new Part("shaders", groups.find(({ files }) => files.includes(path))?.load ?? further);
  return unpack((await group.load()).packed)[path];
}
