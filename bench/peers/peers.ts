/** The other libraries, bundled apart from the page by build-peers.mjs. */
import type { Library } from "../library.ts";
import type { Absence } from "../report.ts";
import type { Peers } from "../session.ts";

export interface PeerOptions {
  /** Address of the folder with their WebAssembly files, with a slash at the end. */
  readonly assets: string;
  /** The WebGPU adapter in words: all use the same. */
  readonly adapter: string;
}

type Opener = (options: PeerOptions) => Promise<Library[]>;

const openers: Readonly<Record<string, () => Promise<Opener>>> = {
  "tfjs": async () => (await import("./tfjs.ts")).openTfjs,
  "jax-js": async () => {
    // Where it can, it computes on as many workers as there are cores, from its import on; here all have one thread.
    // A setter that does nothing, since another library defines a Worker of its own under Node.
    Object.defineProperty(globalThis, "Worker", { get: () => undefined, set: () => undefined, configurable: true });
    return (await import("./jax.ts")).openJax;
  },
  "gpu.js": async () => (await import("./gpujs.ts")).openGpujs,
  "brain.js": async () => (await import("./brain.ts")).openBrain,
  "onnxruntime-web": async () => (await import("./onnx.ts")).openOnnx,
};

/** Opens all that can be opened here; a library that fails is absent, with its reason. */
export async function openPeers(options: PeerOptions): Promise<Peers> {
  const libraries: Library[] = [];
  const absent: Absence[] = [];
  for (const [name, load] of Object.entries(openers)) {
    const miss = (reason: string): void => void absent.push({ library: name, backend: "", case: "", kind: "skipped", reason });
    try {
      const found = await (await load())(options);
      if (found.length === 0) miss("none of its backends works here");
      libraries.push(...found);
    } catch (error) {
      miss(`does not start here: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { libraries, absent };
}
