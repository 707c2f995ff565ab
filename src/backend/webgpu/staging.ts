/** A ring of read-back buffers, so that a training loop need not wait for a loss before it submits the next step. */
import type { ElementType } from "../../kernels/kernel.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import { arrayTypes, type WebGpuBackend } from "./webgpu-backend.ts";

interface Source {
  readonly name: string;
  readonly type: ElementType;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

/** A read-back buffer lent for one run. */
interface Loan {
  readonly buffer: GPUBuffer;
  readonly release: () => void;
}

/** Submits in flight at most: enough to hide read-back latency (5 to 15 ms in Chrome), few enough to stop soon. */
const ringSize = 8;
/** Larger downloads come one at a time. */
const largestRingBytes = 1 << 16;

export class Staging {
  /** `free` resolves when the buffer has been read and may be used again. */
  private readonly slots: { readonly buffer: GPUBuffer; free: Promise<void> }[] = [];
  private next = 0;

  constructor(private readonly backend: WebGpuBackend, private readonly sources: readonly Source[]) {
    const bytes = sources.reduce((sum, s) => sum + s.bytes, 0);
    const count = bytes === 0 ? 0 : bytes > largestRingBytes ? 1 : ringSize;
    for (let i = 0; i < count; i++) {
      const buffer = backend.device.createBuffer({ label: `staging.${i}`, size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
      backend.counters.buffers++;
      backend.counters.bytes += bytes;
      this.slots.push({ buffer, free: Promise.resolve() });
    }
  }

  /** The next slot of the ring, once its last read-back is over. It must be given to `readBack` or released. */
  async acquire(): Promise<Loan | undefined> {
    if (this.slots.length === 0) return undefined;
    const slot = this.slots[this.next];
    this.next = (this.next + 1) % this.slots.length;
    const before = slot.free;
    let release: () => void = () => undefined;
    slot.free = new Promise((resolve) => (release = resolve));
    await before;
    return { buffer: slot.buffer, release };
  }

  /** Encodes the copies into the lent buffer. */
  encode(encoder: GPUCommandEncoder, loan: Loan | undefined): void {
    if (!loan) return;
    let at = 0;
    for (const { buffer, offset, bytes } of this.sources) {
      encoder.copyBufferToBuffer(buffer, offset, loan.buffer, at, bytes);
      at += bytes;
    }
  }

  /** What the copies brought, once the device has done them; then the buffer is free again. */
  readBack(loan: Loan | undefined): Promise<Record<string, NumericArray>> {
    if (!loan) return Promise.resolve({});
    const result = this.map(loan).finally(loan.release);
    // The caller may never look at the result; a lost device is reported by the next run all the same.
    result.catch(() => undefined);
    return result;
  }

  free(): void {
    for (const { buffer } of this.slots.splice(0)) {
      this.backend.counters.bytes -= buffer.size;
      buffer.destroy();
    }
  }

  private async map({ buffer }: Loan): Promise<Record<string, NumericArray>> {
    const mapped = await this.backend.mapForReading(buffer);
    const result: Record<string, NumericArray> = {};
    let at = 0;
    for (const { name, type, bytes } of this.sources) {
      result[name] = new arrayTypes[type](mapped.slice(at, at + bytes));
      at += bytes;
    }
    buffer.unmap();
    return result;
  }
}
