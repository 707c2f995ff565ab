/**
 * Kernels that have a WebAssembly version: kernel name -> a function that turns addresses and params into the call.
 * A kernel that is not listed here runs as its twin.
 */
import type { WasmExports, WasmKernels } from "./wasm-kernels.ts";

/** Byte address of each binding. */
type Addresses = Readonly<Record<string, number>>;
type Params = Readonly<Record<string, number>>;
/** Made once when a program is prepared; the returned function is called each run and allocates nothing. */
export type FastKernel = (at: Addresses, params: Params) => () => void;

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

export function fastKernels({ exports }: WasmKernels): ReadonlyMap<string, FastKernel> {
  const product = matmulKernel(exports);
  return new Map<string, FastKernel>([
    ["matmul-naive", product],
    ["matmul-tiled", product],
    ["matmul-small-m", product],
  ]);
}
