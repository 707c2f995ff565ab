import type { Backend, DeviceBuffer } from "../backend/backend.ts";
import { RnnError } from "../errors.ts";
import type { Buffer } from "../recording/recording.ts";
import type { NumericArray } from "../tensor/tensor.ts";

/** States that stay on the device from run to run, by the labels of a context's externals. */
export class CarriedStates {
  private readonly buffers = new Map<string, DeviceBuffer>();

  constructor(private readonly backend: Backend) {}

  /** The memory of an external buffer; zeros the first time. @throws RnnError `shape` if the batch size has changed */
  readonly memoryFor = (label: string, { type, length }: Buffer): DeviceBuffer => {
    const known = this.buffers.get(label);
    if (known?.length === length) return known;
    if (known) throw new RnnError("shape", label, `carries ${known.length} numbers, but this batch needs ${length}; keep the batch size, or make a new trainer`);
    const made = this.backend.createBuffer(label, type, length);
    this.buffers.set(label, made);
    return made;
  };

  reset(): void {
    for (const buffer of this.buffers.values()) this.backend.write(buffer, new Float32Array(buffer.length));
  }

  /** Everything carried at the moment of the call, by label. */
  async read(): Promise<Record<string, NumericArray>> {
    return Object.fromEntries(await Promise.all([...this.buffers].map(async ([label, buffer]) => [label, await this.backend.read(buffer)] as const)));
  }

  /** Takes over what `read` gave; makes the buffers that do not exist yet. */
  write(values: Readonly<Record<string, NumericArray>>): void {
    for (const [label, data] of Object.entries(values)) {
      const buffer = this.buffers.get(label) ?? this.backend.createBuffer(label, "f32", data.length);
      this.buffers.set(label, buffer);
      this.backend.write(buffer, data);
    }
  }

  free(): void {
    for (const buffer of this.buffers.values()) this.backend.free(buffer);
    this.buffers.clear();
  }
}
