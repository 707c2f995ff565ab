/** How the time loop of a recurrent layer becomes dispatches. */
import type { Cell } from "../kernels/cells/cell.ts";
import { columnSum } from "../kernels/column-sum.ts";
import type { TwoPhaseCell } from "../kernels/cells/two-phase-cell.ts";
import { loopBackward, loopForward, mostLoopUnits } from "../kernels/recurrent-loop.ts";
import { stepBackward, stepForward, walk, type StepSlots } from "../kernels/recurrent-step.ts";
import { twoPhaseBackward, twoPhaseForward } from "../kernels/recurrent-two-phase.ts";
import type { Recording, View } from "../recording/recording.ts";
import { matmul } from "./linear.ts";

export type RecurrentCell = Cell | TwoPhaseCell;

const isTwoPhase = (cell: RecurrentCell): cell is TwoPhaseCell => "gatePhases" in cell;

/** What decides which buffers a layer needs; see `Cell`. */
export function layoutOf(cell: RecurrentCell): Pick<Cell, "hasMemory" | "usesC" | "splitsRecurrentGradient"> {
  return isTwoPhase(cell) ? { hasMemory: cell.hasMemory, usesC: true, splitsRecurrentGradient: false } : cell;
}

/** One dispatch for the whole time loop, or one (two-phase cells: two) for each step. */
export type Strategy = "loop" | "step";

/**
 * The strategy for a layer of H units: the loop where a workgroup can hold a layer, since a dispatch costs more than
 * a step of a small one computes.
 */
export function chooseStrategy(cell: RecurrentCell, units: number): Strategy {
  return !isTwoPhase(cell) && units <= mostLoopUnits ? "loop" : "step";
}

/** What both passes share; shapes as in `kernels/recurrent-step.ts`. */
export interface LayerBuffers {
  readonly T: number;
  readonly B: number;
  readonly H: number;
  readonly reverse: boolean;
  readonly gates: View;
  readonly h: View;
  readonly hBase: number;
  readonly c: View;
  readonly lengths: View;
}

export interface BackwardBuffers {
  readonly weights: View;
  readonly dy: View;
  readonly carry: View;
  readonly dRecurrent: View;
}

export function recordForward(recording: Recording, strategy: Strategy, cell: RecurrentCell, buffers: LayerBuffers, weights: View, bias: View): void {
  const { T, B, H, reverse, hBase, gates, h, c, lengths } = buffers;
  const views = { gates, weights, bias, h, c, lengths };
  if (strategy === "loop" && !isTwoPhase(cell)) {
    recording.dispatch(loopForward(cell, H), views, { T, B, H, reverse: reverse ? 1 : 0, hBase });
    return;
  }
  for (const step of walk(T, reverse)) {
    const params = { B, H, hBase, ...step };
    if (isTwoPhase(cell)) {
      recording.dispatch(twoPhaseForward(cell, 0), views, params);
      recording.dispatch(twoPhaseForward(cell, 1), views, params);
    } else {
      recording.dispatch(stepForward(cell), views, params);
    }
  }
}

/** With `tail` the product follows that carries the gradient from the first step to the initial state, into `carry`. */
export function recordBackward(recording: Recording, strategy: Strategy, cell: RecurrentCell, buffers: LayerBuffers, cotangents: BackwardBuffers, tail: boolean): void {
  const { T, B, H, reverse, hBase, gates, h, c, lengths } = buffers;
  if (strategy === "loop" && !isTwoPhase(cell)) {
    const params = { T, B, H, reverse: reverse ? 1 : 0, hBase, tail: tail ? 1 : 0 };
    recording.dispatch(loopBackward(cell, H), { gates, h, c, lengths, ...cotangents }, params);
    return;
  }
  const steps = walk(T, reverse).reverse();
  steps.forEach((step, i) => {
    backwardStep(recording, cell, buffers, cotangents, step, { nextT: i ? steps[i - 1].t : 0, hasNext: i ? 1 : 0, tail: 0 });
  });
  if (tail) backwardStep(recording, cell, buffers, cotangents, { t: 0, previousSlot: 0, currentSlot: 0 }, { nextT: steps[T - 1].t, hasNext: 1, tail: 1 });
}

function backwardStep(
  recording: Recording, cell: RecurrentCell, { B, H, hBase, gates, h, c, lengths }: LayerBuffers, { weights, dy, carry, dRecurrent }: BackwardBuffers,
  step: StepSlots, flags: { nextT: number; hasNext: number; tail: number },
): void {
  const params = { B, H, hBase, ...step, ...flags };
  if (!isTwoPhase(cell)) {
    recording.dispatch(stepBackward(cell), { gates, weights, h, c, dy, carry, dRecurrent, lengths }, params);
    return;
  }
  const views = { gates, weights, h, dy, carry, lengths };
  recording.dispatch(twoPhaseBackward(cell, 0), views, params);
  if (!flags.tail) recording.dispatch(twoPhaseBackward(cell, 1), views, params);
}

/**
 * ∂L/∂U [H·G, H] (+)= Σ_t (gradient of the recurrent side)_tᵀ · (its operand)_t, one product over all T·B rows; for a
 * two-phase cell one per phase, since the candidate's operand is not h_{t-1}. `sums` gets ∂L/∂b_hh.
 */
export function recurrentProducts(recording: Recording, cell: RecurrentCell, { T, B, H, reverse, h, hBase, c }: LayerBuffers, recurrentSide: View, { view: output, accumulate, sums }: { view: View; accumulate: 0 | 1; sums?: View }): void {
  const G = cell.gateNames.length;
  const K = T * B;
  const previousStates = hBase + (reverse ? B * H : 0);
  if (!isTwoPhase(cell)) {
    matmul(recording, recurrentSide, h, output, { M: H * G, N: H, K, aRow: 1, aColumn: H * G, bOffset: previousStates, accumulate }, { sums });
    return;
  }
  if (sums) recording.dispatch(columnSum, { x: recurrentSide, sums }, { rows: K, columns: H * G, accumulate });
  const operands = [{ view: h, offset: previousStates }, { view: c, offset: reverse ? 0 : B * H }];
  operands.forEach(({ view, offset }, phase) => {
    const lane = cell.gatePhases.indexOf(phase as 0 | 1);
    const lanes = cell.gatePhases.filter((p) => p === phase).length;
    // Rows of the output are [unit, gate]: the batch runs over the gates of a phase, M over the units.
    matmul(recording, recurrentSide, view, output, {
      M: H, N: H, K, batch: lanes, aOffset: lane, aBatch: 1, aRow: G, aColumn: H * G, bOffset: offset,
      cOffset: lane * H, cBatch: H, cRow: G * H, accumulate,
    });
  });
}
