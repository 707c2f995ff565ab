import { RnnError } from "../../errors.ts";
import type { ElementType } from "../../kernels/kernel.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import type { DeviceBuffer } from "../backend.ts";
import { Piece } from "../ledger.ts";
import type { WasmHeap } from "./wasm-heap.ts";

const arrayTypes = { f32: Float32Array, u32: Uint32Array, i32: Int32Array } as const;

/** A buffer of the CPU backend: a separate array, or a part of the WebAssembly heap. */
export class CpuBuffer implements DeviceBuffer {
  private current: NumericArray;
  /** Byte address in the heap. */
  readonly address: number;
  readonly piece: Piece;

  constructor(
    readonly label: string,
    readonly type: ElementType,
    readonly length: number,
    double: boolean,
    private readonly heap?: WasmHeap,
  ) {
    const Type = double && type === "f32" ? Float64Array : arrayTypes[type];
    const bytes = length * Type.BYTES_PER_ELEMENT;
    const address = (this.address = heap ? heap.allocate(bytes) : 0);
    this.piece = new Piece(bytes, () => heap?.free(address));
    this.current = heap ? this.view(heap) : zeros(Type, length);
    // Heap memory may hold old values of another buffer.
    if (heap) this.current.fill(0);
  }

  get freed(): boolean {
    return this.piece.freed;
  }

  /** The elements. Do not keep the array across an allocation: growth of the heap detaches it. */
  get array(): NumericArray {
    if (this.heap && this.current.buffer !== this.heap.memory.buffer) this.current = this.view(this.heap);
    return this.current;
  }

  private view(heap: WasmHeap): NumericArray {
    return new arrayTypes[this.type](heap.memory.buffer, this.address, this.length);
  }
}

/** @throws RnnError `limit` if there is not enough memory */
function zeros(Type: (typeof arrayTypes)[ElementType] | typeof Float64Array, length: number): NumericArray {
  try {
    return new Type(length);
  } catch (cause) {
    const mebibytes = Math.ceil((length * Type.BYTES_PER_ELEMENT) / 2 ** 20);
    throw new RnnError(
      "limit",
      "CpuBackend",
      `${mebibytes} MiB of memory are needed, which this engine does not give; use a smaller batch or fewer steps`,
      { cause },
    );
  }
}
