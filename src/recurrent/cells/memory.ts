/** A unit's memory: its states besides h. */
import type { Cell } from "./cell.ts";

/** A number; or numbers by name, if the cell has several states besides h. */
export type Memory = number | Readonly<Record<string, number>>;

/** Numbers of a unit in the buffer c, which has a plane of [B, H] for each. */
export const memoryNumbers = ({ states }: Pick<Cell, "states">): number => Math.max(1, states.length);

/** Numbers of a unit in the carry: ∂L/∂h, then those of its memory. */
export const carryNumbers = (cell: Pick<Cell, "states">): number => 1 + memoryNumbers(cell);

/** Rows of running statistics in a layer with batch normalisation, each of H numbers. */
export const runningRows = ({ gateNames, hasReadOut }: Pick<Cell, "gateNames" | "hasReadOut">): number =>
  4 * gateNames.length + (hasReadOut ? 2 : 0);
