/** Runs recordings on a WebGPU device. */
import { disposeSymbol } from "../../disposable.ts";
import { checkSize, RnnError, show } from "../../errors.ts";
import { profileFits, type DeviceProfile } from "../../kernels/device-profile.ts";
import type { SelfTest } from "../../kernels/self-test.ts";
import type { ElementType } from "../../kernels/kernel.ts";
import type { Buffer, Recording } from "../../recording/recording.ts";
import type { FloatArray, NumericArray } from "../../tensor/tensor.ts";
import { stepTimes } from "../../recurrent/strategies/step-times.ts";
import type { Backend, Counters, DeviceBuffer, PrepareOptions, Program } from "../backend.ts";
import { checkNewBuffer, takePreparation, checkSpan, heldBuffer, knownBuffer, numbersOf } from "../checks.ts";
import { checkHeld, Ledger, Piece } from "../ledger.ts";
import { Life, type Ending } from "../life.ts";
import { bufferUsage, mapMode } from "./constants.ts";
import { describe, findDevice, isSoftware, workgroupLimits, type FoundDevice } from "./device.ts";
import { endWithDevice } from "./lost-devices.ts";
import { Nudge } from "./nudge.ts";
import { Pipelines } from "./pipelines.ts";
import { refused, watched, type Refusal, type Watched } from "./refusal.ts";
import { allShaders, common } from "./shaders.ts";
import { prepareProgram } from "./webgpu-program.ts";

export class WebGpuBuffer implements DeviceBuffer {
  /** The device's error about it, thrown when a program is prepared with it. */
  refusal: Promise<Refusal | undefined> | undefined;

  constructor(
    readonly label: string,
    readonly type: ElementType,
    readonly length: number,
    readonly gpu: GPUBuffer,
    readonly piece: Piece,
  ) {}

  get freed(): boolean {
    return this.piece.freed;
  }
}

export interface WebGpuOptions {
  reason?: string;
  /** WGSL by path below `shaders/` to use instead of the package's own. */
  shaders?: Readonly<Record<string, string>>;
  /** The caller's device, instead of a new one. */
  device?: GPUDevice;
  /** The profile that `calibrate` returned earlier, possibly stored as JSON. */
  profile?: DeviceProfile;
}

export const arrayTypes = { f32: Float32Array, u32: Uint32Array, i32: Int32Array } as const;

const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = bufferUsage;
/** Usage flags of buffers, by purpose. */
const usages = { data: STORAGE | UNIFORM | COPY_SRC | COPY_DST, params: UNIFORM | COPY_DST, reading: MAP_READ | COPY_DST } as const;

/** Destroys the devices of backends that nobody holds any more, except lent ones. */
const dropped = new FinalizationRegistry<GPUDevice>((device) => device.destroy());

export class WebGpuBackend implements Backend {
  readonly kind = "webgpu";
  readonly precision = "float32";
  readonly stepTimes = stepTimes;
  readonly counters: Counters = { submits: 0, dispatches: 0, buffers: 0, bindGroups: 0, pipelines: 0, bytes: 0 };
  readonly device: GPUDevice;
  readonly pipelines: Pipelines;
  readonly adapter: string;
  readonly isGpu: boolean;
  reason: string;
  selfTest: SelfTest | undefined;
  profile: DeviceProfile | undefined;
  private readonly nudge: Nudge;
  private readonly life = new Life();
  private readonly ledger = new Ledger(this.counters);
  private readonly lent: boolean;

  constructor(found: FoundDevice, options: WebGpuOptions = {}) {
    this.device = found.device;
    this.lent = found.device === options.device;
    this.adapter = found.adapter;
    this.isGpu = !found.software;
    this.reason = options.reason ?? "asked for";
    this.profile = options.profile && profileFits(options.profile, this.adapter) ? options.profile : undefined;
    this.nudge = new Nudge(this.device.queue);
    this.pipelines = new Pipelines(this.device, this.life, this.counters, options.shaders ?? {});
    endWithDevice(this.device, this.life);
    if (!this.lent) dropped.register(this, this.device, this);
  }

  /**
   * @throws RnnError `device` if there is no device, or the lent one is lost; `option` if the lent object is no device, or
   * no file has the path of a shader
   */
  static async create(options: WebGpuOptions = {}): Promise<WebGpuBackend> {
    const { device, shaders } = options;
    if (shaders) await (await allShaders.load()).checkPaths(Object.keys(shaders), common);
    if (!device) return new WebGpuBackend(await findDevice(), options);
    if (typeof device.createBuffer !== "function" || typeof device.lost?.then !== "function")
      throw new RnnError("option", "createBackend", `device must be a GPUDevice, got ${show(device)}`);
    const backend = new WebGpuBackend(
      {
        device,
        adapter: device.adapterInfo ? describe(device.adapterInfo) : "the caller's device",
        software: device.adapterInfo !== undefined && isSoftware(device.adapterInfo),
      },
      options,
    );
    // A device that is lost already reports it in the next microtask.
    await Promise.resolve();
    backend.check();
    return backend;
  }

  get lost(): Promise<Error> {
    return this.life.lost;
  }

  get ended(): Ending | undefined {
    return this.life.ended;
  }

  get mostThreads(): number {
    const { maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX, maxComputeWorkgroupStorageSize } = this.device.limits;
    if (maxComputeWorkgroupStorageSize < workgroupLimits.maxComputeWorkgroupStorageSize) return 256;
    // A compute unit of AMD's GCN has 64 registers for each thread of a workgroup of 1,024; recurrent kernels need up to 128.
    const most = /\bgcn/i.test(this.adapter) ? 512 : 1024;
    return Math.min(most, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupSizeX);
  }

  get mostElements(): number {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.device.limits;
    return Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4);
  }

  floats(length: number): FloatArray {
    checkSize("backend", "length", length, 0);
    return new Float32Array(length);
  }

  /** @throws RnnError `limit` if the device cannot hold or bind so large a buffer */
  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): WebGpuBuffer {
    this.check();
    checkNewBuffer(label, type, length);
    const { result, refusal } = watched(this.device, () => this.allocate(label, type, length, data));
    result.refusal = refusal;
    return result;
  }

  /** Like createBuffer, for calls inside `watched`. */
  allocate(label: string, type: ElementType, length: number, data?: ArrayLike<number>, use: keyof typeof usages = "data"): WebGpuBuffer {
    const bytes = length * 4;
    for (const limit of ["maxStorageBufferBindingSize", "maxBufferSize"] as const) {
      const most = this.device.limits[limit];
      if (bytes <= most || (limit === "maxStorageBufferBindingSize" && use !== "data")) continue;
      throw new RnnError(
        "limit",
        label,
        `needs ${bytes} bytes but this device's ${limit} is ${most}; use a smaller batch, fewer steps or a smaller layer`,
      );
    }
    const gpu = this.device.createBuffer({ label, size: bytes, usage: usages[use] });
    const buffer = new WebGpuBuffer(label, type, length, gpu, new Piece(bytes, () => gpu.destroy()));
    this.ledger.enter(buffer, buffer.piece);
    if (data !== undefined) this.upload(buffer, data);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    this.ledger.free(knownBuffer(buffer, WebGpuBuffer).piece);
  }

  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    this.check();
    heldBuffer(buffer, WebGpuBuffer);
    void this.submitted(
      "a write",
      watched(this.device, () => this.upload(buffer, data, offset)),
    );
  }

  /** Like write, for calls inside `watched`. */
  upload(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    const array: NumericArray = numbersOf<NumericArray>(buffer, arrayTypes[buffer.type], data, offset);
    checkHeld(buffer);
    this.device.queue.writeBuffer((buffer as WebGpuBuffer).gpu, offset * 4, array as Float32Array<ArrayBuffer>);
  }

  copy(from: DeviceBuffer, to: DeviceBuffer, offset = 0): void {
    this.check();
    const [source, target] = [heldBuffer(from, WebGpuBuffer), heldBuffer(to, WebGpuBuffer)];
    checkSpan(target, offset, 0);
    const encoder = this.device.createCommandEncoder({ label: `${to.label}.copy` });
    encoder.copyBufferToBuffer(source.gpu, 0, target.gpu, offset * 4, Math.min(from.length, to.length - offset) * 4);
    this.device.queue.submit([encoder.finish()]);
  }

  async read(buffer: DeviceBuffer, offset = 0, given?: number): Promise<NumericArray> {
    this.check();
    heldBuffer(buffer, WebGpuBuffer);
    const length = checkSpan(buffer, offset, given);
    const { result: staging, refusal } = watched(this.device, () => {
      const made = this.allocate(`${buffer.label}.staging`, buffer.type, length, undefined, "reading");
      const encoder = this.device.createCommandEncoder({ label: `${buffer.label}.read` });
      encoder.copyBufferToBuffer((buffer as WebGpuBuffer).gpu, offset * 4, made.gpu, 0, length * 4);
      this.device.queue.submit([encoder.finish()]);
      return made;
    });
    try {
      return new arrayTypes[buffer.type](
        (
          await this.mapForReading(
            staging,
            refusal.then((found) => {
              if (found) throw refused("a read-back", found);
            }),
          )
        ).slice(0),
      );
    } finally {
      this.free(staging);
    }
  }

  async prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, options?: PrepareOptions): Promise<Program> {
    return prepareProgram(this, recording, externals as ReadonlyMap<Buffer, WebGpuBuffer>, takePreparation(recording, externals, options));
  }

  destroy(): void {
    this.life.end(
      "destroyed",
      new RnnError(
        "device",
        "WebGPU",
        `the backend was destroyed by this program${this.lent ? ", the device that was lent to it was not" : ""}; make a new backend`,
      ),
    );
    this.ledger.freeAll();
    dropped.unregister(this);
    if (!this.lent) this.device.destroy();
  }

  dispose(): void {
    this.destroy();
  }

  [disposeSymbol](): void {
    this.destroy();
  }

  /** Throws the error of the device, if there was one since the backend was made. */
  check(): void {
    this.life.check();
  }

  /** The same promise, but rejected when the backend ends. */
  until<T>(promise: Promise<T>): Promise<T> {
    return this.life.until(promise);
  }

  /**
   * Submitted calls change the device's memory. If the device refuses one, the contents are unknown and the backend
   * ends.
   * @returns a promise that rejects if the device refuses
   */
  submitted(what: string, { refusal }: Watched<unknown>): Promise<void> {
    const accepted = refusal.then((found) => {
      if (found) throw this.life.end("failed", refused(what, found));
    });
    // Later calls throw it anyway.
    accepted.catch(() => undefined);
    return accepted;
  }

  /**
   * The buffer's contents, once the device has accepted and done everything submitted. A rejection because of a lost
   * device becomes an RnnError.
   */
  async mapForReading(buffer: WebGpuBuffer, accepted: Promise<void>): Promise<ArrayBuffer> {
    const mapped = this.nudge.until(buffer.gpu.mapAsync(mapMode.READ));
    mapped.catch(() => undefined);
    await this.until(accepted);
    try {
      await this.until(mapped);
      // Firefox may lose the device between mapAsync and getMappedRange.
      return buffer.gpu.getMappedRange();
    } catch (cause) {
      this.check();
      checkHeld(buffer);
      throw new RnnError("device", "WebGPU", `read-back failed: ${(cause as Error).message}`, { cause });
    }
  }
}
