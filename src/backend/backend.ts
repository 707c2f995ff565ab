/** The interface of a device, implemented by `cpu/` and `webgpu/`. */
import type { disposeSymbol } from "../disposable.ts";
import type { DeviceProfile } from "../kernels/device-profile.ts";
import type { SelfTest } from "../kernels/self-test.ts";
import type { StepTimes } from "../recurrent/strategies/step-times.ts";
import type { ElementType } from "../kernels/kernel.ts";
import type { Buffer, Recording } from "../recording/recording.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";
import type { Ending } from "./life.ts";

/** Memory on the device that lives until `free`. */
export interface DeviceBuffer {
  readonly label: string;
  readonly type: ElementType;
  readonly length: number;
  /** True once its memory has been freed. The buffer cannot be used any more. */
  readonly freed: boolean;
}

/** Counts of what has been created and submitted so far; tests check them. */
export interface Counters {
  submits: number;
  dispatches: number;
  buffers: number;
  bindGroups: number;
  pipelines: number;
  /** Bytes allocated on the device now. */
  bytes: number;
}

export interface RunResult {
  /** Resolves to the recording's downloads, by name, once the device has done them. */
  readonly downloads: Promise<Readonly<Record<string, NumericArray>>>;
  /**
   * Of a `timed` run: milliseconds from the start of its first dispatch to the end of its last, by the device's own clock.
   * Undefined on a device without such a clock, or if the clock was set back meanwhile.
   */
  readonly milliseconds?: Promise<number | undefined>;
}

/**
 * A copy or a clear that a run does before its commands: fills a buffer with the elements of another from `offset` on,
 * or with zeros.
 */
export interface Fill {
  readonly to: DeviceBuffer;
  readonly from?: DeviceBuffer;
  readonly offset?: number;
}

/** A reserved place for the downloads of one run. */
export interface Room {
  /** Frees it unused. */
  release(): void;
}

/** Options of a run. */
export interface RunOptions {
  /** How often the commands run in one submit (default once). The downloads are those of the last time. */
  readonly repeat?: number;
  /**
   * From `reserve`. With it, the GPU has the submit before the call returns (unless `timed`, whose code may have to be
   * loaded). Without it, the run first waits for room.
   */
  readonly room?: Room;
  /**
   * Stands for the present contents of the buffers that change between runs only (`Recording.settle`); only its identity
   * matters. If it is the same as in the last run, the derived buffers are still valid and are not computed again.
   * Without it, they are always computed.
   */
  readonly moment?: object;
  /** Copies and clears to do before the commands, in the same submit. */
  readonly first?: readonly Fill[];
  /** Arrays that receive downloads, by name; the other downloads come in new arrays. */
  readonly into?: Readonly<Record<string, NumericArray>>;
  /** Ask for `RunResult.milliseconds` (default false). */
  readonly timed?: boolean;
}

/** A recording that is ready to run on one device: pipelines, bind groups and transient memory exist. */
export interface Program {
  readonly recording: Recording;
  /** Waits for earlier downloads and reserves room for one more run. */
  reserve(): Promise<Room>;
  /**
   * Writes `inputs` (by buffer label), runs every command in one submit, and resolves once it is submitted.
   * Runs are executed in the order of the calls.
   * @throws RnnError `device` if the device was lost or refused a command
   */
  run(inputs?: Readonly<Record<string, NumericArray>>, options?: RunOptions): Promise<RunResult>;
  /** Runs commands [first, last) only, for verification; `inputs` as in `run`. */
  runSlice(first: number, last: number, inputs?: Readonly<Record<string, NumericArray>>): Promise<void>;
  /** The memory behind a buffer of the recording. */
  bufferOf(buffer: Buffer): DeviceBuffer;
  /** Frees the transient memory. */
  free(): void;
}

export interface PrepareOptions {
  /** Give each transient buffer separate memory (default false). */
  readonly keepAll?: boolean;
}

/** A device that runs models. `createBackend` makes it, and every call that computes takes it. */
export interface Backend {
  readonly kind: "cpu" | "webgpu";
  readonly precision: "float32" | "float64";
  /** The device in words, e.g. "SwiftShader (software)" or "CPU, WASM SIMD". */
  readonly adapter: string;
  /** Why this backend was chosen, in words. */
  readonly reason: string;
  readonly counters: Readonly<Counters>;
  /** The profile that `calibrate` has measured here, or that `createBackend` was given. Later recordings use it. */
  profile: DeviceProfile | undefined;
  /**
   * The result of the self-test, or undefined without one. Apps can store it and pass it to `createBackend` the next
   * time.
   */
  readonly selfTest: SelfTest | undefined;
  /** The most elements that one buffer can hold. */
  readonly mostElements: number;
  /** Whether a GPU computes the kernels: false for the CPU backend and for a software adapter. */
  readonly isGpu: boolean;
  /** Threads that a workgroup may have: 256 on every device, up to 1024 where it has 32 KiB of memory. */
  readonly mostThreads: number;
  /** Predicts what a time step takes with each strategy. Only a backend where the choice depends on it has this. */
  readonly stepTimes?: StepTimes;
  /** A float array of this backend's precision. */
  floats(length: number): FloatArray;
  /**
   * Memory for `length` elements, zeros unless `data` is given.
   * @throws RnnError `limit` if the device cannot hold or bind so large a buffer
   */
  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): DeviceBuffer;
  /** Frees the memory. The buffer must not be used afterwards. */
  free(buffer: DeviceBuffer): void;
  /** Writes `data` from element `offset` on (default 0); runs submitted earlier do not see it, later ones do. */
  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset?: number): void;
  /**
   * Copies from the first element of `from` to element `offset` of `to` (default 0), as many elements as both have. It
   * runs after everything submitted so far and before everything submitted later.
   */
  copy(from: DeviceBuffer, to: DeviceBuffer, offset?: number): void;
  /**
   * `length` elements from `offset` on (default: all), after everything submitted so far.
   * @throws RnnError `device` if the device is lost
   */
  read(buffer: DeviceBuffer, offset?: number, length?: number): Promise<NumericArray>;
  /** All elements at once, on a backend that computes on the caller's thread; others have no such method. @internal */
  readNow?(buffer: DeviceBuffer): NumericArray;
  /**
   * Prepares a recording to run; `externals` has the memory of its external buffers.
   * @throws RnnError `limit` if it needs more than the device offers, `device` if the device refuses it
   */
  prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, options?: PrepareOptions): Promise<Program>;
  /** Resolves when the backend was destroyed or its device was lost, to the error that every later call throws. */
  readonly lost: Promise<Error>;
  /** Why the backend no longer works; undefined while it does. */
  readonly ended: Ending | undefined;
  /** @throws RnnError `device` if the backend has ended */
  check(): void;
  /**
   * Frees all memory and ends threads and device (unless the caller lent the device). Calls in progress and later calls
   * are rejected with an RnnError `device`.
   */
  destroy(): void;
  /** The same as `destroy`, for `using backend = await createBackend()`. */
  dispose(): void;
  [disposeSymbol](): void;
}
