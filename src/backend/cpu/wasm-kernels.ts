/** Loads the SIMD kernels (`wasm/`, AssemblyScript) that this engine can run. */
import { WasmHeap } from "./wasm-heap.ts";

type Call = (...args: number[]) => void;

/** The exports of `wasm/index.ts`. */
export type WasmExports = Readonly<Record<string, Call>> & { readonly heapStart: unknown };

export interface WasmKernels {
  readonly exports: WasmExports;
  readonly heap: WasmHeap;
  /** With fused multiply-add. */
  readonly relaxed: boolean;
}

interface Compiled {
  readonly module: WebAssembly.Module;
  readonly relaxed: boolean;
}

async function unpack(packed: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(atob(packed), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Both builds as bytes; `test/contract` compares them with the sources. */
export async function wasmBuilds(): Promise<{ plain: Uint8Array<ArrayBuffer>; relaxed: Uint8Array<ArrayBuffer> }> {
  // A chunk of its own: pages that run on the GPU need not load it.
  const { packed, plainLength } = await import("./wasm-builds.ts");
  const both = await unpack(packed);
  return { plain: both.slice(0, plainLength), relaxed: both.slice(plainLength) };
}

async function compile(): Promise<Compiled | string> {
  if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
  if (typeof DecompressionStream === "undefined") return "this engine has no DecompressionStream";
  try {
    const { plain, relaxed } = await wasmBuilds();
    const fused = WebAssembly.validate(relaxed);
    if (!fused && !WebAssembly.validate(plain)) return "this engine has no WebAssembly SIMD";
    return { module: await WebAssembly.compile(fused ? relaxed : plain), relaxed: fused };
  } catch (error) {
    // A page's content security policy may forbid compiling.
    return `WebAssembly cannot be compiled here: ${(error as Error).message}`;
  }
}

let compiled: Promise<Compiled | string> | undefined;

/** Kernels over a memory of their own, or the reason why this engine has none. */
export async function loadWasmKernels(): Promise<WasmKernels | string> {
  const found = await (compiled ??= compile());
  if (typeof found === "string") return found;
  const memory = new WebAssembly.Memory({ initial: 16 });
  const { exports } = await WebAssembly.instantiate(found.module, { env: { memory, log: Math.log } });
  const kernels = exports as unknown as WasmExports;
  return { exports: kernels, heap: new WasmHeap(memory, (kernels.heapStart as WebAssembly.Global).value as number), relaxed: found.relaxed };
}
