/** Matrices in panels of eight columns, [K][8] each, which products read from end to end; see `packPanels` in `wasm/matmul.ts`. */
import type { Keep } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";

/** Matrices [K, N] from an address in a binding on. */
export interface Matrix {
  readonly binding: string;
  /** The number of matrices (default 1), and the elements from one to the next. */
  readonly count?: number;
  readonly apart?: number;
  /** The byte address of the binding, and the elements from there to the first matrix. */
  readonly address: number;
  readonly offset: number;
  readonly N: number;
  readonly K: number;
}

/** The export that packs one, and its arguments behind the two addresses. */
export type Packing = readonly ["packPanels" | "packGatePanels", ...sizes: number[]];

/** Strides of a matrix in panels, as products take them. */
export const panelStrides = { bRow: 8, bColumn: 0 };

/** Elements of a matrix in panels. */
export const panelsLength = (N: number, K: number): number => Math.ceil(N / 8) * 8 * K;

/** Address of copies in panels, one behind the other, if the matrices change between runs only or are read `often` in one. */
export function keptPanels(
  keep: Keep,
  exports: WasmExports,
  { binding, address, count = 1, apart = 0, offset, N, K }: Matrix,
  [pack, ...sizes]: Packing,
  often?: boolean,
): number | undefined {
  const length = panelsLength(N, K);
  const fill = (to: number) =>
    Array.from({ length: count }, (_, i) => () => exports[pack](address + 4 * (offset + i * apart), to + 4 * i * length, ...sizes));
  return keep(binding, [pack, offset, count, apart, ...sizes].join(" "), count * length, fill, often);
}
