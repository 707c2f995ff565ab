/** What a device must do for the rest of the package; implemented by `cpu/` and `webgpu/`. */
import type { disposeSymbol } from "../disposable.ts";
import type { DeviceProfile } from "../kernels/device-profile.ts";
import type { SelfTest } from "../kernels/self-test.ts";
import type { ElementType } from "../kernels/kernel.ts";
import type { Buffer, Recording } from "../recording/recording.ts";
import type { FloatArray, NumericArray } from "../tensor/tensor.ts";
import type { Ending } from "./life.ts";

/** Memory on the device that lives until `free`. */
export interface DeviceBuffer {
  readonly label: string;
  readonly type: ElementType;
  readonly length: number;
  /** Whether its memory has been given back. Nothing can be done with it then. */
  readonly freed: boolean;
}

/** What has been created and submitted so far; the scheduler tests hold these to their promises. */
export interface Counters {
  submits: number;
  dispatches: number;
  buffers: number;
  bindGroups: number;
  pipelines: number;
  /** Bytes now held on the device. */
  bytes: number;
}

export interface RunResult {
  /** Resolves to what the recording's download commands named, once the device has done them. */
  readonly downloads: Promise<Readonly<Record<string, NumericArray>>>;
}

/** What a run does before its commands: a buffer takes over the elements of another from `offset` on, or zeros. */
export interface Fill {
  readonly to: DeviceBuffer;
  readonly from?: DeviceBuffer;
  readonly offset?: number;
}

/** Room on the host for what one run downloads. */
export interface Room {
  /** Gives it back unused. */
  release(): void;
}

/** What a run is besides its inputs. */
export interface RunOptions {
  /** How often the commands run in the one submit (default once); downloads are of the last. */
  readonly repeat?: number;
  /** From `reserve`: a GPU has the submit before the call returns. Without it, the run waits for room first. */
  readonly room?: Room;
  /**
   * What the recording's settled buffers hold, told apart by identity: while it is the one of the last run, what was
   * derived from them is still there and is left out. Without it, it is derived anew.
   */
  readonly moment?: object;
  /** Comes before the commands, in the same submit. */
  readonly first?: readonly Fill[];
}

/** A recording made ready to run on one device: pipelines, bind groups and transient memory exist. */
export interface Program {
  readonly recording: Recording;
  /** Room for one more run, once earlier downloads have made way. */
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
  /** Give every transient buffer memory of its own (default false). */
  readonly keepAll?: boolean;
}

/** A device that runs models: made by `createBackend`, handed to whatever computes. */
export interface Backend {
  readonly kind: "cpu" | "webgpu";
  readonly precision: "float32" | "float64";
  /** Device in words, e.g. "SwiftShader (software)" or "CPU, WASM SIMD". */
  readonly adapter: string;
  /** Why this backend was chosen, in words. */
  readonly reason: string;
  readonly counters: Readonly<Counters>;
  /** What `calibrate` has measured here, or what `createBackend` was handed; recordings made from then on go by it. */
  profile: DeviceProfile | undefined;
  /** What the self-test has found, to be kept and handed to `createBackend` the next time; undefined without one. */
  readonly selfTest: SelfTest | undefined;
  /** Elements that one buffer can hold. */
  readonly mostElements: number;
  /** A float array of this backend's precision. */
  floats(length: number): FloatArray;
  /**
   * Memory for `length` elements, zeros unless `data` is given.
   * @throws RnnError `limit` if the device cannot hold or bind so large a buffer
   */
  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): DeviceBuffer;
  /** Gives the memory back; the buffer may not be used afterwards. */
  free(buffer: DeviceBuffer): void;
  /** Writes `data` from element `offset` on (default 0); runs submitted earlier do not see it, later ones do. */
  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset?: number): void;
  /**
   * Copies the shorter of the two, from the first element of `from` to element `offset` of `to` (default 0), after everything
   * submitted so far and before what is submitted later.
   */
  copy(from: DeviceBuffer, to: DeviceBuffer, offset?: number): void;
  /**
   * `length` elements from `offset` on (default: all), after everything submitted so far.
   * @throws RnnError `device` if the device is lost
   */
  read(buffer: DeviceBuffer, offset?: number, length?: number): Promise<NumericArray>;
  /**
   * Makes a recording ready to run; `externals` gives the memory of its external buffers.
   * @throws RnnError `limit` if it needs more than the device offers, `device` if the device refuses it
   */
  prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, options?: PrepareOptions): Promise<Program>;
  /** Resolves when the backend was destroyed or its device is gone, with the error that every call gives then. */
  readonly lost: Promise<Error>;
  /** Why the backend does not work any more; undefined as long as it does. */
  readonly ended: Ending | undefined;
  /** @throws RnnError `device` if the backend has ended */
  check(): void;
  /**
   * Frees all memory, and ends the device, unless the caller has lent it, and threads. What is under way is rejected with an
   * RnnError `device`, and so is every later call.
   */
  destroy(): void;
  /** The same, for those who dispose of all alike: `using backend = await createBackend()`. */
  dispose(): void;
  [disposeSymbol](): void;
}
