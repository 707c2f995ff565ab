/** Reads and writes a unit's memory, its states besides h. */
import type { NumericArray } from "../../tensor/tensor.ts";
import type { Cell } from "./cell.ts";
import type { Memory } from "./memory.ts";

/** Reads a unit's memory. Its first number is at index `at`, each further one `apart` indices later. */
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
