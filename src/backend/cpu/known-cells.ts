/** Which cells `wasm/` has from beginning to end. */
import type { Cell } from "../../recurrent/cells/cell.ts";

/**
 * Shaders whose cells are in `wasm/cells.ts`, in the order of the numbers there, or in `wasm/two-phase.ts`; and those of
 * their constants that are known there, in the order of the bits of `variant`.
 */
const known: readonly (readonly [shader: string, constants: readonly string[]])[] = [
  ["lstm", ["forgets", "coupled", "squashes", "hasPeepholes"]],
  ["gru", ["hasReset", "updateSign"]],
  ["rnn", ["relu"]],
  ["gru-reset-before", ["updateSign"]],
];

/** A cell as WebAssembly knows it: its number, and a bit for each constant that is greater than 0. */
export interface KnownCell {
  readonly number: number;
  readonly variant: number;
}

/** Undefined if WebAssembly does not know it. */
export function knownCell(cell: Cell): KnownCell | undefined {
  const { constants = {} } = cell;
  const number = known.findIndex(([shader]) => shader === cell.shader);
  const names = known[number]?.[1];
  if (!names || Object.keys(constants).some((name) => !names.includes(name))) return undefined;
  return { number, variant: names.reduce((bits, name, i) => bits | (constants[name] > 0 ? 1 << i : 0), 0) };
}
