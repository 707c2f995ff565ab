/** What runs the kernels that WebAssembly has no version of. Loaded once the first of them is prepared. */
export { twinOf } from "../all-twins.ts";
export { customKernel } from "./custom-kernel.ts";
