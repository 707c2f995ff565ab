/** Where one time step's numbers lie, for the twins and for WebAssembly. Letters as in `lanes.ts`. */
import { cStart, hStart, isReversed, laneStart, type Segment } from "./lanes.ts";

/** Where the numbers of time step t start in each buffer; add row · H + unit. */
export interface StepPlaces {
  readonly t: number;
  /** In units of G numbers, as in the shaders. */
  readonly gates: number;
  readonly hPrevious: number;
  readonly hCurrent: number;
  readonly cPrevious: number;
  readonly cCurrent: number;
  readonly dy: number;
}

/** The places of the i-th step of a segment, in the order of computation; `memories` are the numbers of a unit in a slot of c. */
export function stepAt(segment: Segment, lane: number, i: number, memories = 1): StepPlaces {
  const { T, B, H, reverse, first, steps } = segment;
  const size = B * H;
  const reversed = isReversed(reverse, lane);
  const t = reversed ? T - 1 - first - i : first + i;
  const [before, after] = reversed ? [(t + 1) * size, t * size] : [t * size, (t + 1) * size];
  const h = hStart(lane, segment);
  const c = cStart(lane, segment, memories);
  return {
    t,
    gates: laneStart(lane, steps * size) + (reversed ? steps - 1 - i : i) * size,
    hPrevious: h + before,
    hCurrent: h + after,
    cPrevious: c + before * memories,
    cCurrent: c + after * memories,
    dy: laneStart(lane, T * size) + t * size,
  };
}
