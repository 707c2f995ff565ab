/** A ring of read-back buffers, so that a training loop does not wait for a loss before it submits the next step. */
import type { ElementType } from "../../kernels/kernel.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import { copyInto } from "../into.ts";
import type { ProgramMemory } from "../program-memory.ts";
import { arrayTypes, type WebGpuBackend, type WebGpuBuffer } from "./webgpu-backend.ts";

interface Source {
  readonly name: string;
  readonly type: ElementType;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** A read-back buffer lent for one run; none for a program without downloads. */
export interface Loan {
  readonly buffer?: WebGpuBuffer;
  readonly release: () => void;
}

/** Most submits in flight: enough to hide read-back latency (5 to 15 ms in Chrome), few enough to stop soon. */
const ringSize = 8;
/** A program with larger downloads has only one buffer. */
const largestRingBytes = 1 << 16;

export class Staging {
  /** `free` resolves when the buffer has been read and may be used again. */
  private readonly slots: { readonly buffer: WebGpuBuffer; free: Promise<void> }[] = [];
  private next = 0;

  /** @param memory the program's, with which the ring's buffers are freed */
  constructor(
    private readonly backend: WebGpuBackend,
    private readonly sources: readonly Source[],
    memory: ProgramMemory<WebGpuBuffer>,
  ) {
    const bytes = sources.reduce((sum, s) => sum + s.bytes, 0);
    const count = bytes === 0 ? 0 : bytes > largestRingBytes ? 1 : ringSize;
    for (let i = 0; i < count; i++) {
      const buffer = memory.own(backend.allocate(`staging.${i}`, "u32", bytes / 4, undefined, "reading"));
      this.slots.push({ buffer, free: Promise.resolve() });
    }
  }

  /** The next slot of the ring, once its last read-back is over. It must be given to `readBack` or released. */
  async acquire(): Promise<Loan> {
    if (this.slots.length === 0) return { release: () => undefined };
    const slot = this.slots[this.next];
    this.next = (this.next + 1) % this.slots.length;
    const before = slot.free;
    let release: () => void = () => undefined;
    slot.free = new Promise((resolve) => (release = resolve));
    await before;
    return { buffer: slot.buffer, release };
  }

  /** Encodes the copies into the lent buffer. */
  encode(encoder: GPUCommandEncoder, { buffer: target }: Loan): void {
    if (!target) return;
    let at = 0;
    for (const { buffer, offset, bytes } of this.sources) {
      encoder.copyBufferToBuffer(buffer, offset, target.gpu, at, bytes);
      at += bytes;
    }
  }

  /** Reads the copies once the device has done them, then releases the buffer. Rejects if `accepted` does. */
  readBack(
    { buffer, release }: Loan,
    accepted: Promise<void>,
    into: Readonly<Record<string, NumericArray>> = {},
  ): Promise<Record<string, NumericArray>> {
    const result = buffer ? this.map(buffer, accepted, into).finally(release) : accepted.then(() => ({}));
    // The caller may never look at the result; a lost device is reported by the next run all the same.
    result.catch(() => undefined);
    return result;
  }

  private async map(
    buffer: WebGpuBuffer,
    accepted: Promise<void>,
    into: Readonly<Record<string, NumericArray>>,
  ): Promise<Record<string, NumericArray>> {
    const mapped = await this.backend.mapForReading(buffer, accepted);
    const result: Record<string, NumericArray> = {};
    let at = 0;
    try {
      for (const { name, type, bytes } of this.sources) {
        const values = new arrayTypes[type](mapped, at, bytes / 4);
        result[name] = copyInto(into, name, values);
        at += bytes;
      }
    } finally {
      buffer.gpu.unmap();
    }
    return result;
  }
}
