/** WGSL files are bundled as text, in groups that are loaded as one (scripts/wgsl-plugin.mjs). */
declare module "*.wgsl" {
  const source: string;
  export default source;
}

declare module "*/shaders/common.group" {
  /** The files that most models need in one text, each behind a line with # and its path. */
  export const packed: string;
}

declare module "*/shaders/groups.group" {
  type Load = () => Promise<{ readonly packed: string }>;
  export const groups: readonly { readonly files: readonly string[]; readonly load: Load }[];
  /** The files that no list has. */
  export const further: Load;
}
