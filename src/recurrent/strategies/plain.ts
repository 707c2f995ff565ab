/** How the time loop of a recurrent layer becomes dispatches. */
import { RnnError } from "../../errors.ts";
import { phasesOf, type Cell } from "../cells/cell.ts";
import { columnSum } from "../../kernels/column-sum.ts";
import { peepholeGradient } from "../kernels/peephole-gradient.ts";
import { cStart, firstInTime, hStart, isReversed, type Segment } from "../kernels/lanes.ts";
import { loopBackward, loopForward, loopTwoPhaseBackward, loopTwoPhaseForward, mostLoopUnits, stepsBack } from "../kernels/loop.ts";
import type { KernelForm } from "../kernels/recurrent-kernel.ts";
import { stepBackward, stepForward } from "../kernels/step.ts";
import { twoPhaseBackward, twoPhaseForward } from "../kernels/two-phase.ts";
import type { Recording, View } from "../../recording/recording.ts";
import type { Strategy } from "../choose.ts";
import { matmul } from "../../ops/linear.ts";

/** @throws RnnError `limit` if the layer is too large for the strategy that was asked for */
export function checkedStrategy(label: string, strategy: Strategy, units: number): Strategy {
  if (strategy === "step" || units <= mostLoopUnits) return strategy;
  throw new RnnError(
    "limit",
    label,
    `strategy "loop" needs at most ${mostLoopUnits} units, which is what a workgroup holds, got ${units}; use "step"`,
  );
}

/** A segment's gates, and what they share with the other segments; shapes as in `kernels/step.ts`. */
export interface SegmentBuffers {
  readonly segment: Segment;
  readonly gates: View;
  readonly h: View;
  readonly c: View;
  readonly lengths: View;
}

export interface BackwardBuffers {
  readonly weights: View;
  readonly dy: View;
  readonly carry: View;
  readonly dRecurrent: View;
}

/** Stacked layers begin one step after each other. */
const dispatchesOf = ({ steps, lanes }: Segment, { stacked }: KernelForm): number => steps + (stacked ? lanes - 1 : 0);

export function recordForward(
  recording: Recording,
  strategy: Strategy,
  cell: Cell,
  { segment, ...buffers }: SegmentBuffers,
  weights: View,
  form: KernelForm = {},
): void {
  const views = { ...buffers, weights };
  if (strategy === "loop") {
    if (phasesOf(cell) === 2) recording.dispatch(loopTwoPhaseForward(cell, segment.H, form), views, segment);
    else recording.dispatch(loopForward(cell, segment.H, segment.B, form), views, segment);
    return;
  }
  for (let i = 0; i < dispatchesOf(segment, form); i++) {
    const params = { ...segment, i };
    if (phasesOf(cell) === 2) {
      recording.dispatch(twoPhaseForward(cell, 0, form), views, params);
      recording.dispatch(twoPhaseForward(cell, 1, form), views, params);
    } else {
      recording.dispatch(stepForward(cell, form), views, params);
    }
  }
}

/** With `tail` the product follows that carries the gradient from the segment's first step further, into `carry`. */
export function recordBackward(
  recording: Recording,
  strategy: Strategy,
  cell: Cell,
  { segment, c, ...buffers }: SegmentBuffers,
  { dRecurrent, ...cotangents }: BackwardBuffers,
  tail: boolean,
  form: KernelForm = {},
): void {
  const shared = { ...buffers, ...cotangents };
  if (strategy === "loop") {
    const params = { ...segment, tail: tail ? 1 : 0 };
    if (phasesOf(cell) === 2) recording.dispatch(loopTwoPhaseBackward(cell, segment.H, form), shared, params);
    else recording.dispatch(loopBackward(cell, segment.H, segment.B, form), { ...shared, c, dRecurrent }, params);
    return;
  }
  for (const step of stepsBack(dispatchesOf(segment, form), tail)) {
    const params = { ...segment, ...step };
    if (phasesOf(cell) === 1) {
      recording.dispatch(stepBackward(cell, form), { ...shared, c, dRecurrent }, params);
      continue;
    }
    recording.dispatch(twoPhaseBackward(cell, 0, form), shared, params);
    if (!step.tail) recording.dispatch(twoPhaseBackward(cell, 1, form), shared, params);
  }
}

/** Rows of states in a lane's segment: the first of those before its steps, and of those after them. */
function stateRows(lane: number, segment: Segment): { before: number; after: number } {
  const first = firstInTime(lane, segment) * segment.B;
  return isReversed(segment.reverse, lane) ? { before: first + segment.B, after: first } : { before: first, after: first + segment.B };
}

/** ∂L/∂(peepholes) [H·G] (+)= Σ_t dGates_t⊙(the c that each gate sees). */
export function peepholeProducts(
  recording: Recording,
  { segment, c }: SegmentBuffers,
  lane: number,
  dGates: View,
  { view, accumulate }: { view: View; accumulate: 0 | 1 },
): void {
  const { B, H, steps } = segment;
  const { before, after } = stateRows(lane, segment);
  const start = cStart(lane, segment);
  recording.dispatch(
    peepholeGradient,
    { dGates, c, dPeepholes: view },
    { rows: steps * B, H, cPrevious: start + before * H, cCurrent: start + after * H, accumulate },
  );
}

/**
 * ∂L/∂U [H·G, H] (+)= Σ_t (gradient of the recurrent side)_tᵀ · (its operand)_t, one product over all rows of a lane's
 * segment; for a two-phase cell one per phase, since the candidate's operand is not h_{t-1}. `sums` gets ∂L/∂b_hh.
 */
export function recurrentProducts(
  recording: Recording,
  cell: Cell,
  { segment, h, c }: SegmentBuffers,
  lane: number,
  recurrentSide: View,
  { view: output, accumulate, sums }: { view: View; accumulate: 0 | 1; sums?: View },
): void {
  const { B, H, steps } = segment;
  const G = cell.gateNames.length;
  const K = steps * B;
  const { before, after } = stateRows(lane, segment);
  const previousStates = hStart(lane, segment) + before * H;
  const { gatePhases } = cell;
  if (!gatePhases) {
    matmul(
      recording,
      recurrentSide,
      h,
      output,
      { M: H * G, N: H, K, aRow: 1, aColumn: H * G, bOffset: previousStates, accumulate },
      { sums },
    );
    return;
  }
  if (sums) recording.dispatch(columnSum, { x: recurrentSide, sums }, { rows: K, columns: H * G, accumulate });
  const operands = [
    { view: h, offset: previousStates },
    { view: c, offset: cStart(lane, segment) + after * H },
  ];
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
