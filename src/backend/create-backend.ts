import { mayHaveGpu } from "#host";
import { checkBoolean, checkChoice, checkSize, clip, RnnError, show } from "../errors.ts";
import { takeEntries, takeOptions, takePlain } from "../options.ts";
import type { DeviceProfile } from "../kernels/device-profile.ts";
import type { SelfTest } from "../kernels/self-test.ts";
import { Part } from "../part.ts";
import type { Backend } from "./backend.ts";
import type { CpuBackend, CpuOptions } from "./cpu/cpu-backend.ts";
import { environment } from "./why.ts";
import type { LentDevice } from "./webgpu/lent-device.ts";

/** Options of `createBackend`; each has a default. */
export interface BackendOptions {
  /** Arithmetic of the CPU backend (default "float32"). "float64" is for checking gradients. */
  precision?: "float32" | "float64";
  /**
   * If true (the default), the CPU backend uses WebAssembly SIMD where the engine has it; if false, plain JavaScript.
   */
  wasm?: boolean;
  /**
   * Number of threads of the CPU backend, including the caller's (at most 128). They share the rows of the batch and of
   * large matrix products; results are the same bit for bit. Pages need the headers COOP and COEP. `destroy()` ends the
   * threads. By default up to four start with the first large layer, if threads are allowed and a trial of some
   * milliseconds finds them faster.
   */
  threads?: number;
  /**
   * WGSL by path below `shaders/` to use instead of the package's own, e.g. to try a change to a kernel. A path below
   * `own/` is a file for a kernel that the program adds.
   */
  shaders?: Readonly<Record<string, string>>;
  /** The caller's own GPUDevice for the WebGPU backend. */
  device?: LentDevice;
  /**
   * The profile that `calibrate` returned earlier on this adapter, possibly stored as JSON. A profile of another
   * adapter is ignored.
   */
  profile?: DeviceProfile;
  /**
   * If true, a WebGPU device is tested before it is used (default false): each kernel on small cases against its twin.
   * This takes about half a minute on a software adapter. Other kernels replace a wrong one. If none computes the same,
   * the CPU backend replaces the device, even with "webgpu"; `reason` says so. `backend.selfTest` is plain JSON. Pass
   * it here the next time to skip the test on the same adapter with the same version.
   */
  selfTest?: boolean | SelfTest;
}

const stored = new Part("createBackend", () => import("../kernels/stored.ts"));
const cpu = new Part("the CPU backend", () => import("./cpu/cpu-backend.ts"));
const webGpu = new Part("the WebGPU backend", () => import("./webgpu/create-webgpu.ts"));

type BackendKind = "auto" | "cpu" | "webgpu";

/** More threads than any machine can use. */
const mostThreads = 128;

/**
 * Makes the backend that models run on: `createBackend()`, `createBackend({ selfTest: true })`, `createBackend("cpu", { threads: 4 })`.
 *
 * - "auto" (default): WebGPU on a hardware adapter, else the CPU; `backend.reason` says why
 * - "webgpu": WebGPU, also on a software adapter, or an error
 * - "cpu": the CPU
 *
 * @throws RnnError `device` for "webgpu" if there is none; `option` for unknown options
 */
export function createBackend(kind: "cpu", given?: BackendOptions): Promise<Backend & { readonly kind: "cpu" }>;
export function createBackend(
  kind: "webgpu",
  given?: BackendOptions & { selfTest?: undefined },
): Promise<Backend & { readonly kind: "webgpu" }>;
export function createBackend(kind?: BackendKind | BackendOptions, given?: BackendOptions): Promise<Backend>;
export async function createBackend(kind?: BackendKind | BackendOptions, given?: BackendOptions): Promise<Backend> {
  const onlyOptions = typeof kind === "object" && kind !== null && given === undefined;
  const asked =
    onlyOptions || kind === undefined ? "auto" : checkChoice<BackendKind>("createBackend", "kind", kind, ["auto", "cpu", "webgpu"]);
  const options = takeBackendOptions(onlyOptions ? kind : given);
  const backend = await make(asked, options);
  madeWith.set(backend, options);
  return backend;
}

/** Copies the options and what is in them: they are used again after code has been loaded, and the caller may change them meanwhile. */
function takeBackendOptions(given: BackendOptions | undefined): BackendOptions {
  const where = "createBackend";
  const options = takeOptions(where, given, ["precision", "wasm", "threads", "shaders", "device", "profile", "selfTest"]);
  const { shaders, profile, selfTest } = options;
  if (shaders !== undefined) {
    const texts = takeEntries(where, "shaders", "WGSL by path", shaders);
    const other = texts.find(([, text]) => typeof text !== "string");
    if (other) throw new RnnError("option", where, `shaders must be WGSL by path, got ${show(other[1])} for "${clip(other[0])}"`);
    options.shaders = Object.fromEntries(texts) as Record<string, string>;
  }
  if (profile !== undefined) options.profile = takePlain(where, "profile", profile);
  if (selfTest !== undefined) options.selfTest = takePlain(where, "selfTest", selfTest);
  return options;
}

/** The options that backends were created with. @internal */
export const madeWith = new WeakMap<Backend, BackendOptions>();

async function make(kind: BackendKind, options: BackendOptions): Promise<Backend> {
  const precision = checkChoice("createBackend", "precision", options.precision ?? "float32", ["float32", "float64"]);
  const { shaders, device, profile, selfTest = false } = options;
  const wasm = checkBoolean("createBackend", "wasm", options.wasm ?? true);
  const asked = checkSize("createBackend", "threads", options.threads ?? 1, 1, mostThreads);
  if (asked > 1 && (!wasm || precision === "float64"))
    throw new RnnError(
      "option",
      "createBackend",
      `threads must be 1 with ${wasm ? 'precision: "float64"' : "wasm: false"}, got ${asked}; only the WebAssembly kernels have threads`,
    );
  const threads = options.threads ?? "automatic";
  if (profile !== undefined || typeof selfTest !== "boolean") {
    const { checkProfile, checkSelfTest } = await stored.load();
    if (profile !== undefined) checkProfile("createBackend", profile);
    if (typeof selfTest !== "boolean") checkSelfTest("createBackend", selfTest);
  }
  if (kind === "cpu") return cpuBackend({ precision, wasm, threads });
  if (precision === "float64") {
    if (kind === "webgpu")
      throw new RnnError(
        "option",
        "createBackend",
        'precision must be "float32" on WebGPU, which has no float64; use createBackend("cpu", { precision: "float64" })',
      );
    return cpuBackend({ precision, reason: "float64 exists on the CPU only" });
  }
  if (kind === "auto" && !device && !mayHaveGpu()) return cpuBackend({ wasm, threads, reason: (await environment.load()).whyNoWebGpu() });
  const { createWebGpu } = await webGpu.load();
  return createWebGpu(kind, { shaders, device, profile, selfTest }, (reason) => cpuBackend({ wasm, threads, reason }));
}

/** Makes a CPU backend, whose code is loaded only now. @internal */
export async function cpuBackend(options: CpuOptions): Promise<CpuBackend> {
  return (await cpu.load()).CpuBackend.create(options);
}
