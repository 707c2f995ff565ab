/** Calls of WebAssembly kernels as data, so that another thread can make them. */
import type { NumericArray } from "../../tensor/tensor.ts";
import type { WasmExports } from "./wasm-kernels.ts";

/** Byte address of each binding. */
export type Addresses = Readonly<Record<string, number>>;
export type Params = Readonly<Record<string, number>>;
/**
 * Made once when a program is prepared; the returned function is called each run and allocates nothing. The arrays are
 * those at the addresses, to be made after whatever may let the memory grow.
 */
export type FastKernel = (at: Addresses, params: Params, arrays: () => Readonly<Record<string, NumericArray>>) => () => void;

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
  /** A function that makes the calls of each part of `rows`; no part has fewer than `least`, so perhaps there is only one. */
  parallel(rows: number, least: number, callsOf: CallsOf): () => void;
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

export const alone = (exports: WasmExports): Workforce => ({
  parallel: (rows, _, callsOf) => {
    const call = inTurn(exports, callsOf(0, rows));
    return () => call();
  },
  end: () => undefined,
});
