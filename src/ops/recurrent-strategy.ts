/** How the time loop of a recurrent layer becomes dispatches. */
import { RnnError } from "../errors.ts";
import type { Cell } from "../kernels/cells/cell.ts";
import { columnSum } from "../kernels/column-sum.ts";
import type { TwoPhaseCell } from "../kernels/cells/two-phase-cell.ts";
import { loopBackward, loopForward, loopTwoPhaseBackward, loopTwoPhaseForward, mostLoopUnits } from "../kernels/recurrent-loop.ts";
import { stepBackward, stepForward, walk, walkBack } from "../kernels/recurrent-step.ts";
import { twoPhaseBackward, twoPhaseForward } from "../kernels/recurrent-two-phase.ts";
import type { Recording, View } from "../recording/recording.ts";
import type { Strategy } from "./choose-strategy.ts";
import { matmul } from "./linear.ts";

export type RecurrentCell = Cell | TwoPhaseCell;

export const isTwoPhase = (cell: RecurrentCell): cell is TwoPhaseCell => "gatePhases" in cell;

/** What decides which buffers a layer needs; see `Cell`. */
export function layoutOf(cell: RecurrentCell): Pick<Cell, "hasMemory" | "usesC" | "splitsRecurrentGradient"> {
  return isTwoPhase(cell) ? { hasMemory: cell.hasMemory, usesC: true, splitsRecurrentGradient: false } : cell;
}

/** @throws RnnError `limit` if the layer is too large for the strategy that was asked for */
export function checkedStrategy(label: string, strategy: Strategy, units: number): Strategy {
  if (strategy === "step" || units <= mostLoopUnits) return strategy;
  throw new RnnError("limit", label, `strategy "loop" needs at most ${mostLoopUnits} units, which is what a workgroup holds, got ${units}; use "step"`);
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
  if (strategy === "loop") {
    const params = { T, B, H, reverse: reverse ? 1 : 0, hBase };
    if (isTwoPhase(cell)) recording.dispatch(loopTwoPhaseForward(cell, H), views, params);
    else recording.dispatch(loopForward(cell, H, B), views, params);
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
  const { weights, dy, carry, dRecurrent } = cotangents;
  const shared = { gates, weights, h, dy, carry, lengths };
  if (strategy === "loop") {
    const params = { T, B, H, reverse: reverse ? 1 : 0, hBase, tail: tail ? 1 : 0 };
    if (isTwoPhase(cell)) recording.dispatch(loopTwoPhaseBackward(cell, H), shared, params);
    else recording.dispatch(loopBackward(cell, H, B), { ...shared, c, dRecurrent }, params);
    return;
  }
  for (const step of walkBack(T, reverse, tail)) {
    const params = { B, H, hBase, ...step };
    if (!isTwoPhase(cell)) {
      recording.dispatch(stepBackward(cell), { ...shared, c, dRecurrent }, params);
      continue;
    }
    recording.dispatch(twoPhaseBackward(cell, 0), shared, params);
    if (!step.tail) recording.dispatch(twoPhaseBackward(cell, 1), shared, params);
  }
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
