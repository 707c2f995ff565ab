/** What the kernels of recurrent layers have in common, whatever the strategy: their parts, and where packed weights lie. */
import type { Cell } from "../cells/cell.ts";
import { functionConstants } from "../cells/gate-functions.ts";
import type { Binding } from "../../kernels/kernel.ts";
import { laneStart } from "./lanes.ts";
import type { RegularizedForm } from "./regularized-layout.ts";

/** What a recurrent kernel may differ in, besides strategy and cell. */
export interface KernelForm {
  /** The lanes are layers. */
  readonly stacked?: boolean;
  /** The weights are pairs of halves, a unit's gates in whole words; see `half-storage.ts`. */
  readonly half?: boolean;
  /** Groups of units that read the states of their own group only (default 1): blocks on the diagonal of U. */
  readonly heads?: number;
  /** Weights are read eight at a time, so that a thread waits for memory less often: for GPUs, and without heads. */
  readonly eights?: boolean;
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
export const formName = ({ stacked, heads = 1, half, gaps, eights }: KernelForm): string =>
  `${stacked ? ":stacked" : ""}${heads > 1 ? `:heads${heads}` : ""}${half ? ":half" : ""}${gaps ? ":gaps" : ""}${eights ? ":eights" : ""}`;

/** Pipeline constants of a cell in this form. */
export const constantsOf = ({ constants, functions }: Cell, { stacked, heads = 1, gaps }: KernelForm): Record<string, number> => ({
  ...constants,
  ...functionConstants(functions),
  ...(stacked ? { stacked: 1 } : {}),
  ...(heads > 1 ? { heads } : {}),
  ...(gaps ? { hasGaps: 1 } : {}),
});

/** The bindings with weights of this form. */
export const withWeights = <B extends { readonly weights: Binding }>(bindings: B, { half }: KernelForm): B =>
  half ? { ...bindings, weights: { ...bindings.weights, type: "u32" } } : bindings;

/** The file that reads weights of this form. */
export const weightsSource = ({ half }: KernelForm): string => (half ? "lib/weights-half" : "lib/weights-float");

/** The path by which `Kernel.sources` names the cell's structs, which are made from its data (`cell-structs.ts`). */
export const structsPath = "cell-structs";

/** Rows of weights that the cell has by unit. */
export const perUnitRows = ({ perUnit }: Pick<Cell, "perUnit">): 0 | 1 => (perUnit ? 1 : 0);

type Read = Pick<Cell, "perUnit" | "recurrence">;

/** How many units' states a unit's recurrent sums read: those of its head, of which `firstRead` is the first. */
export const fanIn = ({ recurrence }: Read, H: number, { heads = 1 }: KernelForm): number => (recurrence === "none" ? 0 : H / heads);
export const firstRead = (unit: number, read: number): number => (read === 0 ? 0 : unit - (unit % read));

/** Rows of a packed matrix, each of H·G numbers; stacked, those of W are among them. */
export const matrixRows = (cell: Read, H: number, form: KernelForm): number => (form.stacked ? H : fanIn(cell, H, form));

/** Where a matrix of packed weights begins, in units of G. */
export const forwardMatrix = (cell: Read, n: number, H: number, form: KernelForm): number =>
  laneStart(n, (matrixRows(cell, H, form) + 1 + perUnitRows(cell)) * H);
export const backwardMatrix = (cell: Read, n: number, H: number, form: KernelForm): number =>
  laneStart(n, (matrixRows(cell, H, form) + perUnitRows(cell)) * H);
