/** WGSL files are bundled as text, in groups that are loaded as one (scripts/wgsl-plugin.mjs). */
declare module "*.wgsl" {
  const source: string;
  export default source;
}

declare module "*/shaders/index.group" {
  /** Files in one text, each behind a line with # and its path. */
  type Packed = string;
  type Load = () => Promise<{ readonly packed: Packed }>;
  export const common: Packed;
  export const groups: readonly { readonly files: readonly string[]; readonly load: Load }[];
  export const further: Load;
}
