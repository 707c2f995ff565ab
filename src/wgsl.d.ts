/** WGSL files are bundled as text (esbuild's text loader; a vite plugin under vitest). */
declare module "*.wgsl" {
  const source: string;
  export default source;
}
