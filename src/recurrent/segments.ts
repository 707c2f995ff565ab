/** Divides a recurrent layer's sequence into segments, and decides whether their gates are kept for a backward pass. */
import { RnnError } from "../errors.ts";
import type { Tape } from "../autodiff/tape.ts";

/** If gates are computed again or kept in half precision, a segment has an eighth of the steps, but at least this many. */
const leastTogether = 8;
/** Without a backward pass, a segment has about as many gates as this: long sequences take no more memory for gates. */
const mostPassing = 2 ** 22;

/** Whether gates stay where they are until the backward pass. */
export const keepsGates = ({ differentiates, options: { recompute, halves } }: Tape): boolean => !(differentiates && (recompute || halves));

/**
 * Divides a sequence into segments. There is only one if its gates are kept and fit a buffer, or if they are few.
 * @throws RnnError `limit` if not even one step fits
 */
export function segmentsOf(label: string, T: number, gatesPerStep: number, tape: Tape): { first: number; steps: number }[] {
  const { mostElements } = tape.recording.target;
  const fitting = Math.floor(mostElements / gatesPerStep);
  if (fitting < 1)
    throw new RnnError(
      "limit",
      label,
      `the gates of one step are ${gatesPerStep} numbers, more than the ${mostElements} that fit a buffer of this device; use a smaller batch`,
    );
  const wanted = !tape.differentiates ? mostPassing / gatesPerStep : keepsGates(tape) ? T : T / 8;
  const most = Math.min(fitting, Math.max(leastTogether, Math.ceil(wanted)));
  // All segments have nearly the same size.
  const steps = Math.ceil(T / Math.ceil(T / most));
  return Array.from({ length: Math.ceil(T / steps) }, (_, s) => ({ first: s * steps, steps: Math.min(steps, T - s * steps) }));
}
