/** One dispatch for all time steps: a workgroup computes some rows of the batch, with barriers between the steps. */
import { phasesOf } from "../cells/cell.ts";
import { loopBackward, loopForward, loopTwoPhaseBackward, loopTwoPhaseForward, mostLoopUnits } from "../kernels/loop.ts";
import { predictedMilliseconds } from "./cost.ts";
import { PlainRecurrence, type PlainDispatches } from "./plain.ts";
import { regularized } from "./regularized.ts";
import type { Strategy } from "./strategy.ts";

const dispatches: PlainDispatches = {
  forward({ tape: { recording }, cell, form }, { segment, ...buffers }, weights) {
    const views = { ...buffers, weights };
    if (phasesOf(cell) === 2) recording.dispatch(loopTwoPhaseForward(cell, segment.H, form), views, segment);
    else recording.dispatch(loopForward(cell, segment.H, segment.B, form), views, segment);
  },

  backward({ tape: { recording }, cell, form }, { segment, c, ...buffers }, { dRecurrent, ...cotangents }, tail) {
    const shared = { ...buffers, ...cotangents };
    const params = { ...segment, tail: tail ? 1 : 0 };
    if (phasesOf(cell) === 2) recording.dispatch(loopTwoPhaseBackward(cell, segment.H, form), shared, params);
    else recording.dispatch(loopBackward(cell, segment.H, segment.B, form), { ...shared, c, dRecurrent }, params);
  },
};

export const loop: Strategy = {
  name: "loop",
  refusals: [
    {
      layers: `more than ${mostLoopUnits} units`,
      applies: ({ H }) => H > mostLoopUnits,
      because: ({ H }) => `needs at most ${mostLoopUnits} units, which is what a workgroup holds, got ${H}`,
    },
    {
      layers: 'normalization: "batch"',
      applies: ({ regularized }) => regularized === "batch",
      because: () => "has a workgroup for each row, and batch normalization needs all rows at each step",
    },
  ],
  isBroken: ({ phases, regularized }, avoided) => (regularized === "none" ? avoided.loop(phases) : avoided.fused),
  cost(layer, profile) {
    // Kernels of regularized layers do not share weights among four rows: they need as many workgroups as four times the rows.
    const { B, regularized } = layer;
    return predictedMilliseconds(regularized === "none" ? layer : { ...layer, B: 4 * B }, "loop", profile);
  },
  make: (site) =>
    site.regularization ? new regularized.now.RowRecurrence(site, site.regularization, true) : new PlainRecurrence(site, dispatches),
};
