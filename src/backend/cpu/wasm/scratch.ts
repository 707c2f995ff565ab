// Memory beside the heap: where kernels keep packed operands. Nothing here outlives one call. Threads share the heap, but
// each has an instance, and a scratch memory, of its own.

/** Where this instance's begins. */
@external("env", "scratch")
declare const scratch: usize;

/** A register tile on its way to a C that is not whole: 4 rows by 8 columns. */
export const edgeTile: usize = scratch + 64;
/** Four words each of four counters. */
export const philoxWords: usize = scratch + 192;
/** Twelve sums, means or scales of a row, eight times. */
export const sums: usize = scratch + 256;
/** Part of A, at most 64 rows by 256. */
export const packedA: usize = scratch + 1024;
/** Part of B, at most 256 by 256. */
export const packedB: usize = packedA + 64 * 256 * 4;

/** Bytes of it. */
export const scratchBytes: usize = 1024 + 64 * 256 * 4 + 256 * 256 * 4;
