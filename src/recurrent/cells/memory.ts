/** Reads and writes a unit's memory, its states besides h, for the twins. */
import type { NumericArray } from "../../tensor/tensor.ts";
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

/** Reads the memory whose first number is number `at`; the others follow `apart` behind each other. */
export function readMemory({ states, usesC }: Pick<Cell, "states" | "usesC">, numbers: NumericArray, at: number, apart: number): Memory {
  if (states.length > 1) return Object.fromEntries(states.map((name, s) => [name, numbers[at + s * apart]]));
  return usesC ? numbers[at] : 0;
}

export function writeMemory(
  { states, usesC }: Pick<Cell, "states" | "usesC">,
  numbers: NumericArray,
  at: number,
  apart: number,
  memory: Memory,
): void {
  if (typeof memory === "object") states.forEach((name, s) => (numbers[at + s * apart] = memory[name]));
  else if (usesC) numbers[at] = memory;
}
