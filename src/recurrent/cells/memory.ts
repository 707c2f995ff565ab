/** What a unit keeps from step to step besides h, as twins read and write it. */
import type { NumericArray } from "../../tensor/tensor.ts";
import type { Cell } from "./cell.ts";

/** A number; of a cell with several states besides h, numbers by their names. */
export type Memory = number | Readonly<Record<string, number>>;

/** Numbers of a unit in the buffer c, which has a plane of [B, H] for each. */
export const memoryNumbers = ({ states }: Pick<Cell, "states">): number => Math.max(1, states.length);

/** Numbers of a unit in the carry: ∂L/∂h, then those of its memory. */
export const carryNumbers = (cell: Pick<Cell, "states">): number => 1 + memoryNumbers(cell);

/** Rows of running statistics in a layer with batch normalisation, each of H numbers. */
export const runningRows = ({ gateNames, hasReadOut }: Pick<Cell, "gateNames" | "hasReadOut">): number =>
  4 * gateNames.length + (hasReadOut ? 2 : 0);

/** The memory whose first number is number `at`, the others `apart` behind each other. */
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
