/**
 * Interprets recordings on the CPU: each dispatch runs as its twin, or as a WebAssembly kernel that tests compare with
 * the twin.
 */
import { disposeSymbol } from "../../disposable.ts";
import { checkSize, RnnError } from "../../errors.ts";
import type { SelfTest } from "../../kernels/self-test.ts";
import type { ElementType, Kernel } from "../../kernels/kernel.ts";
import type { Twin } from "../../kernels/twin.ts";
import { Part } from "../../part.ts";
import type { Buffer, Recording } from "../../recording/recording.ts";
import type { FloatArray, NumericArray } from "../../tensor/tensor.ts";
import type { Backend, Counters, DeviceBuffer, PrepareOptions, Program } from "../backend.ts";
import { Breath } from "../breathe.ts";
import { checkNewBuffer, takePreparation, checkSpan, heldBuffer, knownBuffer, numbersOf } from "../checks.ts";
import { Ledger } from "../ledger.ts";
import { Life, type Ending } from "../life.ts";
import { alone, always, type FastKernel, type Staff, type Workforce } from "./calls.ts";
import { CpuBuffer } from "./cpu-buffer.ts";
import { CpuProgram } from "./cpu-program.ts";
import { fastKernels } from "./fast-kernels.ts";
import { threading, WasmKernels } from "./wasm-kernels.ts";
import { WorkSpace } from "./work-space.ts";

/** Loaded separately, because most pages use one thread, and only kernels that WebAssembly has. */
const automatic = new Part("threads", () => import("./automatic-threads.ts"));
const slow = new Part("the CPU backend", () => import("./slow-kernels.ts"));

export interface CpuOptions {
  precision?: "float32" | "float64";
  /**
   * If true (the default), use the WebAssembly SIMD kernels where the engine supports them; if false, only the twins.
   */
  wasm?: boolean;
  /**
   * Number of threads, including the caller's (default 1). More than one needs the WebAssembly kernels. "automatic" starts
   * them with the first recording that is worth it, if the engine allows threads.
   */
  threads?: number | "automatic";
  reason?: string;
}

type FastKernels = (kernel: Kernel) => FastKernel | undefined;

export class CpuBackend implements Backend {
  readonly kind = "cpu";
  readonly counters: Counters = { submits: 0, dispatches: 0, buffers: 0, bindGroups: 0, pipelines: 0, bytes: 0 };
  /** Always undefined: all strategies run the same kernels here, so there is nothing to measure. */
  readonly profile = undefined;
  /** The self-test of a WebGPU device that this backend replaces. */
  selfTest: SelfTest | undefined;
  readonly isGpu = false;
  readonly mostThreads = 256;
  /** Only memory limits a buffer here, and allocation reports that. */
  readonly mostElements = Infinity;
  private readonly work: WorkSpace | undefined;
  private known: { readonly threads: Workforce; readonly fastKernel: FastKernels } | undefined;
  /** Shared by all programs here, because they block the same thread. @internal */
  readonly breath = new Breath();
  private readonly life = new Life();
  private readonly ledger = new Ledger(this.counters);

  private constructor(
    readonly precision: "float32" | "float64",
    private readonly engine: string,
    readonly reason: string,
    private readonly kernels?: WasmKernels,
    private readonly staff?: Staff,
  ) {
    this.work = kernels && new WorkSpace(kernels.heap);
  }

  get adapter(): string {
    const count = this.staff?.now.count ?? 1;
    return count > 1 ? `${this.engine}, ${count} threads` : this.engine;
  }

  /** Gives the WebAssembly version of a kernel, if it has one, for the present number of threads. @internal */
  get fastKernel(): FastKernels {
    const { staff } = this;
    if (!staff) return () => undefined;
    const threads = staff.now;
    if (this.known?.threads !== threads) {
      const means = { exports: this.kernels!.exports, threads, work: this.work! };
      const fast = fastKernels(means);
      this.known = {
        threads,
        fastKernel: (kernel) => fast(kernel) ?? (kernel.recurrent && slow.now?.customKernel(kernel.recurrent, means)),
      };
    }
    return this.known.fastKernel;
  }

  /** The twin of a kernel in a prepared recording. @internal */
  twinOf(kernel: Kernel): Twin {
    return slow.now.twinOf(kernel);
  }

  /** @throws RnnError `device` if there cannot be several threads here */
  static async create({ precision = "float32", wasm = true, threads = 1, reason = "asked for" }: CpuOptions = {}): Promise<CpuBackend> {
    if (precision === "float64") return new CpuBackend(precision, "CPU, float64", reason);
    const several = typeof threads === "number" && threads > 1 ? await threading.load() : undefined;
    if (several && !mayShare()) throw several.notShared();
    const shared = several !== undefined || (threads === "automatic" && mayShare());
    const loaded = wasm ? await WasmKernels.create(shared) : "wasm: false";
    if (typeof loaded === "string") {
      if (several) throw several.withoutKernels(loaded);
      return new CpuBackend(precision, `CPU, plain JavaScript (${loaded})`, reason);
    }
    const engine = `CPU, WASM SIMD${loaded.relaxed ? " (relaxed)" : ""}`;
    const staff = several
      ? always(await several.Threads.start(loaded, threads as number))
      : shared
        ? new (await automatic.load()).AutomaticThreads(loaded)
        : always(alone(loaded.exports));
    return new CpuBackend(precision, engine, reason, loaded, staff);
  }

  get lost(): Promise<Error> {
    return this.life.lost;
  }

  get ended(): Ending | undefined {
    return this.life.ended;
  }

  check(): void {
    this.life.check();
  }

  floats(length: number): FloatArray {
    checkSize("backend", "length", length, 0);
    return this.precision === "float64" ? new Float64Array(length) : new Float32Array(length);
  }

  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): CpuBuffer {
    this.check();
    checkNewBuffer(label, type, length);
    return this.allocate(label, type, length, data);
  }

  /** Like createBuffer, but without the limit on the caller's size, because a recording decides this one. @internal */
  allocate(label: string, type: ElementType, length: number, data?: ArrayLike<number>): CpuBuffer {
    const buffer = new CpuBuffer(label, type, length, this.precision === "float64", this.kernels?.heap);
    this.ledger.enter(buffer, buffer.piece);
    if (data !== undefined) this.write(buffer, data);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.ledger.free(knownBuffer(buffer, CpuBuffer).piece);
  }

  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    this.check();
    const held = heldBuffer(buffer, CpuBuffer);
    const numbers = numbersOf(held, held.array.constructor as new (length: number) => NumericArray, data, offset);
    heldBuffer(held, CpuBuffer).array.set(numbers, offset);
  }

  copy(from: DeviceBuffer, to: DeviceBuffer, offset = 0): void {
    this.check();
    const [source, target] = [heldBuffer(from, CpuBuffer), heldBuffer(to, CpuBuffer)];
    checkSpan(target, offset, 0);
    target.array.set(source.array.subarray(0, target.length - offset), offset);
  }

  async read(buffer: DeviceBuffer, offset = 0, given?: number): Promise<NumericArray> {
    this.check();
    const { array } = heldBuffer(buffer, CpuBuffer);
    const length = checkSpan(buffer, offset, given);
    return array.slice(offset, offset + length);
  }

  readNow(buffer: DeviceBuffer): NumericArray {
    this.check();
    return heldBuffer(buffer, CpuBuffer).array.slice();
  }

  async prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, options?: PrepareOptions): Promise<Program> {
    this.check();
    const { keepAll } = takePreparation(recording, externals, options);
    await this.staff?.suit?.(recording);
    await this.load(recording);
    this.check();
    return new CpuProgram(this, recording, externals, keepAll);
  }

  /** Loads the code of a recording's kernels. @internal */
  async load(recording: Recording): Promise<void> {
    const kernels = new Set(recording.commands.flatMap((command) => (command.kind === "dispatch" ? [command.kernel] : [])));
    const { fastKernel } = this;
    if ([...kernels].some((kernel) => !fastKernel(kernel))) await slow.load();
    const fast = [...kernels].flatMap((kernel) => fastKernel(kernel) ?? []);
    const parts = new Set(fast.flatMap((kernel) => kernel.parts ?? []));
    await Promise.all([...[...parts].map((part) => this.kernels!.load(part)), ...fast.map(({ code }) => code?.load())]);
  }

  /** As `prepare`, at once: another recording with these kernels must have been prepared here before. @internal */
  prepareNow(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>): CpuProgram {
    this.check();
    return new CpuProgram(this, recording, externals, false);
  }

  destroy(): void {
    this.life.end("destroyed", new RnnError("device", "CpuBackend", "the backend was destroyed by this program; make a new backend"));
    // The WebAssembly memory is freed with the last reference to it.
    this.ledger.freeAll();
    this.staff?.end();
  }

  dispose(): void {
    this.destroy();
  }

  [disposeSymbol](): void {
    this.destroy();
  }

  /** Changes when every typed array over this backend's memory has become invalid. @internal */
  get generation(): number {
    return this.kernels?.heap.generation ?? 0;
  }
}

/** Browsers share memory between threads only in cross-origin isolated pages. */
function mayShare(): boolean {
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  return typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated !== false;
}
