/** Matrices in panels of eight columns, [K][8] each, which products read from end to end; see `packPanels` in `wasm/matmul.ts`. */
import type { Keep } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";

/** Matrices [K, N] from an address in a binding on; strides in elements. */
export interface Matrix {
  readonly binding: string;
  /** How many, and from one to the next. */
  readonly count?: number;
  readonly apart?: number;
  /** Of the binding, and of the first matrix in it, in elements. */
  readonly address: number;
  readonly offset: number;
  readonly N: number;
  readonly K: number;
  readonly row: number;
  readonly column: number;
}

/** Strides of a matrix in panels, as products take them. */
export const panelStrides = { bRow: 8, bColumn: 0 };

/** Elements of a matrix in panels. */
export const panelsLength = (N: number, K: number): number => Math.ceil(N / 8) * 8 * K;

/** Address of copies in panels, one behind the other, if the matrices change between runs only. */
export function keptPanels(keep: Keep, exports: WasmExports, matrix: Matrix): number | undefined {
  const { binding, address, count = 1, apart = 0, offset, N, K, row, column } = matrix;
  const length = panelsLength(N, K);
  return keep(binding, `panels ${[offset, N, K, row, column, count, apart].join(" ")}`, count * length, (to) =>
    Array.from(
      { length: count },
      (_, i) => () => exports.packPanels(address + 4 * (offset + i * apart), to + 4 * i * length, N, K, row, column),
    ),
  );
}
