/** The dispatches of cells with two phases, by strategy: each phase has a product of its own. */
import { loopTwoPhaseBackward, loopTwoPhaseForward } from "./kernels/loop-two-phase.ts";
import { stepsBack } from "./kernels/loop.ts";
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
    for (let i = 0; i < segment.steps; i++) {
      recording.dispatch(twoPhaseForward(cell, 0, form), views, { ...segment, i });
      recording.dispatch(twoPhaseForward(cell, 1, form), views, { ...segment, i });
    }
  },

  backward({ tape: { recording }, cell, form }, { segment, c: _, ...buffers }, { dRecurrent: __, ...cotangents }, tail) {
    const views = { ...buffers, ...cotangents };
    for (const one of stepsBack(segment.steps, tail)) {
      recording.dispatch(twoPhaseBackward(cell, 0, form), views, { ...segment, ...one });
      if (!one.tail) recording.dispatch(twoPhaseBackward(cell, 1, form), views, { ...segment, ...one });
    }
  },
};

/** Of the strategies that do not refuse these cells. */
export const dispatches: Readonly<Record<string, Dispatches>> = { loop, step };
