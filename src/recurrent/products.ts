/** Computes the gradients of recurrent weights, over all steps of a segment at once. */
import { columnSum } from "../kernels/column-sum.ts";
import { matmul } from "../autodiff/linear.ts";
import type { Recording, View } from "../recording/recording.ts";
import type { Cell } from "./cells/cell.ts";
import { cStart, firstInTime, hStart, isReversed, type Segment } from "./kernels/lanes.ts";
import { twoPhase } from "./parts.ts";
import type { SegmentBuffers } from "./strategies/strategy.ts";

/** In a lane's segment, the first row of the states before its steps, and of the states after them. */
export interface StateRows {
  readonly before: number;
  readonly after: number;
}

export function stateRows(lane: number, segment: Segment): StateRows {
  const first = firstInTime(lane, segment) * segment.B;
  return isReversed(segment.reverse, lane) ? { before: first + segment.B, after: first } : { before: first, after: first + segment.B };
}

/**
 * ∂L/∂U [H·G, H/heads] (+)= Σ_t (gradient of the recurrent side)_tᵀ · (its operand)_t. One product covers all rows of a
 * lane's segment; each head has its own block. A two-phase cell has one product per phase, since the candidate's
 * operand is not h_{t-1}. `sums` gets ∂L/∂b_hh.
 */
export function recurrentProducts(
  recording: Recording,
  cell: Cell,
  { segment, h, c }: SegmentBuffers,
  lane: number,
  recurrentSide: View,
  heads: number,
  { view: output, accumulate, sums }: { view: View; accumulate: 0 | 1; sums?: View },
): void {
  const { B, H, steps } = segment;
  const G = cell.gateNames.length;
  const K = steps * B;
  const { before, after } = stateRows(lane, segment);
  const previousStates = hStart(lane, segment) + before * H;
  const { gatePhases } = cell;
  const isOneProduct = !gatePhases && heads === 1;
  if (sums && !isOneProduct) recording.dispatch(columnSum, { x: recurrentSide, sums }, { rows: K, columns: H * G, accumulate });
  if (gatePhases) {
    const operands = [
      { view: h, offset: previousStates },
      { view: c, offset: cStart(lane, segment) + after * H },
    ];
    twoPhase.now.phaseProducts(recording, gatePhases, operands, recurrentSide, { H, K }, output, accumulate);
    return;
  }
  const read = H / heads;
  const product = {
    M: read * G,
    N: read,
    K,
    batch: heads,
    aBatch: read * G,
    aRow: 1,
    aColumn: H * G,
    bOffset: previousStates,
    bBatch: read,
    bRow: H,
    cBatch: read * G * read,
    accumulate,
  };
  matmul(recording, recurrentSide, h, output, product, isOneProduct ? { sums } : {});
}
