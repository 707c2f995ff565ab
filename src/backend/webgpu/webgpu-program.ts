/** A recording that is ready for a WebGPU device. Each run is one command buffer. */
import { RnnError } from "../../errors.ts";
import type { Kernel } from "../../kernels/kernel.ts";
import { Part } from "../../part.ts";
import { type Buffer, type Command, type Dispatch, type Recording, type View } from "../../recording/recording.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import type { DeviceBuffer, PrepareOptions, Program, Room, RunOptions, RunResult } from "../backend.ts";
import { ProgramMemory } from "../program-memory.ts";
import { encodeCommands, encodeFills, passesOf, type PreparedCommand } from "./encoding.ts";
import { packParams } from "./pack-params.ts";
import { paramsStride, type Pipeline } from "./pipelines.ts";
import { refused, watched, type Refusal } from "./refusal.ts";
import { Staging, type Loan } from "./staging.ts";
import type { Stopwatch } from "./stopwatch.ts";
import type { WebGpuBackend, WebGpuBuffer } from "./webgpu-backend.ts";

const timing = new Part("the WebGPU backend", () => import("./stopwatch.ts"));

/**
 * @throws RnnError `limit` if it needs more than the device offers, `device` if the device refuses it; then nothing
 * stays allocated
 */
export async function prepareProgram(
  backend: WebGpuBackend,
  recording: Recording,
  externals: ReadonlyMap<Buffer, WebGpuBuffer>,
  { keepAll = false }: PrepareOptions,
): Promise<Program> {
  backend.check();
  const kernels = new Map<string, Kernel>();
  for (const command of recording.commands) if (command.kind === "dispatch") kernels.set(command.kernel.name, command.kernel);
  // Compile all at once, because the browser uses several threads.
  const made = await Promise.all([...kernels.values()].map(async (kernel) => [kernel.name, await backend.pipelines.get(kernel)] as const));
  backend.check();
  const { result: program, refusal } = watched(
    backend.device,
    () => new WebGpuProgram(backend, recording, externals, keepAll, new Map(made)),
  );
  try {
    await checkAccepted(backend, externals.values(), refusal);
  } catch (error) {
    program.free();
    throw error;
  }
  return program;
}

/** Frees the buffers that the device refused, so that their owners create them again. */
async function checkAccepted(
  backend: WebGpuBackend,
  externals: Iterable<WebGpuBuffer>,
  refusal: Promise<Refusal | undefined>,
): Promise<void> {
  const buffers = [...externals];
  const found = await backend.until(Promise.all([...buffers.map((buffer) => buffer.refusal), refusal]));
  buffers.forEach((buffer, i) => found[i] && backend.free(buffer));
  const first = found.find((one) => one !== undefined);
  if (first) throw refused("the recording", first);
}

class WebGpuProgram implements Program {
  private readonly memory: ProgramMemory<WebGpuBuffer>;
  private readonly groups = new Map<string, GPUBindGroup>();
  private readonly bufferIds = new Map<GPUBuffer, number>();
  private readonly commands: PreparedCommand[];
  /** The commands without the derived ones. */
  private readonly repeated: PreparedCommand[];
  private readonly staging: Staging;
  private paramsGroup!: GPUBindGroup;
  /** The moment for which the derived buffers are valid. */
  private moment: object | undefined;

  constructor(
    private readonly backend: WebGpuBackend,
    readonly recording: Recording,
    externals: ReadonlyMap<Buffer, WebGpuBuffer>,
    keepAll: boolean,
    private readonly pipelines: ReadonlyMap<string, Pipeline>,
  ) {
    const downloads = recording.commands.filter((c) => c.kind === "download");
    this.memory = new ProgramMemory<WebGpuBuffer>("WebGPU", backend);
    try {
      this.memory.place(recording, externals, keepAll);
      const paramsOffsets = this.uploadParams();
      this.commands = recording.commands.flatMap((command, i) => this.prepared(command, paramsOffsets[i]));
      this.repeated = this.commands.slice(recording.derived);
      this.staging = new Staging(
        backend,
        downloads.map(({ name, view }) => ({ name, type: view.buffer.type, ...this.range(view) })),
        this.memory,
      );
    } catch (error) {
      // It was too large. Free what was made so far: the caller may try again with a smaller batch.
      this.free();
      throw error;
    }
  }

  reserve(): Promise<Room> {
    return this.staging.acquire();
  }

  async run(
    inputs: Readonly<Record<string, NumericArray>> = {},
    { repeat = 1, room, moment, first = [], into, timed = false }: RunOptions = {},
  ): Promise<RunResult> {
    const module = timed && this.backend.device.features.has("timestamp-query") ? await timing.load() : undefined;
    const loan: Loan = room ?? (await this.staging.acquire());
    let accepted: Promise<void>;
    let stopwatch: Stopwatch | undefined;
    try {
      accepted = this.submit("run", inputs, (encoder) => {
        encodeFills(encoder, first);
        const again = moment !== undefined && moment === this.moment;
        const rounds = Array.from({ length: repeat }, (_, i) => (again || i > 0 ? this.repeated : this.commands));
        const passes = rounds.reduce((sum, commands) => sum + passesOf(commands), 0);
        if (module && passes > 0) stopwatch = new module.Stopwatch(this.backend, passes);
        for (const commands of rounds) this.encode(encoder, commands, stopwatch);
        stopwatch?.encode(encoder);
        this.staging.encode(encoder, loan);
      });
      this.moment = moment;
      // A refused run has not computed the derived buffers.
      accepted.catch(() => (this.moment = undefined));
    } catch (error) {
      loan.release();
      throw error;
    }
    return { downloads: this.staging.readBack(loan, accepted, into), milliseconds: stopwatch?.read(accepted) };
  }

  async runSlice(first: number, last: number, inputs: Readonly<Record<string, NumericArray>> = {}): Promise<void> {
    const skipped = this.recording.commands.slice(0, first).filter((c) => c.kind === "download").length;
    const count = this.recording.commands.slice(first, last).filter((c) => c.kind !== "download").length;
    await this.submit("slice", inputs, (encoder) => this.encode(encoder, this.commands.slice(first - skipped, first - skipped + count)));
  }

  /** Writes the inputs and submits the commands; rejects if the device refuses them. */
  private submit(
    label: string,
    inputs: Readonly<Record<string, NumericArray>>,
    encode: (encoder: GPUCommandEncoder) => void,
  ): Promise<void> {
    const {
      backend,
      backend: { device },
      memory,
    } = this;
    backend.check();
    memory.check();
    const submitted = watched(device, () => {
      for (const [label, data] of Object.entries(inputs)) backend.upload(memory.input(label), data);
      const encoder = device.createCommandEncoder({ label });
      encode(encoder);
      device.queue.submit([encoder.finish()]);
    });
    backend.counters.submits++;
    return backend.submitted(`a ${label}`, submitted);
  }

  bufferOf(buffer: Buffer): DeviceBuffer {
    return this.memory.of(buffer);
  }

  free(): void {
    this.memory.free();
  }

  /** Uploads the params of all dispatches. Returns the offset for each command. */
  private uploadParams(): number[] {
    const { bytes, offsets } = packParams(this.recording.commands);
    const {
      backend,
      backend: { device },
    } = this;
    const params = this.memory.own(backend.allocate("params", "u32", bytes.byteLength / 4, new Uint32Array(bytes), "params"));
    this.paramsGroup = device.createBindGroup({
      label: "params",
      layout: backend.pipelines.paramsLayout,
      entries: [{ binding: 0, resource: { buffer: params.gpu, size: paramsStride } }],
    });
    this.backend.counters.bindGroups++;
    return offsets;
  }

  private prepared(command: Command, paramsOffset: number): PreparedCommand[] {
    if (command.kind === "download") return [];
    if (command.kind === "dispatch") return [this.preparedDispatch(command, paramsOffset)];
    if (command.kind === "clear") return [{ kind: "clear", ...this.range(command.view) }];
    const from = this.range(command.from);
    const to = this.range(command.to);
    return [{ kind: "copy", from: from.buffer, fromOffset: from.offset, to: to.buffer, toOffset: to.offset, bytes: from.bytes }];
  }

  private preparedDispatch(command: Dispatch, paramsOffset: number): PreparedCommand {
    const { pipeline, layout } = this.pipelines.get(command.kernel.name)!;
    const [x, y, z] = command.kernel.workgroups(command.params);
    const most = this.backend.device.limits.maxComputeWorkgroupsPerDimension;
    if (Math.max(x, y, z) > most) {
      throw new RnnError(
        "limit",
        command.kernel.name,
        `needs ${x} x ${y} x ${z} workgroups but this device's maxComputeWorkgroupsPerDimension is ${most}; use a smaller batch or fewer steps`,
      );
    }
    return { kind: "dispatch", pipeline, group: this.groupOf(command, layout), paramsOffset, x, y, z };
  }

  /** The bind group for these views, shared by all dispatches that bind the same. */
  private groupOf({ kernel, views }: Dispatch, layout: GPUBindGroupLayout): GPUBindGroup {
    const names = Object.keys(kernel.bindings);
    const resources = names.map((name) => this.range(views[name]));
    const key = `${layout.label}|${resources.map(({ buffer, offset, bytes }) => `${this.idOf(buffer)}+${offset}:${bytes}`).join()}`;
    let group = this.groups.get(key);
    if (!group) {
      group = this.backend.device.createBindGroup({
        label: kernel.name,
        layout,
        entries: resources.map(({ buffer, offset, bytes }, binding) => ({ binding, resource: { buffer, offset, size: bytes } })),
      });
      this.backend.counters.bindGroups++;
      this.groups.set(key, group);
    }
    return group;
  }

  private idOf(buffer: GPUBuffer): number {
    const id = this.bufferIds.get(buffer) ?? this.bufferIds.size;
    this.bufferIds.set(buffer, id);
    return id;
  }

  private range({ buffer, offset, shape }: View): { buffer: GPUBuffer; offset: number; bytes: number } {
    return { buffer: this.memory.of(buffer).gpu, offset: offset * 4, bytes: Math.max(1, sizeOf(shape)) * 4 };
  }

  private encode(encoder: GPUCommandEncoder, commands: readonly PreparedCommand[], stopwatch?: Stopwatch): void {
    encodeCommands(encoder, commands, this.paramsGroup, this.backend.counters, stopwatch);
  }
}
