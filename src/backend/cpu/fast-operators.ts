/** Kernels of imported models in WebAssembly, loaded with the first that is used: name -> the function that makes the call. */
import { binary } from "../../kernels/binary.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { normalizeForward } from "../../kernels/normalize.ts";
import { pick } from "../../kernels/pick.ts";
import { unfold } from "../../kernels/windows.ts";
import { direct, type FastKernel } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";

/** An export whose arguments are the bindings and then the params of the kernel's contract, in their order. */
const asInContract =
  (name: string, { bindings, params }: Pick<Kernel, "bindings" | "params">) =>
  (exports: WasmExports): FastKernel =>
    direct(exports, name, Object.keys(bindings), Object.keys(params));

export const operatorKernels = {
  binary: asInContract("binary", binary),
  pick: asInContract("pick", pick),
  unfold: asInContract("unfold", unfold),
  "normalize-forward": asInContract("normalizeForward", normalizeForward),
} satisfies Record<string, (exports: WasmExports) => FastKernel>;
