/** The cells whose whole arithmetic is in `wasm/`. */
import type { Cell } from "../../recurrent/cells/cell.ts";
import { functionsName } from "../../recurrent/cells/gate-functions.ts";

/**
 * For each cell of `wasm/cells.ts`, in the order of its numbers there, and then that of `wasm/two-phase.ts`: its shader;
 * the constants that are known there, in the order of the bits of `variant`; and the functions of gates that are known
 * there besides the usual ones.
 */
const known: readonly (readonly [shader: string, bits: readonly string[], functions?: string])[] = [
  ["lstm", ["forgets", "coupled", "squashes", "hasPeepholes"], "identity"],
  ["gru", ["hasReset", "updateSign"]],
  ["rnn", ["relu"], "candidate-relu"],
  ["gru-reset-before", ["updateSign"]],
];

/** A cell as WebAssembly knows it: its number, and a bit for each constant that is greater than 0. */
export interface KnownCell {
  readonly number: number;
  readonly variant: number;
}

/** Undefined if WebAssembly does not know it. */
export function knownCell({ shader, constants, functions }: Cell): KnownCell | undefined {
  const number = known.findIndex(([name]) => name === shader);
  if (number < 0) return undefined;
  const [, bits, others] = known[number];
  const chosen = functions ? functionsName(functions).join() : "";
  if (chosen !== "" && chosen !== others) return undefined;
  const values: Readonly<Record<string, number>> = { ...constants, squashes: chosen === "" ? 1 : 0, relu: chosen === "" ? 0 : 1 };
  if (Object.keys(constants ?? {}).some((name) => !bits.includes(name))) return undefined;
  return { number, variant: bits.reduce((all, name, i) => all | (values[name] > 0 ? 1 << i : 0), 0) };
}
