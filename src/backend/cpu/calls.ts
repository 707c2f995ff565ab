/** Calls of WebAssembly kernels as data, so that other threads can make them. */
import type { Part } from "../../part.ts";
import type { Recording } from "../../recording/recording.ts";
import type { NumericArray } from "../../tensor/tensor.ts";
import type { WasmExports } from "./wasm-code.ts";
import type { WasmPart } from "./wasm-kernels.ts";

/** Byte address of each binding. */
export type Addresses = Readonly<Record<string, number>>;
export type Params = Readonly<Record<string, number>>;
/** A prepared kernel: pieces that run in this order. The event loop may run between two pieces. */
export type Pieces = readonly (() => void)[];
/**
 * Gives the address of a copy of a binding in another order; the pieces of `fill` make the copy. If the binding changes
 * between runs only, they run before the kernels of a run, whenever it may have changed. Otherwise they run right before
 * the kernel, provided that `often` says that the kernel reads the copy often enough; else there is no copy, and the
 * result is undefined.
 * @param order names the order: kernels that want a binding in the same order share a copy
 * @param length numbers of the copy
 */
export type Keep = (binding: string, order: string, length: number, fill: (to: number) => Pieces, often?: boolean) => number | undefined;

/**
 * Makes the pieces, once for each program; they run in each run and allocate nothing. `arrays` makes typed arrays at
 * the addresses. Call it only after everything that may let the memory grow.
 */
export interface FastKernel {
  (at: Addresses, params: Params, arrays: () => Readonly<Record<string, NumericArray>>, keep: Keep): Pieces;
  /** The parts of the WebAssembly code that it calls besides `running`. */
  readonly parts?: readonly WasmPart[];
  /** The code that makes its calls, if it is loaded when it is needed. */
  readonly code?: Part<unknown>;
}

/** A kernel that calls further parts of the WebAssembly code. */
export const needing = (parts: readonly WasmPart[], kernel: FastKernel, code?: Part<unknown>): FastKernel =>
  Object.assign(kernel, { parts, code });

/** Addresses of some bindings, then some params, in the order of the export's arguments. */
export function direct(exports: WasmExports, name: string, bindings: readonly string[], params: readonly string[]): FastKernel {
  return (at, p) => {
    const call = exports[name];
    const args = [...bindings.map((name) => at[name]), ...params.map((name) => p[name])];
    return [() => call(...args)];
  };
}

/** Multiplications below which a request to another thread takes longer than the work. */
export const worthSharing = 2 ** 18;

/** A call of an export. */
export interface Call {
  readonly name: string;
  readonly args: readonly number[];
}

/** The calls for the rows from `first` up to `end`. */
export type CallsOf = (first: number, end: number) => readonly Call[];

/** Computes the rows of a kernel: on the caller's thread alone, or on several threads (`threads.ts`). */
export interface Workforce {
  /** Number of threads, including the caller's. */
  readonly count: number;
  /**
   * Pieces that make the calls for each part of `rows`. No part has fewer than `least` rows, so there may be only one.
   * @param together number of calls of a part in one piece
   */
  parallel(rows: number, least: number, callsOf: CallsOf, together: number): Pieces;
  /** Ends threads other than the caller's. */
  end(): void;
}

/** Who computes on a backend. */
export interface Staff {
  /** Computes what is prepared from now on. A program keeps its own: its pieces must stay the same while it runs. */
  readonly now: Workforce;
  /** Must be called before a recording is prepared. */
  suit?(recording: Recording): Promise<void>;
  /** Ends threads other than the caller's. */
  end(): void;
}

/** A staff whose workforce never changes. */
export const always = (now: Workforce): Staff => ({ now, end: () => now.end() });

/** Returns a function that makes the calls from `first` up to `end` (default: all) in order. */
export function inTurn(exports: WasmExports, calls: readonly Call[]): (first?: number, end?: number) => void {
  const bound = calls.map(({ name, args }) => ({ call: exports[name], args }));
  return (first = 0, end = bound.length) => {
    for (let i = first; i < end; i++) bound[i].call(...bound[i].args);
  };
}

/** Groups calls into pieces of `together` calls. */
export function piecesOf(exports: WasmExports, calls: readonly Call[], together: number): Pieces {
  const call = inTurn(exports, calls);
  return Array.from(
    { length: Math.ceil(calls.length / together) },
    (_, i) => () => call(i * together, Math.min((i + 1) * together, calls.length)),
  );
}

/** The caller's thread alone. */
export const alone = (exports: WasmExports): Workforce => ({
  count: 1,
  parallel: (rows, _, callsOf, together) => piecesOf(exports, callsOf(0, rows), together),
  end: () => undefined,
});

/**
 * How many calls of this many multiplications make a piece. A piece takes far longer than a look at the clock, and well
 * below a millisecond.
 */
export const callsTogether = (multiplications: number): number => Math.max(1, Math.floor(2 ** 21 / multiplications));
/**
 * Rows, a multiple of 16, and columns of a product [·, N] that make a piece. Each piece packs its parts of both operands
 * again, which takes the least time if it is as wide as it is high. For the same reason it is larger than a piece of
 * `callsTogether`.
 */
export function blockOf(N: number, K: number): [rows: number, columns: number] {
  const size = 2 ** 24 / K;
  const columns = Math.min(N, Math.ceil(Math.sqrt(size) / 32) * 32);
  return [Math.max(1, Math.floor(size / columns / 16)) * 16, columns];
}
