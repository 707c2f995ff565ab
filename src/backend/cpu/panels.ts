/** Matrices in panels of eight columns, [K][8] each, which products read from end to end; see `packPanels` in `wasm/matmul.ts`. */
import type { Keep } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";

/** A matrix [K, N] at an address in a binding; strides in elements. */
export interface Matrix {
  readonly binding: string;
  /** Of the binding, and of the matrix in it, in elements. */
  readonly address: number;
  readonly offset: number;
  readonly N: number;
  readonly K: number;
  readonly row: number;
  readonly column: number;
}

/** Strides of a matrix in panels, as products take them. */
export const panelStrides = { bRow: 8, bColumn: 0 };

/** Address of a copy in panels, if the matrix changes between runs only. */
export function keptPanels(keep: Keep, exports: WasmExports, { binding, address, offset, N, K, row, column }: Matrix): number | undefined {
  return keep(binding, `panels ${[offset, N, K, row, column].join(" ")}`, Math.ceil(N / 8) * 8 * K, (to) => [
    () => exports.packPanels(address + 4 * offset, to, N, K, row, column),
  ]);
}
