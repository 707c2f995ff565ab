/** Runs the kernels without a WebAssembly version. Loaded when the first of them is prepared. */
export { twinOf } from "../all-twins.ts";
export { customKernel } from "./custom-kernel.ts";
