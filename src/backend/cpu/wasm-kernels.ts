/** Loads the SIMD kernels (`wasm/`, AssemblyScript) that this engine can run, in parts: a page that only runs models loads one. */
import { WasmHeap } from "./wasm-heap.ts";

type Call = (...args: number[]) => void;

/** The functions of the parts that have been loaded. */
export type WasmExports = Readonly<Record<string, Call>>;

/** The entries of `wasm/`. Chunks of their own: pages that run on the GPU need none. */
const builds = {
  running: () => import("./wasm-builds/running.ts"),
  training: () => import("./wasm-builds/training.ts"),
  regularized: () => import("./wasm-builds/regularized.ts"),
  "two-phase": () => import("./wasm-builds/two-phase.ts"),
  scan: () => import("./wasm-builds/scan.ts"),
  operators: () => import("./wasm-builds/operators.ts"),
};
export type WasmPart = keyof typeof builds;
export const wasmParts = Object.keys(builds) as readonly WasmPart[];

const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Decodes base64 without `atob`, which worklets lack. Skips everything that is no digit (line ends, padding). */
function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
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

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  // Worklets and old engines lack one of these.
  if (typeof DecompressionStream === "undefined" || typeof Response === "undefined") return (await import("./inflate.ts")).inflate(bytes);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The two builds of a part as bytes; `test/node` compares them with the sources. */
export async function wasmBuilds(part: WasmPart): Promise<{ plain: Uint8Array<ArrayBuffer>; relaxed: Uint8Array<ArrayBuffer> }> {
  const { packed, plainLength } = await builds[part]();
  const both = await inflated(bytesOf(packed));
  return { plain: both.subarray(0, plainLength), relaxed: both.subarray(plainLength) };
}

interface Compiled {
  readonly module: WebAssembly.Module;
  readonly relaxed: boolean;
}

async function compile(part: WasmPart, shared: boolean): Promise<Compiled | undefined> {
  let { plain, relaxed } = await wasmBuilds(part);
  if (shared) {
    const { sharing } = await import("./threads.ts");
    [plain, relaxed] = [sharing(plain), sharing(relaxed)];
  }
  const fused = WebAssembly.validate(relaxed);
  if (!fused && !WebAssembly.validate(plain)) return undefined;
  return { module: await WebAssembly.compile(fused ? relaxed : plain), relaxed: fused };
}

const compiled = new Map<string, Promise<Compiled | undefined>>();

/** Undefined if this engine has no SIMD. What failed, for want of a connection, say, is tried again the next time. */
function compiledOnce(part: WasmPart, shared: boolean): Promise<Compiled | undefined> {
  const key = `${part} ${shared}`;
  const compiling = compiled.get(key) ?? compile(part, shared);
  compiled.set(key, compiling);
  compiling.catch(() => compiled.delete(key));
  return compiling;
}

/** The part for running, compiled; undefined if this engine has no SIMD. */
export const compiledModule = async (): Promise<WebAssembly.Module | undefined> => (await compiledOnce("running", false))?.module;

/** Kernels over a memory of their own. */
export class WasmKernels {
  readonly exports: Record<string, Call> = {};
  /** Of the parts that have been loaded. */
  readonly modules: WebAssembly.Module[] = [];
  private readonly loading = new Map<WasmPart, Promise<void>>();

  private constructor(
    readonly heap: WasmHeap,
    /** With fused multiply-add. */
    readonly relaxed: boolean,
    /** What a thread needs besides the heap. */
    readonly scratchBytes: number,
    private readonly shared: boolean,
  ) {}

  /**
   * What running needs, `shared` with threads or not; or the reason why this engine has none.
   * @param given the part for running, compiled elsewhere
   */
  static async create(shared: boolean, given?: WebAssembly.Module): Promise<WasmKernels | string> {
    if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
    try {
      const found = given ? { module: given, relaxed: false } : await compiledOnce("running", shared);
      if (!found) return "this engine has no WebAssembly SIMD";
      // The maximum must be the one that the module declares.
      const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared });
      const { scratchBytes, ...exports } = await instantiate(found.module, memory);
      const bytes = (scratchBytes as unknown as WebAssembly.Global).value as number;
      const kernels = new WasmKernels(new WasmHeap(memory, bytes), found.relaxed, bytes, shared);
      kernels.enter(found.module, exports);
      kernels.loading.set("running", Promise.resolve());
      return kernels;
    } catch (error) {
      // A page's content security policy may forbid compiling.
      return `WebAssembly cannot be compiled here: ${(error as Error).message}`;
    }
  }

  /** Makes `exports` have the functions of a part. */
  load(part: WasmPart): Promise<void> {
    const loading = this.loading.get(part) ?? this.add(part);
    this.loading.set(part, loading);
    loading.catch(() => this.loading.delete(part));
    return loading;
  }

  private async add(part: WasmPart): Promise<void> {
    const { module } = (await compiledOnce(part, this.shared))!;
    this.enter(module, await instantiate(module, this.heap.memory));
  }

  private enter(module: WebAssembly.Module, exports: WasmExports): void {
    this.modules.push(module);
    Object.assign(this.exports, exports);
  }
}

async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<WasmExports> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory, scratch: 0, log: Math.log, pow: Math.pow } });
  return exports as unknown as WasmExports;
}
