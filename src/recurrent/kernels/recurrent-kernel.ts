/** The parts that recurrent kernels of all strategies have, and the rows of packed weights. */
import type { Cell } from "../cells/cell.ts";
import { functionConstants } from "../cells/gate-functions.ts";
import { halfWords, type Binding } from "../../kernels/kernel.ts";
import type { RegularizedForm } from "./regularized-layout.ts";

/** The variants of a recurrent kernel, besides strategy and cell. */
export interface KernelForm {
  /** The lanes are layers. */
  readonly stacked?: boolean;
  /** The weights are halves, two to a word; each unit's gates fill whole words. See `half-storage.ts`. */
  readonly half?: boolean;
  /** The number of groups of units that read only their own group's states (default 1): U has blocks on the diagonal. */
  readonly heads?: number;
  /**
   * Several threads share each sum over k; the number is how many threads a workgroup may have. Only for GPUs and without
   * heads.
   */
  readonly shared?: number;
  /** Rows may also lack steps before their end; see `hasStep`. */
  readonly gaps?: boolean;
  /** Rows of the batch in a workgroup of a step whose threads share sums (default 4). */
  readonly rows?: 4 | 8;
}

export type Phase = 0 | 1;

/** The parts of a recurrent kernel, which select its twin, its WebAssembly and its test cases. */
export interface RecurrentParts {
  readonly cell: Cell;
  /** "step" computes a single step, the others compute all of them; "regularized" says which by its params. */
  readonly strategy: string;
  readonly pass: "forward" | "backward";
  readonly form: KernelForm;
  /** The half of a step that the kernel computes, if it does not compute both. */
  readonly phase?: Phase;
  /** Only in a regularized kernel. */
  readonly regularized?: RegularizedForm;
}

/** The end of a kernel's name. */
export const formName = ({ stacked, heads = 1, half, gaps, rows }: KernelForm): string =>
  `${stacked ? ":stacked" : ""}${heads > 1 ? `:heads${heads}` : ""}${half ? ":half" : ""}${gaps ? ":gaps" : ""}${rows === 8 ? ":rows8" : ""}`;

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

/**
 * The numbers that each unit has in a row of packed weights. Where threads share sums, three gates take the room of four,
 * so that one load fetches them.
 */
export const weightWidth = (G: number, { shared }: KernelForm): number => (shared && G === 3 ? 4 : G);

/** The words of 32 bits that they fill. */
export const weightWords = (G: number, form: KernelForm): number => (form.half ? halfWords(weightWidth(G, form)) : weightWidth(G, form));

/** The file that reads weights of this form. */
export const weightsSource = (cell: Cell, form: KernelForm): string => {
  if (form.half) return "lib/weights-half";
  return weightWidth(cell.gateNames.length, form) > cell.gateNames.length ? "lib/weights-padded" : "lib/weights-float";
};

/** The path by which `Kernel.sources` names the cell's structs, which are made from its data (`cell-structs.ts`). */
export const structsPath = "cell-structs";

/** Rows of weights for the units' own parameters. */
export const perUnitRows = ({ perUnit }: Pick<Cell, "perUnit">): 0 | 1 => (perUnit ? 1 : 0);

export type Read = Pick<Cell, "perUnit" | "recurrence">;

/** The number of units whose states a unit reads, those of its head. */
export const fanIn = ({ recurrence }: Read, H: number, { heads = 1 }: KernelForm): number => (recurrence === "none" ? 0 : H / heads);

/** Rows of a packed matrix, each with H times `weightWidth` numbers. A stack packs W in the same way, which has H rows. */
export const matrixRows = (cell: Read, H: number, form: KernelForm): number => (form.stacked ? H : fanIn(cell, H, form));
