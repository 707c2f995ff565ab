// Memory beside the heap: where kernels keep packed operands. Nothing here outlives one call. Threads share the heap, but
// each has an instance, and a scratch memory, of its own.

/** Where this instance's scratch memory begins. */
@external("env", "scratch")
declare const scratch: usize;

/** A register tile at an edge of C, from which only a part goes to C: 4 rows by 8 columns. */
export const edgeTile: usize = scratch + 64;
/** Random words of Philox: four of each of four counters. */
export const philoxWords: usize = scratch + 192;
/** Eight rows of twelve sums, means or scales; see regularized-step.ts. */
export const sums: usize = scratch + 256;
// Constants of functions.ts come from byte 640 of the memory on, where no instance's scratch memory has anything else: see
// scripts/wasm.mjs. All instances write and read the same ones.
/** Bytes from one row of a packed A to the next: not a power of two, so that rows do not evict each other from the cache. */
export const packedRow: usize = (256 + 4) * 4;
/** Part of A, at most 64 rows by 256. */
export const packedA: usize = scratch + 1024;
/** Part of B, at most 256 by 256. */
export const packedB: usize = packedA + 64 * packedRow;

/** Bytes of the scratch memory. */
export const scratchBytes: usize = 1024 + 64 * packedRow + 256 * 256 * 4;
