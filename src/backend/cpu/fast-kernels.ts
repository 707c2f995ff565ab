/**
 * Kernels that have a WebAssembly version: kernel name -> a function that turns addresses and params into the call.
 * A kernel that is not listed here runs as its twin.
 */
import type { WasmHeap } from "./wasm-heap.ts";
import type { WasmExports, WasmKernels } from "./wasm-kernels.ts";

/** Byte address of each binding. */
type Addresses = Readonly<Record<string, number>>;
type Params = Readonly<Record<string, number>>;
/** Made once when a program is prepared; the returned function is called each run and allocates nothing. */
export type FastKernel = (at: Addresses, params: Params) => () => void;

/** Memory that a kernel needs within one call; one piece, as large as the largest request, serves all. */
class WorkSpace {
  address = 0;
  private bytes = 0;

  constructor(private readonly heap: WasmHeap) {}

  reserve(bytes: number): void {
    if (bytes <= this.bytes) return;
    this.heap.free(this.address);
    this.address = this.heap.allocate(bytes);
    this.bytes = bytes;
  }
}

function matmulKernel({ matmul }: WasmExports): FastKernel {
  return (at, p) => {
    const a = at.a + 4 * p.aOffset;
    const b = at.b + 4 * p.bOffset;
    const c = at.c + 4 * p.cOffset;
    const bias = p.useBias ? at.bias : 0;
    const { M, N, K, batch, aBatch, aRow, aColumn, bBatch, bRow, bColumn, cBatch, cRow, accumulate } = p;
    return () => matmul(a, b, bias, c, M, N, K, batch, aBatch, aRow, aColumn, bBatch, bRow, bColumn, cBatch, cRow, accumulate);
  };
}

/** In the order of the numbers in `wasm/cells.ts`. */
const cells = [{ name: "lstm", gates: 4 }, { name: "gru", gates: 3 }, { name: "rnn-tanh", gates: 1 }, { name: "rnn-relu", gates: 1 }];

function stepKernels({ stepForward, stepBackward }: WasmExports, work: WorkSpace): [string, FastKernel][] {
  return cells.flatMap(({ name, gates }, cell): [string, FastKernel][] => {
    const forward: FastKernel = (at, { B, H, t, previousSlot, currentSlot, hBase }) => {
      work.reserve(4 * B * H * gates);
      const h = at.h + 4 * hBase;
      return () => stepForward(cell, at.gates, at.weights, at.bias, h, at.c, at.lengths, work.address, B, H, t, previousSlot, currentSlot);
    };
    const backward: FastKernel = (at, { B, H, t, previousSlot, currentSlot, hBase, nextT, hasNext, tail }) => {
      work.reserve(4 * B * H);
      const h = at.h + 4 * hBase;
      return () => stepBackward(
        cell, at.gates, at.weights, h, at.c, at.dy, at.carry, at.dRecurrent, at.lengths, work.address,
        B, H, t, previousSlot, currentSlot, nextT, hasNext, tail,
      );
    };
    return [[`step-forward:${name}`, forward], [`step-backward:${name}`, backward]];
  });
}

export function fastKernels({ exports, heap }: WasmKernels): ReadonlyMap<string, FastKernel> {
  const product = matmulKernel(exports);
  const work = new WorkSpace(heap);
  return new Map<string, FastKernel>([
    ["matmul-naive", product],
    ["matmul-tiled", product],
    ["matmul-small-m", product],
    ...stepKernels(exports, work),
  ]);
}
