/** Cells with two phases, each of which has a product of its own: their dispatches by strategy, and weight gradients. */
import { matmul } from "../autodiff/linear.ts";
import type { Recording, View } from "../recording/recording.ts";
import type { Cell } from "./cells/cell.ts";
import { loopTwoPhaseBackward, loopTwoPhaseForward } from "./kernels/loop-two-phase.ts";
import { stepsBack } from "./kernels/loop.ts";
import { stepForm } from "./kernels/step.ts";
import { twoPhaseBackward, twoPhaseForward } from "./kernels/two-phase.ts";
import type { Dispatches } from "./strategies/strategy.ts";

const loop: Dispatches = {
  forward({ tape: { recording }, cell, form }, { segment, ...buffers }, weights) {
    recording.dispatch(loopTwoPhaseForward(cell, segment.H, segment.B, form), { ...buffers, weights }, segment);
  },

  backward({ tape: { recording }, cell, form }, { segment, c: _, ...buffers }, { dRecurrent: __, ...cotangents }, tail) {
    const params = { ...segment, tail: tail ? 1 : 0 };
    recording.dispatch(loopTwoPhaseBackward(cell, segment.H, segment.B, form), { ...buffers, ...cotangents }, params);
  },
};

const step: Dispatches = {
  forward({ tape: { recording }, cell, form }, { segment, ...buffers }, weights) {
    const views = { ...buffers, weights };
    const own = stepForm(cell, form, segment);
    const [first, second] = [twoPhaseForward(cell, 0, own), twoPhaseForward(cell, 1, own)];
    for (let i = 0; i < segment.steps; i++) {
      recording.dispatch(first, views, { ...segment, i });
      recording.dispatch(second, views, { ...segment, i });
    }
  },

  backward({ tape: { recording }, cell, form }, { segment, c: _, ...buffers }, { dRecurrent: __, ...cotangents }, tail) {
    const views = { ...buffers, ...cotangents };
    const own = stepForm(cell, form, segment);
    const [first, second] = [twoPhaseBackward(cell, 0, own), twoPhaseBackward(cell, 1, own)];
    for (const one of stepsBack(segment.steps, tail)) {
      recording.dispatch(first, views, { ...segment, ...one });
      if (!one.tail) recording.dispatch(second, views, { ...segment, ...one });
    }
  },
};

/** By the name of each strategy that does not refuse these cells. */
export const dispatches: Readonly<Record<string, Dispatches>> = { loop, step };

/**
 * ∂L/∂U [H·G, H] (+)= a product for each phase, over the K rows of a lane's segment.
 * @param operands what the gates of each phase were multiplied with
 */
export function phaseProducts(
  recording: Recording,
  gatePhases: NonNullable<Cell["gatePhases"]>,
  operands: readonly { view: View; offset: number }[],
  recurrentSide: View,
  { H, K }: { H: number; K: number },
  output: View,
  accumulate: 0 | 1,
): void {
  const G = gatePhases.length;
  operands.forEach(({ view, offset }, phase) => {
    const first = gatePhases.indexOf(phase as 0 | 1);
    const gates = gatePhases.filter((p) => p === phase).length;
    // Rows of the output are [unit, gate]: the batch runs over the gates of a phase, M over the units.
    matmul(recording, recurrentSide, view, output, {
      M: H,
      N: H,
      K,
      batch: gates,
      aOffset: first,
      aBatch: 1,
      aRow: G,
      aColumn: H * G,
      bOffset: offset,
      cOffset: first * H,
      cBatch: H,
      cRow: G * H,
      accumulate,
    });
  });
}
