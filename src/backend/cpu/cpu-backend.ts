/** Interprets recordings on the CPU: each dispatch by its twin, or by a WebAssembly kernel held to the twin by tests. */
import type { ElementType } from "../../kernels/kernel.ts";
import type { Buffer, Recording } from "../../recording/recording.ts";
import type { FloatArray, NumericArray } from "../../tensor/tensor.ts";
import type { Backend, Counters, DeviceBuffer, PrepareOptions, Program } from "../backend.ts";
import { CpuBuffer } from "./cpu-buffer.ts";
import { CpuProgram } from "./cpu-program.ts";
import { fastKernels, type FastKernel } from "./fast-kernels.ts";
import { loadWasmKernels, type WasmKernels } from "./wasm-kernels.ts";

export interface CpuOptions {
  precision?: "float32" | "float64";
  /** Use the WebAssembly SIMD kernels where the engine has them (default true). False: the twins, for comparison. */
  wasm?: boolean;
  reason?: string;
}

export class CpuBackend implements Backend {
  readonly kind = "cpu";
  readonly counters: Counters = { submits: 0, dispatches: 0, buffers: 0, bindGroups: 0, pipelines: 0, bytes: 0 };
  /** Memory is what limits a buffer here, and the allocation says so. */
  readonly mostElements = Infinity;
  readonly lost = new Promise<Error>(() => undefined);
  private readonly fast: ReadonlyMap<string, FastKernel>;

  private constructor(
    readonly precision: "float32" | "float64",
    readonly adapter: string,
    readonly reason: string,
    private readonly kernels: WasmKernels | undefined,
  ) {
    this.fast = kernels ? fastKernels(kernels) : new Map<string, FastKernel>();
  }

  static async create({ precision = "float32", wasm = true, reason = "asked for" }: CpuOptions = {}): Promise<CpuBackend> {
    if (precision === "float64") return new CpuBackend(precision, "CPU, float64", reason, undefined);
    const loaded = wasm ? await loadWasmKernels() : "wasm: false";
    if (typeof loaded === "string") return new CpuBackend(precision, `CPU, plain JavaScript (${loaded})`, reason, undefined);
    return new CpuBackend(precision, `CPU, WASM SIMD${loaded.relaxed ? " (relaxed)" : ""}`, reason, loaded);
  }

  floats(length: number): FloatArray {
    return this.precision === "float64" ? new Float64Array(length) : new Float32Array(length);
  }

  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): CpuBuffer {
    const buffer = new CpuBuffer(label, type, length, this.precision === "float64", this.kernels?.heap);
    if (data) buffer.array.set(data);
    this.counters.buffers++;
    this.counters.bytes += buffer.array.byteLength;
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.counters.bytes -= (buffer as CpuBuffer).array.byteLength;
    (buffer as CpuBuffer).free();
  }

  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    (buffer as CpuBuffer).array.set(data, offset);
  }

  read(buffer: DeviceBuffer, offset = 0, length = buffer.length - offset): Promise<NumericArray> {
    return Promise.resolve((buffer as CpuBuffer).array.slice(offset, offset + length));
  }

  async prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, { keepAll = false }: PrepareOptions = {}): Promise<Program> {
    return new CpuProgram(this, recording, externals, keepAll);
  }

  destroy(): void {
    // Memory goes with the last reference to it.
  }

  /** Changes when every typed array over this backend's memory has become invalid. @internal */
  get generation(): number {
    return this.kernels?.heap.generation ?? 0;
  }

  /** The WebAssembly kernel that stands in for the twin of this name. @internal */
  fastKernel(name: string): FastKernel | undefined {
    // Numbers at the end tell workgroup sizes apart, which the CPU has none of.
    return this.fast.get(name.replace(/:\d+x\d+$/, ""));
  }
}
