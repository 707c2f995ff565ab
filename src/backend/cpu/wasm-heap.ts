/** Allocates parts of one WebAssembly memory, so that the SIMD kernels reach every buffer by its address. */
import { RnnError } from "../../errors.ts";

/** Addresses are multiples of this: a cache line. */
const line = 64;
const page = 65536;
/** WebAssembly addresses have 32 bits. */
const most = 2 ** 32;
/**
 * Kernels may load up to this many bytes past the end of a buffer. They ignore these lanes, but the load must not trap.
 */
const spare = 128;

interface Gap {
  at: number;
  size: number;
}

export class WasmHeap {
  /**
   * Growth of the memory detaches every typed array over it. Code that keeps arrays must make them again when this
   * number has changed; addresses stay valid.
   */
  generation = 0;
  /** Unused gaps below `end`, by address; two are never adjacent. */
  private readonly gaps: Gap[] = [];
  private readonly sizes = new Map<number, number>();
  private end: number;

  constructor(
    readonly memory: WebAssembly.Memory,
    start: number,
  ) {
    this.end = Math.ceil(start / line) * line;
  }

  /**
   * Allocates `bytes` bytes, not cleared, and returns their address: the smallest gap that fits, else new memory at the
   * end.
   */
  allocate(bytes: number): number {
    const size = Math.max(line, Math.ceil(bytes / line) * line);
    let best: Gap | undefined;
    for (const gap of this.gaps) {
      if (gap.size >= size && (best === undefined || gap.size < best.size)) best = gap;
    }
    const at = best === undefined ? this.extend(size) : best.at;
    if (best !== undefined) {
      best.at += size;
      best.size -= size;
      if (best.size === 0) this.gaps.splice(this.gaps.indexOf(best), 1);
    }
    this.sizes.set(at, size);
    return at;
  }

  /** Frees `at` and joins it with adjacent gaps. Freeing twice changes nothing. */
  free(at: number): void {
    const size = this.sizes.get(at);
    if (size === undefined) return;
    this.sizes.delete(at);
    const found = this.gaps.findIndex((gap) => gap.at > at);
    const index = found < 0 ? this.gaps.length : found;
    const before = this.gaps[index - 1] as Gap | undefined;
    const after = this.gaps[index] as Gap | undefined;
    const joinsBefore = before !== undefined && before.at + before.size === at;
    const joinsAfter = after !== undefined && at + size === after.at;
    if (joinsBefore && joinsAfter) {
      before.size += size + after.size;
      this.gaps.splice(index, 1);
    } else if (joinsBefore) before.size += size;
    else if (joinsAfter) {
      after.at = at;
      after.size += size;
    } else this.gaps.splice(index, 0, { at, size });
    this.shrink();
  }

  private extend(size: number): number {
    const at = this.end;
    const wanted = at + size + spare;
    const held = this.memory.buffer.byteLength;
    if (wanted > held) {
      // Grow by a quarter more than needed, so that many small buffers do not cause many growths.
      const generous = Math.min(most, Math.max(wanted, Math.ceil(held * 1.25)));
      if (wanted > most || (!this.grow(generous - held) && !this.grow(wanted - held))) {
        const mebibytes = Math.ceil(wanted / 2 ** 20);
        throw new RnnError(
          "limit",
          "CpuBackend",
          `${mebibytes} MiB of memory are needed, more than WebAssembly offers here (at most 4096 MiB); use a smaller batch or fewer steps, or createBackend("cpu", { wasm: false })`,
        );
      }
    }
    this.end += size;
    return at;
  }

  private grow(bytes: number): boolean {
    try {
      this.memory.grow(Math.ceil(bytes / page));
    } catch {
      return false;
    }
    this.generation++;
    return true;
  }

  /** A gap at the very end is removed: the next request extends from there. */
  private shrink(): void {
    const last = this.gaps.at(-1);
    if (last === undefined || last.at + last.size !== this.end) return;
    this.end = last.at;
    this.gaps.pop();
  }
}
