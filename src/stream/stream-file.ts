/**
 * A stream in a file: the places of a WebAssembly memory, and the calls of WebAssembly functions that compute its steps
 * there. It is JSON in the metadata of a safetensors file, under "stream". Addresses are bytes, and multiples of 4.
 */
import type { Shape } from "../tensor/shape.ts";

/** Changes with the meaning of the calls; a file has that of the version that wrote it. */
export const streamVersion = 1;

/** Buffers begin at multiples of it: a cache line. */
export const line = 64;

/** Of each memory, these bytes come first: what functions use during a call, and more than they need. */
export const scratchBytes = 2 ** 19;

/** Most bytes of a stream's memory. */
export const mostBytes = 2 ** 30;

/**
 * A call of a function by name. Two are JavaScript: "write", whose arguments are an address and the words to put there, and
 * "unary" (kernels/unary.ts), whose bounds that are infinite stand as the largest numbers.
 */
export type SavedCall = readonly [name: string, ...args: number[]];

/** These calls so many times; each time, the arguments grow by these steps. */
export type SavedGroup = readonly [times: number, calls: readonly SavedCall[], steps?: readonly (readonly number[])[]];

/** A recording of some steps of some rows. */
export interface SavedRun {
  readonly from: number;
  readonly to: number;
  /** Where it has the states, in the order of `states`. */
  readonly states: readonly number[];
  readonly calls: readonly SavedGroup[];
}

export interface SavedStream {
  readonly version: number;
  /** The function that makes the model of this file: "loadModel" unless it says another one. */
  readonly reader?: string;
  readonly batch: number;
  readonly inputSize: number;
  readonly outputSize: number;
  /** Number of ids, if the frames are ids. */
  readonly ids?: number;
  /** Bytes of the memory. */
  readonly bytes: number;
  /** Where each tensor of the file goes. */
  readonly parameters: readonly (readonly [path: string, address: number])[];
  /** Paths and shapes of the states, and what a row begins with, if not with zeros. */
  readonly states: readonly (readonly [path: string, shape: Shape, first?: readonly number[]])[];
  /** Orders and packs weights and writes constants, once. */
  readonly setup: readonly SavedGroup[];
  /** One step of all rows. */
  readonly one: SavedRun;
  /** Several steps of all rows, by their number; none if the model needs each step by itself. */
  readonly longer: Readonly<Record<string, SavedRun>>;
  /** One step of some rows, by their number. */
  readonly smaller: Readonly<Record<string, SavedRun>>;
}

/** What a count costs in lanes. */
const padded = (count: number): number => Math.ceil((count >>> 0) / 8) * 8;

/** Bytes of a message to `regularizedForward`. */
export const messageBytes = 256;

const times = (...counts: number[]): number => counts.reduce((product, count) => product * Math.max(1, count >>> 0), 1);

/**
 * The functions that calls may name, with a bound of the work that the arguments ask for: a unit takes about as long as
 * some multiplications, a nanosecond at most.
 */
export const workOf: Readonly<Record<string, (args: readonly number[]) => number>> = {
  activationForward: ([, , length]) => times(8, length),
  binary: ([, , , size0, size1, size2, size3]) => times(2, size0, size1, size2, size3),
  columnSum: ([, , rows, columns]) => times(rows, columns),
  embeddingGather: ([, , , rows, columns]) => times(rows, columns),
  matmul: ([, , , , M, N, K, batch]) => times(M, padded(N), padded(K), batch),
  packPanels: ([, , N, K]) => times(padded(N), K),
  normalizeForward: ([, , , , rows, columns]) => times(rows, padded(columns)),
  pick: ([, , , , outer, , inner, count]) => times(2, outer, inner, count),
  regularizedForward: ([, , end]) => times(8, end),
  scanForward: ([, , , , , , H, , , , , end]) => times(8, H, end),
  softmaxForward: ([, , rows, columns]) => times(8, rows, columns),
  // Gates take as long as many products.
  stepForward: ([, , , , , , , , , , H, , , , , end]) => times(4, H, padded(H) + 16, end),
  stridedCopy: ([, , size0, size1, size2]) => times(2, size0, size1, size2),
  twoPhaseForward: ([, , , , , , , , B, H]) => times(4, B, H, padded(H) + 16),
  unary: ([, , length]) => times(16, length),
  unfold: ([, , batch, channels, , groups, positions, taps]) => times(2, batch, Math.max(channels >>> 0, groups >>> 0), positions, taps),
  write: ({ length }) => length,
};

/** The functions of `workOf` that are not in WebAssembly. */
export const inJavaScript: readonly string[] = ["unary", "write"];

/** Most work of a run for each frame of a row and each number that the memory holds. */
export const mostWork = 1024;

/** Most work of all that runs before the stream is there, and of one step of each longer run: some seconds. */
export const mostStartWork = 2 ** 32;

/** Most work of a longer run that runs once before the stream is there: a millisecond or two, 128 steps of 128 units. */
export const mostTrialWork = 2 ** 24;
