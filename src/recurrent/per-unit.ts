/** Computes the gradients of the units' own parameters, over all steps of a segment at once. */
import type { Recording, View } from "../recording/recording.ts";
import type { Cell } from "./cells/cell.ts";
import { cStart } from "./kernels/lanes.ts";
import { gatesSeeing, perUnitGradient } from "./kernels/per-unit-gradient.ts";
import type { StateRows } from "./products.ts";
import type { SegmentBuffers } from "./strategies/strategy.ts";

/** ∂L/∂(the units' own parameters) [H·G] (+)= Σ_t dGates_t⊙(the c that each gate sees). */
export function perUnitProducts(
  recording: Recording,
  cell: Cell,
  { segment, c }: SegmentBuffers,
  lane: number,
  { before, after }: StateRows,
  dGates: View,
  { view, accumulate }: { view: View; accumulate: 0 | 1 },
): void {
  const { B, H, steps } = segment;
  const start = cStart(lane, segment);
  recording.dispatch(
    perUnitGradient,
    { dGates, c, dOwn: view },
    { rows: steps * B, H, cPrevious: start + before * H, cCurrent: start + after * H, ...gatesSeeing(cell), accumulate },
  );
}
