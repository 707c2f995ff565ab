/** Runs recordings on a WebGPU device. */
import { RnnError } from "../../errors.ts";
import { profileFits, type DeviceProfile } from "../../kernels/device-profile.ts";
import type { ElementType } from "../../kernels/kernel.ts";
import type { Buffer, Recording } from "../../recording/recording.ts";
import type { FloatArray, NumericArray } from "../../tensor/tensor.ts";
import type { Backend, Counters, DeviceBuffer, PrepareOptions, Program } from "../backend.ts";
import { findDevice, type FoundDevice } from "./device.ts";
import { Nudge } from "./nudge.ts";
import { Pipelines } from "./pipelines.ts";
import { prepareProgram } from "./webgpu-program.ts";

export class WebGpuBuffer implements DeviceBuffer {
  constructor(readonly label: string, readonly type: ElementType, readonly length: number, readonly gpu: GPUBuffer) {}
}

export interface WebGpuOptions {
  reason?: string;
  /** WGSL by path below `shaders/` to use instead of the package's own. */
  shaders?: Readonly<Record<string, string>>;
  /** A device of the caller's instead of a new one. */
  device?: GPUDevice;
  /** What `calibrate` returned earlier, perhaps through JSON. */
  profile?: DeviceProfile;
}

export const arrayTypes = { f32: Float32Array, u32: Uint32Array, i32: Int32Array } as const;

export class WebGpuBackend implements Backend {
  readonly kind = "webgpu";
  readonly precision = "float32";
  readonly counters: Counters = { submits: 0, dispatches: 0, buffers: 0, bindGroups: 0, pipelines: 0, bytes: 0 };
  readonly lost: Promise<Error>;
  readonly device: GPUDevice;
  readonly pipelines: Pipelines;
  readonly adapter: string;
  readonly software: boolean;
  readonly reason: string;
  profile: DeviceProfile | undefined;
  private readonly nudge: Nudge;
  private failure: RnnError | undefined;
  private destroyed = false;

  constructor(found: FoundDevice, options: WebGpuOptions = {}) {
    this.device = found.device;
    this.adapter = found.adapter;
    this.software = found.software;
    this.reason = options.reason ?? "asked for";
    this.profile = options.profile && profileFits(options.profile, this.adapter) ? options.profile : undefined;
    this.nudge = new Nudge(this.device.queue);
    this.pipelines = new Pipelines(this.device, this.counters, options.shaders ?? {});
    this.lost = this.device.lost.then(({ message, reason }) => {
      const why = this.destroyed ? "it was destroyed by this program" : `${reason || "unknown reason"}: ${message}`;
      return this.fail(`the device is gone (${why}); make a new backend and go on from the last checkpoint`);
    });
    this.device.addEventListener("uncapturederror", ({ error }) => void this.fail(error.message));
  }

  static async create(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
    const found = options.device
      ? { device: options.device, adapter: "the caller's device", software: false }
      : await findDevice();
    return new WebGpuBackend(found, options);
  }

  get mostElements(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.device.limits;
    return Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4);
  }

  floats(length: number): FloatArray {
    return new Float32Array(length);
  }

  /** @throws RnnError `limit` if the device cannot hold or bind so large a buffer */
  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): WebGpuBuffer {
    this.check();
    const bytes = length * 4;
    for (const limit of ["maxStorageBufferBindingSize", "maxBufferSize"] as const) {
      const most = this.device.limits[limit];
      if (bytes <= most) continue;
      throw new RnnError("limit", label, `needs ${bytes} bytes but this device's ${limit} is ${most}; use a smaller batch, fewer steps or a smaller layer`);
    }
    const gpu = this.device.createBuffer({ label, size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
    this.counters.buffers++;
    this.counters.bytes += bytes;
    const buffer = new WebGpuBuffer(label, type, length, gpu);
    if (data) this.write(buffer, data);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.counters.bytes -= buffer.length * 4;
    (buffer as WebGpuBuffer).gpu.destroy();
  }

  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    this.check();
    const Type = arrayTypes[buffer.type];
    const array = data instanceof Type ? data : Type.from(data);
    this.device.queue.writeBuffer((buffer as WebGpuBuffer).gpu, offset * 4, array as Float32Array<ArrayBuffer>);
  }

  async read(buffer: DeviceBuffer, offset = 0, length = buffer.length - offset): Promise<NumericArray> {
    this.check();
    const staging = this.device.createBuffer({ label: `${buffer.label}.staging`, size: length * 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.device.createCommandEncoder({ label: `${buffer.label}.read` });
    encoder.copyBufferToBuffer((buffer as WebGpuBuffer).gpu, offset * 4, staging, 0, length * 4);
    this.device.queue.submit([encoder.finish()]);
    try {
      return new arrayTypes[buffer.type]((await this.mapForReading(staging)).slice(0));
    } finally {
      staging.destroy();
    }
  }

  async prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, options: PrepareOptions = {}): Promise<Program> {
    this.check();
    this.device.pushErrorScope("out-of-memory");
    this.device.pushErrorScope("validation");
    let program: Program | undefined;
    try {
      program = await prepareProgram(this, recording, externals as ReadonlyMap<Buffer, WebGpuBuffer>, options);
    } finally {
      const validation = await this.device.popErrorScope();
      const memory = await this.device.popErrorScope();
      if (program && (validation ?? memory)) {
        program.free();
        if (memory) throw new RnnError("limit", "WebGPU", `out of device memory: ${memory.message}; use a smaller batch, fewer steps or a smaller layer`);
        throw new RnnError("device", "WebGPU", `the device refused the recording: ${validation!.message}`);
      }
    }
    return program;
  }

  destroy(): void {
    this.destroyed = true;
    this.device.destroy();
  }

  /** Throws what went wrong on the device, if anything did since the backend was made. */
  check(): void {
    if (this.failure) throw this.failure;
  }

  /** What the buffer holds once the device has done all that was submitted. A rejection that comes with a lost device becomes the typed error. */
  async mapForReading(buffer: GPUBuffer): Promise<ArrayBuffer> {
    try {
      await this.nudge.until(buffer.mapAsync(GPUMapMode.READ));
      // Firefox may lose the device between a mapping and its range.
      return buffer.getMappedRange();
    } catch (cause) {
      throw this.failure ?? new RnnError("device", "WebGPU", `read-back failed: ${(cause as Error).message}`, { cause });
    }
  }

  private fail(problem: string): RnnError {
    this.failure ??= new RnnError("device", "WebGPU", problem);
    return this.failure;
  }
}
