/** Loads the SIMD kernels (`wasm/`, AssemblyScript) that this engine can run. */
import { inflate } from "./inflate.ts";
import { WasmHeap } from "./wasm-heap.ts";

type Call = (...args: number[]) => void;

/** The exports of `wasm/index.ts`. */
export type WasmExports = Readonly<Record<string, Call>> & { readonly scratchBytes: unknown };

export interface WasmKernels {
  readonly module: WebAssembly.Module;
  readonly exports: WasmExports;
  readonly heap: WasmHeap;
  /** With fused multiply-add. */
  readonly relaxed: boolean;
}

interface Compiled {
  readonly module: WebAssembly.Module;
  readonly relaxed: boolean;
}

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 without `atob`, which worklets lack; what is no digit (line ends, padding) is passed over. */
function bytesOf(base64: string): Uint8Array {
  const bytes = new Uint8Array((base64.length * 3) >> 2);
  let length = 0;
  for (let i = 0, bits = 0, held = 0; i < base64.length; i++) {
    const digit = digits.indexOf(base64[i]);
    if (digit < 0) continue;
    held = ((held << 6) | digit) & 0xffff;
    bits += 6;
    if (bits >= 8) bytes[length++] = held >> (bits -= 8);
  }
  return bytes.subarray(0, length);
}

/** Both builds as bytes; `test/contract` compares them with the sources. */
export async function wasmBuilds(): Promise<{ plain: Uint8Array<ArrayBuffer>; relaxed: Uint8Array<ArrayBuffer> }> {
  // A chunk of its own: pages that run on the GPU need not load it.
  const { packed, plainLength, blockLength } = await import("./wasm-builds.ts");
  const both = inflate(bytesOf(packed));
  const [plain, relaxed] = [new Uint8Array(plainLength), new Uint8Array(both.length - plainLength)];
  for (let at = 0, from = 0; from < both.length; at += blockLength) {
    for (const build of [plain, relaxed]) {
      const length = Math.min(blockLength, Math.max(0, build.length - at));
      build.set(both.subarray(from, from + length), Math.min(at, build.length));
      from += length;
    }
  }
  return { plain, relaxed };
}

/** The same module over a memory that threads can share: its import of the memory says so in one bit. */
function sharing(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const mark = [...Array.from("memory", (letter) => letter.charCodeAt(0)), 2, 1];
  const at = bytes.findIndex((_, i) => mark.every((byte, k) => bytes[i + k] === byte)) + mark.length - 1;
  const changed = bytes.slice();
  changed[at] = 3;
  return changed;
}

async function compile(shared: boolean): Promise<Compiled | string> {
  if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
  try {
    const builds = await wasmBuilds();
    const { plain, relaxed } = shared ? { plain: sharing(builds.plain), relaxed: sharing(builds.relaxed) } : builds;
    const fused = WebAssembly.validate(relaxed);
    if (!fused && !WebAssembly.validate(plain)) return "this engine has no WebAssembly SIMD";
    return { module: await WebAssembly.compile(fused ? relaxed : plain), relaxed: fused };
  } catch (error) {
    // A page's content security policy may forbid compiling.
    return `WebAssembly cannot be compiled here: ${(error as Error).message}`;
  }
}

const compiled = new Map<boolean, Promise<Compiled | string>>();

/** Kernels over a memory of their own, `shared` with threads or not; or the reason why this engine has none. */
export async function loadWasmKernels(shared: boolean): Promise<WasmKernels | string> {
  const compiling = compiled.get(shared) ?? compile(shared);
  compiled.set(shared, compiling);
  const found = await compiling;
  if (typeof found === "string") return found;
  // The most is what the module declares.
  const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared });
  const { exports } = await WebAssembly.instantiate(found.module, { env: { memory, scratch: 0, log: Math.log } });
  const kernels = exports as unknown as WasmExports;
  const heap = new WasmHeap(memory, (kernels.scratchBytes as WebAssembly.Global).value as number);
  return { module: found.module, exports: kernels, heap, relaxed: found.relaxed };
}
