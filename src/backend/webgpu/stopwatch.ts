/** Times a run by the device's own clock (WebGPU's "timestamp-query"): without the queue, the submit and the read-back. */
import { bufferUsage } from "./constants.ts";
import type { WebGpuBackend, WebGpuBuffer } from "./webgpu-backend.ts";

/** 32-bit words of two times, which are nanoseconds as integers of 64 bits. */
const words = 4;
const { QUERY_RESOLVE, COPY_SRC } = bufferUsage;

/** For one run, whose calls to the device are `watched`. */
export class Stopwatch {
  private readonly times: GPUQuerySet;
  private readonly resolved: GPUBuffer;
  private readonly staging: WebGpuBuffer;
  private begun = 0;

  /** @param passes the compute passes of the run, of which the first and the last are marked */
  constructor(
    private readonly backend: WebGpuBackend,
    private readonly passes: number,
  ) {
    const { device } = backend;
    this.times = device.createQuerySet({ label: "stopwatch", type: "timestamp", count: 2 });
    this.resolved = device.createBuffer({ label: "stopwatch", size: 4 * words, usage: QUERY_RESOLVE | COPY_SRC });
    this.staging = backend.allocate("stopwatch.staging", "u32", words, undefined, "reading");
  }

  /** The times that the next compute pass has to write, for its descriptor. */
  next(): GPUComputePassTimestampWrites | undefined {
    const pass = this.begun++;
    const [first, last] = [pass === 0, pass === this.passes - 1];
    if (!first && !last) return undefined;
    return { querySet: this.times, ...(first ? { beginningOfPassWriteIndex: 0 } : {}), ...(last ? { endOfPassWriteIndex: 1 } : {}) };
  }

  /** Encodes the copies of both times, behind the passes. */
  encode(encoder: GPUCommandEncoder): void {
    encoder.resolveQuerySet(this.times, 0, 2, this.resolved, 0);
    encoder.copyBufferToBuffer(this.resolved, 0, this.staging.gpu, 0, 4 * words);
  }

  /** Milliseconds between both times, undefined if the clock did not go forward between them. Frees all memory of the stopwatch. */
  read(accepted: Promise<void>): Promise<number | undefined> {
    const time = this.difference(accepted);
    // A caller that waits for the downloads first may never look at it.
    time.catch(() => undefined);
    return time;
  }

  private async difference(accepted: Promise<void>): Promise<number | undefined> {
    try {
      const [began, ended] = new BigUint64Array(await this.backend.mapForReading(this.staging, accepted));
      return ended > began ? Number(ended - began) / 1e6 : undefined;
    } finally {
      this.times.destroy();
      this.resolved.destroy();
      this.backend.free(this.staging);
    }
  }
}
