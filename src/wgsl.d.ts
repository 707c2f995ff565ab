/** WGSL files are bundled as text, in groups that are loaded as one (scripts/wgsl-plugin.mjs). */
declare module "*.wgsl" {
  const source: string;
  export default source;
}

declare module "*/shaders/index.group" {
  type Shaders = Readonly<Record<string, string>>;
  type Load = () => Promise<{ readonly shaders: Shaders }>;
  export const common: Shaders;
  export const groups: readonly { readonly files: readonly string[]; readonly load: Load }[];
  export const further: Load;
}
