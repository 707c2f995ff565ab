/** Interprets recordings on the CPU: each dispatch by its twin, or by a faster function held to the twin by tests. */
import { RnnError } from "../../errors.ts";
import type { ElementType, Kernel } from "../../kernels/kernel.ts";
import { planMemory } from "../../recording/lifetimes.ts";
import type { Buffer, Command, Recording, View } from "../../recording/recording.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { FloatArray, NumericArray } from "../../tensor/tensor.ts";
import type { Backend, Counters, DeviceBuffer, PrepareOptions, Program, RunResult } from "../backend.ts";

class CpuBuffer implements DeviceBuffer {
  constructor(readonly label: string, readonly type: ElementType, readonly array: NumericArray) {}
  get length(): number {
    return this.array.length;
  }
}

/** Does what the kernel's twin does, on the same arrays. */
export type FastKernel = (arrays: Readonly<Record<string, NumericArray>>, params: Readonly<Record<string, number>>) => void;

export interface CpuOptions {
  precision?: "float32" | "float64";
  reason?: string;
}

export class CpuBackend implements Backend {
  readonly kind = "cpu";
  readonly precision: "float32" | "float64";
  readonly adapter = "CPU";
  readonly reason: string;
  readonly counters: Counters = { submits: 0, dispatches: 0, buffers: 0, bindGroups: 0, pipelines: 0, bytes: 0 };
  readonly lost = new Promise<Error>(() => undefined);

  constructor({ precision = "float32", reason = "asked for" }: CpuOptions = {}) {
    this.precision = precision;
    this.reason = reason;
  }

  floats(length: number): FloatArray {
    return this.precision === "float64" ? new Float64Array(length) : new Float32Array(length);
  }

  createBuffer(label: string, type: ElementType, length: number, data?: ArrayLike<number>): CpuBuffer {
    const array = type === "f32" ? this.floats(length) : type === "u32" ? new Uint32Array(length) : new Int32Array(length);
    if (data) array.set(data);
    this.counters.buffers++;
    this.counters.bytes += array.byteLength;
    return new CpuBuffer(label, type, array);
  }

  free(buffer: DeviceBuffer): void {
    this.counters.bytes -= arrayOf(buffer).byteLength;
  }

  write(buffer: DeviceBuffer, data: ArrayLike<number>, offset = 0): void {
    arrayOf(buffer).set(data, offset);
  }

  read(buffer: DeviceBuffer, offset = 0, length = buffer.length - offset): Promise<NumericArray> {
    return Promise.resolve(arrayOf(buffer).slice(offset, offset + length));
  }

  prepare(recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, { keepAll = false }: PrepareOptions = {}): Promise<Program> {
    return Promise.resolve(new CpuProgram(this, recording, externals, keepAll));
  }

  destroy(): void {
    // Memory goes with the last reference to it.
  }

  /** The function that does a kernel's work. */
  implementationOf(kernel: Kernel): FastKernel {
    return (arrays, params) => kernel.twin(arrays, params);
  }
}

function arrayOf(buffer: DeviceBuffer): NumericArray {
  return (buffer as CpuBuffer).array;
}

class CpuProgram implements Program {
  private readonly memory = new Map<Buffer, CpuBuffer>();
  private readonly owned: CpuBuffer[] = [];
  private readonly inputs = new Map<string, CpuBuffer>();
  /** One closure a command, made once, so that a run allocates nothing. */
  private readonly steps: (() => void)[];
  private readonly downloads: { name: string; array: NumericArray }[] = [];

  constructor(private readonly backend: CpuBackend, readonly recording: Recording, externals: ReadonlyMap<Buffer, DeviceBuffer>, keepAll: boolean) {
    const plan = planMemory(recording, { share: !keepAll });
    const shared = plan.slots.map(({ type, length }, i) => this.own(`transient.${i}`, type, length));
    for (const buffer of recording.buffers) {
      const slot = plan.slotOf.get(buffer);
      const external = externals.get(buffer) as CpuBuffer | undefined;
      if (buffer.role === "external" && !external) throw new RnnError("device", "CpuBackend", `no memory was given for ${buffer.label}`);
      const memory = external ?? (slot === undefined ? this.own(buffer.label, buffer.type, buffer.length, buffer.data) : shared[slot]);
      this.memory.set(buffer, memory);
      if (buffer.role === "input") this.inputs.set(buffer.label, memory);
    }
    this.steps = recording.commands.map((command) => this.stepOf(command));
  }

  run(inputs: Readonly<Record<string, NumericArray>> = {}, repeat = 1): Promise<RunResult> {
    this.writeInputs(inputs);
    for (let i = 0; i < repeat; i++) for (const step of this.steps) step();
    this.backend.counters.submits++;
    const downloads = Object.fromEntries(this.downloads.map(({ name, array }) => [name, array.slice()]));
    return Promise.resolve({ downloads: Promise.resolve(downloads) });
  }

  runSlice(first: number, last: number, inputs: Readonly<Record<string, NumericArray>> = {}): Promise<void> {
    this.writeInputs(inputs);
    for (const step of this.steps.slice(first, last)) step();
    return Promise.resolve();
  }

  bufferOf(buffer: Buffer): DeviceBuffer {
    return this.memory.get(buffer)!;
  }

  free(): void {
    for (const buffer of this.owned.splice(0)) this.backend.free(buffer);
  }

  private own(label: string, type: ElementType, length: number, data?: ArrayLike<number>): CpuBuffer {
    const made = this.backend.createBuffer(label, type, length, data);
    this.owned.push(made);
    return made;
  }

  private writeInputs(inputs: Readonly<Record<string, NumericArray>>): void {
    for (const [label, data] of Object.entries(inputs)) {
      const buffer = this.inputs.get(label);
      if (!buffer) throw new RnnError("device", "CpuBackend", `the recording has no input "${label}"`);
      this.backend.write(buffer, data);
    }
  }

  private arrayOf({ buffer, offset, shape }: View): NumericArray {
    return arrayOf(this.memory.get(buffer)!).subarray(offset, offset + Math.max(1, sizeOf(shape)));
  }

  private stepOf(command: Command): () => void {
    switch (command.kind) {
      case "dispatch": {
        const arrays = Object.fromEntries(Object.entries(command.views).map(([name, view]) => [name, this.arrayOf(view)]));
        const run = this.backend.implementationOf(command.kernel);
        const { params } = command;
        return () => {
          run(arrays, params);
          this.backend.counters.dispatches++;
        };
      }
      case "copy": {
        const from = this.arrayOf(command.from);
        const to = this.arrayOf(command.to);
        return () => to.set(from);
      }
      case "clear": {
        const array = this.arrayOf(command.view);
        return () => void array.fill(0);
      }
      case "download": {
        this.downloads.push({ name: command.name, array: this.arrayOf(command.view) });
        return () => undefined;
      }
    }
  }
}
