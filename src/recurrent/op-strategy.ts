/** The strategy of an op: the layer's shape comes from its cell and its tape. */
import type { Tape } from "../autodiff/tape.ts";
import { phasesOf, type Cell } from "./cells/cell.ts";
import { strategyFor, takesWavefront } from "./choose.ts";
import type { Regularization } from "./regularized.ts";
import { keepsGates } from "./segments.ts";
import type { LayerShape, Strategy } from "./strategies/strategy.ts";

type Sizes = Pick<LayerShape, "T" | "B" | "H" | "heads">;

const shapeOf = ({ differentiates, options }: Tape, cell: Cell, { T, B, H, heads }: Sizes): LayerShape => ({
  T,
  B,
  H,
  heads,
  half: options.halves,
  G: cell.gateNames.length,
  phases: phasesOf(cell),
  linear: cell.isLinear,
  training: differentiates,
});

/** Whether `layers` layers of one direction, with nothing between them, share their dispatches. */
export function canStack(tape: Tape, cell: Cell, sizes: Sizes, layers: number): boolean {
  const { strategy } = tape.options;
  return takesWavefront(strategy, { ...shapeOf(tape, cell, sizes), layers, recomputes: !keepsGates(tape) }, tape.recording.target);
}

/**
 * The strategy for directions that are computed side by side.
 * @throws RnnError `limit` if the one that was asked for refuses them
 */
export function strategyOf(
  tape: Tape,
  label: string,
  cell: Cell,
  { lanes, ...sizes }: Sizes & { lanes: number },
  regularization: Regularization | undefined,
): Strategy {
  const regularized = !regularization ? "none" : regularization.normalization === "batch" ? "batch" : "row";
  return strategyFor(label, tape.options.strategy, { ...shapeOf(tape, cell, sizes), lanes, regularized }, tape.recording.target);
}
