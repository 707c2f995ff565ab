/** Loads the SIMD kernels (`wasm/`, AssemblyScript) that this engine can run, in parts: a page that only runs models loads one. */
import { RnnError } from "../../errors.ts";
import { Part } from "../../part.ts";
import {
  compile,
  instantiate,
  parted,
  scratchBytesOf,
  type Compiled,
  type WasmBuild,
  type WasmCode,
  type WasmExports,
} from "./wasm-code.ts";
import { WasmHeap } from "./wasm-heap.ts";

const unpacking = new Part("the CPU backend", () => import("./unpack.ts"));
/** For backends with several threads. */
export const threading = new Part("threads", () => import("./threads.ts"));

/** The entries of `wasm/`. Each is loaded on its own: pages that run on the GPU need none. */
const builds = {
  running: new Part("the CPU backend", () => import("./wasm-builds/running.ts")),
  training: new Part("the CPU backend", () => import("./wasm-builds/training.ts")),
  regularized: new Part("the CPU backend", () => import("./wasm-builds/regularized.ts")),
  "two-phase": new Part("the CPU backend", () => import("./wasm-builds/two-phase.ts")),
  scan: new Part("the CPU backend", () => import("./wasm-builds/scan.ts")),
  operators: new Part("the CPU backend", () => import("./wasm-builds/operators.ts")),
};
export type WasmPart = keyof typeof builds;
export const wasmParts = Object.keys(builds) as readonly WasmPart[];

async function unpacked(build: WasmBuild): Promise<WasmCode> {
  // Worklets and old engines lack one of these.
  if (typeof DecompressionStream === "undefined" || typeof Response === "undefined") return (await unpacking.load()).unpack(build);
  const bytes = Uint8Array.from(atob(build.packed), (digit) => digit.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return parted(new Uint8Array(await new Response(stream).arrayBuffer()), build);
}

/** The two builds of a part as bytes; `test/long` compares them with the sources. */
export const wasmBuilds = async (part: WasmPart): Promise<WasmCode> => unpacked(await builds[part].load());

async function compilePart(part: WasmPart, shared: boolean): Promise<Compiled | undefined> {
  const code = await wasmBuilds(part);
  if (!shared) return compile(code);
  const { sharing } = await threading.load();
  return compile({ plain: sharing(code.plain), relaxed: sharing(code.relaxed) });
}

/** Calls `make` once for each key. What failed, for example for lack of a connection, is made again the next time. */
function once<K, T>(known: Map<K, Promise<T>>, key: K, make: () => Promise<T>): Promise<T> {
  const making = known.get(key) ?? make();
  known.set(key, making);
  making.catch(() => known.delete(key));
  return making;
}

const compiled = new Map<string, Promise<Compiled | undefined>>();

/** Undefined if this engine has no SIMD. */
const compiledOnce = (part: WasmPart, shared: boolean): Promise<Compiled | undefined> =>
  once(compiled, `${part} ${shared}`, () => compilePart(part, shared));

/** Kernels over a memory of their own. */
export class WasmKernels {
  readonly exports: Record<string, WasmExports[string]> = {};
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
   * Loads the part `running`, over a memory that threads can share if `shared` is true. If this engine cannot run it, the
   * result is the reason, in words.
   * @throws RnnError `load` if the code did not arrive
   */
  static async create(shared: boolean): Promise<WasmKernels | string> {
    if (typeof WebAssembly === "undefined") return "this engine has no WebAssembly";
    try {
      const found = await compiledOnce("running", shared);
      if (!found) return "this engine has no WebAssembly SIMD";
      // The maximum must be the one that the module declares.
      const memory = new WebAssembly.Memory({ initial: 16, maximum: 65536, shared });
      const exports = await instantiate(found.module, memory);
      const bytes = scratchBytesOf(exports);
      const kernels = new WasmKernels(new WasmHeap(memory, bytes), found.relaxed, bytes, shared);
      kernels.enter(found.module, exports);
      kernels.loading.set("running", Promise.resolve());
      return kernels;
    } catch (error) {
      // What could not be loaded may be there the next time.
      if (error instanceof RnnError) throw error;
      // A page's content security policy may forbid compiling.
      return `WebAssembly cannot be compiled here: ${(error as Error).message}`;
    }
  }

  /** Makes `exports` have the functions of a part. */
  load(part: WasmPart): Promise<void> {
    return once(this.loading, part, () => this.add(part));
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
