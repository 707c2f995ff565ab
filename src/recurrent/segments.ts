/** In which parts the op of a recurrent layer computes a sequence, and whether it keeps their gates. */
import { RnnError } from "../errors.ts";
import type { Tape } from "../autodiff/tape.ts";

/** Where gates are computed again or kept in half precision, those of an eighth of the steps exist at a time, or of this many. */
const leastTogether = 8;

/** Whether gates stay where they are until the backward pass. */
export const keepsGates = ({ recompute, halves, differentiates }: Tape["options"]): boolean =>
  !differentiates || !(recompute === true || halves === true);

/**
 * The parts in which a sequence is computed: one if its gates fit a buffer and are to be kept.
 * @throws RnnError `limit` if not even one step fits
 */
export function segmentsOf(
  label: string,
  T: number,
  gatesPerStep: number,
  { options, recording }: Tape,
): { first: number; steps: number }[] {
  const { mostElements } = recording.target;
  const fitting = Math.floor(mostElements / gatesPerStep);
  if (fitting < 1)
    throw new RnnError(
      "limit",
      label,
      `the gates of one step are ${gatesPerStep} numbers, more than the ${mostElements} that fit a buffer of this device; use a smaller batch`,
    );
  const most = Math.min(fitting, keepsGates(options) ? T : Math.max(leastTogether, Math.ceil(T / 8)));
  // Of nearly equal size.
  const steps = Math.ceil(T / Math.ceil(T / most));
  return Array.from({ length: Math.ceil(T / steps) }, (_, s) => ({ first: s * steps, steps: Math.min(steps, T - s * steps) }));
}
