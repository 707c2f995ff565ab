/** AssemblyScript files are bundled as the WebAssembly that they compile to (build-peers.mjs). */
declare module "*.as" {
  const bytes: Uint8Array<ArrayBuffer>;
  export default bytes;
}
