import type { Workforce } from "./calls.ts";
import type { WasmHeap } from "./wasm-heap.ts";
import type { WasmExports } from "./wasm-code.ts";

/** Scratch memory for the time of one call. One piece, as large as the largest request, serves all kernels. */
export class WorkSpace {
  address = 0;
  private bytes = 0;

  constructor(private readonly heap: WasmHeap) {}

  /** Makes room for this many numbers. */
  reserve(length: number): void {
    const bytes = 4 * length;
    if (bytes <= this.bytes) return;
    this.heap.free(this.address);
    // If the allocation fails, the old memory must not be used again: it may belong to others.
    this.bytes = 0;
    // Calls store the address as a number, so it must not change.
    this.heap.generation++;
    this.address = this.heap.allocate(bytes);
    this.bytes = bytes;
  }

  /** The numbers as an array, valid until the memory grows. */
  array(length: number): Float32Array {
    this.reserve(length);
    return new Float32Array(this.heap.memory.buffer, this.address, length);
  }

  /** The same as words, from number `first` on. */
  words(first: number, length: number): Uint32Array {
    return new Uint32Array(this.heap.memory.buffer, this.address + 4 * first, length);
  }
}

/** What makers of WebAssembly kernels need. */
export interface Means {
  readonly exports: WasmExports;
  readonly threads: Workforce;
  readonly work: Pick<WorkSpace, "address" | "reserve" | "array" | "words">;
}
