/** Numbers for the cases of kernels, the same each time. */
import type { NumericArray } from "../../tensor/tensor.ts";

export interface KernelCase {
  readonly params: Readonly<Record<string, number>>;
  readonly arrays: Readonly<Record<string, NumericArray>>;
  /** A remark about the case, shown beside its params. */
  readonly note?: string;
}

let calls = 0;
/** Restarts the numbers for a kernel's first case. */
export function beginCases(): void {
  calls = 0;
}

/**
 * Delays `make`, which calls `floats` and `integers` `count` times, until its result is asked for. The numbers are those
 * that it would get now. So tests that run only some of the cases do not make the others.
 */
export function whenAsked<T>(count: number, make: () => T): () => T {
  const from = calls;
  calls += count;
  let made: T | undefined;
  return () => {
    if (made === undefined) {
      const now = calls;
      calls = from;
      made = make();
      calls = now;
    }
    return made;
  };
}

/**
 * Numbers in [0, 1), different at each call but the same for a kernel each time: a hash (mulberry32) of a counter. All
 * cases together hold 30 million, too many for the package's own generator.
 */
function uniforms(): () => number {
  let state = Math.imul(++calls, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 8) * 2 ** -24;
  };
}

export function floats(length: number, low = -1, high = 1): Float32Array {
  const [next, result] = [uniforms(), new Float32Array(length)];
  for (let i = 0; i < length; i++) result[i] = low + next() * (high - low);
  return result;
}

/** Integers from 0 to `most`. */
export function integers(length: number, most: number): Uint32Array {
  const [next, result] = [uniforms(), new Uint32Array(length)];
  for (let i = 0; i < length; i++) result[i] = Math.floor(next() * (most + 1));
  return result;
}

/** Extra elements behind the end, so that a write past the end differs from the twin. */
export const spare = 5;

/** Sizes around one workgroup of an element-wise kernel, and primes. */
export const lengths = [1, 63, 64, 65, 257];
/** Rows and columns around the sizes where eight threads, and where 64 threads, share a row. */
export const tables = [
  [1, 1],
  [9, 7],
  [8, 8],
  [5, 65],
  [3, 256],
  [2, 257],
  [3, 520],
] as const;
export const both = [0, 1] as const;

export const vectors = (names: readonly string[], length: number): Record<string, Float32Array> =>
  Object.fromEntries(names.map((name) => [name, floats(length + spare)]));
