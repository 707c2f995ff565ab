// Memory below the heap: where kernels keep packed operands. Nothing here outlives one call.

/** A register tile on its way to a C that is not whole: 4 rows by 8 columns. */
export const edgeTile: usize = 64;
/** Part of A, at most 64 rows by 256. */
export const packedA: usize = 1024;
/** Part of B, at most 256 by 256. */
export const packedB: usize = packedA + 64 * 256 * 4;

/** First byte of the heap that src/backend/cpu/wasm-heap.ts hands out. */
export const heapStart: usize = packedB + 256 * 256 * 4;
