/** What the kernels of recurrent layers have in common, whatever the strategy: their parts, and where packed weights lie. */
import type { Cell } from "../cells/cell.ts";
import { cellStructs, structsPath } from "./cell-structs.ts";
import type { Binding } from "../../kernels/kernel.ts";
import { laneStart } from "./lanes.ts";
import type { RegularizedForm } from "./regularized-layout.ts";

/** What a recurrent kernel may differ in, besides strategy and cell. */
export interface KernelForm {
  /** The lanes are layers. */
  readonly stacked?: boolean;
  /** The weights are pairs of halves, a unit's gates in whole words; see `half-storage.ts`. */
  readonly half?: boolean;
  /** Rows may lack any steps, not only those behind their end; see `hasStep`. */
  readonly gaps?: boolean;
}

export type Phase = 0 | 1;

/** What a recurrent kernel was made of: for its twin, for WebAssembly, and for the cases that it is tried on. */
export interface RecurrentParts {
  readonly cell: Cell;
  readonly strategy: "step" | "loop" | "scan" | "regularized";
  readonly pass: "forward" | "backward";
  readonly form: KernelForm;
  /** Which half of a step a kernel computes, if it does not do both. */
  readonly phase?: Phase;
  /** Of a regularized kernel only. */
  readonly regularized?: RegularizedForm;
}

/** The ends of kernel names. */
export const formName = ({ stacked, half, gaps }: KernelForm): string =>
  `${stacked ? ":stacked" : ""}${half ? ":half" : ""}${gaps ? ":gaps" : ""}`;

/** Pipeline constants of a cell in this form. */
export const constantsOf = ({ constants }: Cell, { stacked, gaps }: KernelForm): Record<string, number> => ({
  ...constants,
  ...(stacked ? { stacked: 1 } : {}),
  ...(gaps ? { hasGaps: 1 } : {}),
});

/** The bindings with weights of this form. */
export const withWeights = <B extends { readonly weights: Binding }>(bindings: B, { half }: KernelForm): B =>
  half ? { ...bindings, weights: { ...bindings.weights, type: "u32" } } : bindings;

/** The file that reads weights of this form. */
export const weightsSource = ({ half }: KernelForm): string => (half ? "lib/weights-half" : "lib/weights-float");

/** The cell's WGSL that is in no file of the package; see `Kernel`. */
export const cellTexts = (cell: Cell, pass: RecurrentParts["pass"]): Record<string, string> => ({
  [structsPath]: cellStructs(cell, pass),
  ...(cell.own?.wgsl !== undefined && { [`cells/${cell.shader}`]: cell.own.wgsl }),
});

/** Rows of weights that the cell has by unit. */
export const perUnitRows = ({ perUnit }: Pick<Cell, "perUnit">): 0 | 1 => (perUnit ? 1 : 0);

/** Where a matrix of packed weights begins, in units of G. */
export const forwardMatrix = (cell: Pick<Cell, "perUnit">, n: number, H: number): number => laneStart(n, (H + 1 + perUnitRows(cell)) * H);
export const backwardMatrix = (cell: Pick<Cell, "perUnit">, n: number, H: number): number => laneStart(n, (H + perUnitRows(cell)) * H);
