/**
 * The WGSL files, by path below `shaders/` without extension: those that most models need, and others that are loaded in
 * groups when needed. `scripts/shader-groups.json` lists the groups; a file that is in no list is loaded with the rest.
 */
import { Part } from "../../part.ts";
import { common, further, groups } from "../../../shaders/index.group";

export const allShaders = new Part("shaders", () => import("./all-shaders.ts"));

export type Texts = Readonly<Record<string, string>>;

/** The files of a group, by path. */
export const unpack = (packed: string): Texts =>
  Object.fromEntries(
    packed
      .slice(1, -1)
      .split("\n#")
      .map((file) => {
        const end = file.indexOf("\n");
        return [file.slice(0, end), `${file.slice(end + 1)}\n`];
      }),
  );

export const inCommon = unpack(common);

/** The text of a file, undefined if there is none of this path. */
export async function shaderText(path: string): Promise<string | undefined> {
  if (path in inCommon) return inCommon[path];
  const { packed } = await (groups.find(({ files }) => files.includes(path))?.load ?? further)();
  return unpack(packed)[path];
}
