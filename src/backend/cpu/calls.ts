/** Calls of WebAssembly kernels as data, so that another thread can make them. */
import type { NumericArray } from "../../tensor/tensor.ts";
import type { WasmExports, WasmPart } from "./wasm-kernels.ts";

/** Byte address of each binding. */
export type Addresses = Readonly<Record<string, number>>;
export type Params = Readonly<Record<string, number>>;
/** A kernel made ready: pieces that are run in this order, between which the event loop may have its turn. */
export type Pieces = readonly (() => void)[];
/**
 * Made once when a program is prepared; the pieces are called each run and allocate nothing. The arrays are those at the
 * addresses, to be made after whatever may let the memory grow.
 */
export interface FastKernel {
  (at: Addresses, params: Params, arrays: () => Readonly<Record<string, NumericArray>>): Pieces;
  /** Of WebAssembly, what it calls besides the part for running. */
  readonly parts?: readonly WasmPart[];
}

/** A kernel that calls other parts of WebAssembly than the one for running. */
export const needing = (parts: readonly WasmPart[], kernel: FastKernel): FastKernel => Object.assign(kernel, { parts });

/** Multiplications below which asking another thread takes longer than the work. */
export const worthSharing = 2 ** 18;

/** A call of an export. */
export interface Call {
  readonly name: string;
  readonly args: readonly number[];
}

/** The calls for the rows from `first` up to `end`. */
export type CallsOf = (first: number, end: number) => readonly Call[];

/** Who does the rows of a kernel: the caller alone, or several threads (`threads.ts`). */
export interface Workforce {
  /**
   * Pieces that make the calls of each part of `rows`; no part has fewer than `least`, so perhaps there is only one.
   * @param together calls of a part in one piece
   */
  parallel(rows: number, least: number, callsOf: CallsOf, together: number): Pieces;
  /** Ends threads other than the caller's. */
  end(): void;
}

/** A function that makes the calls from `first` up to `end`, by default all, one after the other. */
export function inTurn(exports: WasmExports, calls: readonly Call[]): (first?: number, end?: number) => void {
  const bound = calls.map(({ name, args }) => ({ call: exports[name], args }));
  return (first = 0, end = bound.length) => {
    for (let i = first; i < end; i++) bound[i].call(...bound[i].args);
  };
}

/** Calls in pieces of so many. */
export function piecesOf(exports: WasmExports, calls: readonly Call[], together: number): Pieces {
  const call = inTurn(exports, calls);
  return Array.from(
    { length: Math.ceil(calls.length / together) },
    (_, i) => () => call(i * together, Math.min((i + 1) * together, calls.length)),
  );
}

export const alone = (exports: WasmExports): Workforce => ({
  parallel: (rows, _, callsOf, together) => piecesOf(exports, callsOf(0, rows), together),
  end: () => undefined,
});

/** How many calls of so many multiplications each make a piece: it takes far longer than looking at the clock, and well below a millisecond. */
export const callsTogether = (multiplications: number): number => Math.max(1, Math.floor(2 ** 21 / multiplications));
/** How many rows of a product do, in whole groups of 16. Each call lays out the other operand anew, so these are more. */
export const rowsTogether = (multiplications: number): number => Math.max(1, Math.floor(2 ** 24 / multiplications / 16)) * 16;
