/** The time steps of one op, as its strategy computes them; sequence.ts records them. */
import { phasesOf } from "./cells/cell.ts";
import type { Tape, Variable } from "../autodiff/tape.ts";
import type { View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import type { RecurrentWeights } from "./input.ts";
import { PlainRecurrence } from "./plain.ts";
import { regularized, twoPhase } from "./parts.ts";
import type { Cotangents, SegmentBuffers, Site, Strategy } from "./strategies/strategy.ts";

/** A parameter in one of the rows behind U of the packed weights: each unit's numbers begin at gate `first`. */
export interface RowPart {
  readonly row: number;
  readonly values: Variable;
  readonly first: number;
}

/** Records the time steps; what sequence.ts records around them depends on it. */
export interface Recurrence {
  /** Rows of the packed weights in each pass, with those of U; each row has H times `weightWidth` numbers. */
  readonly weightRows: { readonly forward: number; readonly backward: number };
  /** The parameters in the rows behind U and b_hh. */
  rowParts(weights: RecurrentWeights, pass: "forward" | "backward"): RowPart[];
  /** Whether its kernels add b_ih and b_hh and make their gradients. */
  readonly ownsBiases: boolean;
  /** A lane's share of `carry`, with `width` numbers per unit. dh and dc of each unit come first, side by side. */
  readonly carry: { readonly shape: Shape; readonly width: number };
  /** Called when the initial states are in their slots. */
  begin?(h: View): void;
  /** Records the steps of a segment. @returns further numbers that the backward pass needs */
  forward(buffers: SegmentBuffers, weights: View, name: string, again: boolean): View | undefined;
  /**
   * Records BPTT of a segment (default: `plainBackward`). `tail` adds the product that takes its gradient into `carry`.
   * @returns per lane the gradient of U·(operand) [steps, B, H, G]
   */
  backward?(buffers: SegmentBuffers, saved: View | undefined, cotangents: Cotangents, tail: boolean): (lane: number) => View;
  /** The operand of U, in the slots of h (default: h). */
  readonly operand?: View | undefined;
  /** Called when all segments are done; records the gradients that were added up on the way. */
  finish?(tape: Tape, carry: View): void;
}

/** The recurrence of an op's layer by this strategy. */
export function recurrenceOf({ name, forward, fuses }: Strategy, site: Site): Recurrence {
  if (site.regularization) return new regularized.now.RegularizedRecurrence(site, site.regularization, fuses);
  return new PlainRecurrence(site, phasesOf(site.cell) === 2 ? twoPhase.now.dispatches[name].forward : forward);
}
