/** Steps of backward passes in WebAssembly, and those of cells with two phases in both passes. Loaded with the first of them. */
import { phasesOf } from "../../recurrent/cells/cell.ts";
import type { RecurrentParts } from "../../recurrent/kernels/recurrent-kernel.ts";
import { laneOf, slotsOf, type CallOfStep } from "./fast-recurrent.ts";
import type { KnownCell } from "./known-cells.ts";
import type { Means } from "./work-space.ts";

export function furtherCall(parts: RecurrentParts, { number, variant }: KnownCell, { work }: Means): CallOfStep {
  const [isBackward, isTwoPhase] = [parts.pass === "backward", phasesOf(parts.cell) === 2];
  return (at, p, panels, step, phase, first, end) => {
    const { B, H } = p;
    const { gates, forwardWeights, backwardWeights, h, c, dy, carry, dRecurrent, lengths } = laneOf(at, p, step.lane, parts);
    const { t, previousSlot, currentSlot, nextT, hasNext } = slotsOf(p, step);
    const { tail } = step;
    const { address } = work;
    if (!isBackward)
      return {
        name: "twoPhaseForward",
        args: [phase, variant, gates, forwardWeights, h, c, lengths, address, B, H, t, previousSlot, currentSlot],
      };
    if (isTwoPhase)
      return {
        name: "twoPhaseBackward",
        args: [phase, variant, gates, backwardWeights, h, dy, carry, lengths, address, B, H, t, previousSlot, nextT, hasNext, tail],
      };
    const buffers = [gates, backwardWeights, panels, h, c, dy, carry, dRecurrent, lengths, address];
    return {
      name: "stepBackward",
      args: [number, variant, ...buffers, B, H, t, previousSlot, currentSlot, nextT, hasNext, tail, first, end],
    };
  };
}
