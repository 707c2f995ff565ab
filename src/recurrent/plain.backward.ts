/** BPTT of a plain cell: nothing acts between its products and its gates. */
import { subview, type View } from "../recording/recording.ts";
import { phasesOf } from "./cells/cell.ts";
import { laneStart } from "./kernels/lanes.ts";
import { laneBuffer } from "./lane-buffer.ts";
import { twoPhase } from "./parts.ts";
import { backwardOf } from "./strategies/backward.ts";
import type { Cotangents, SegmentBuffers, Site, Strategy } from "./strategies/strategy.ts";

/** Records BPTT of a segment; see `Recurrence.backward`. */
export function plainBackward(
  site: Site,
  { name, backward = backwardOf[name] }: Pick<Strategy, "name" | "backward">,
  buffers: SegmentBuffers,
  cotangents: Cotangents,
  tail: boolean,
): (lane: number) => View {
  const {
    segment: { steps, B, H, lanes },
    gates,
  } = buffers;
  const { tape, label, cell } = site;
  const { splitsRecurrentGradient } = cell;
  const G = cell.gateNames.length;
  const shape = [steps, B, H, G];
  const dRecurrent = laneBuffer(tape.recording, `${label}.dRecurrent`, lanes, splitsRecurrentGradient ? shape : [G], G);
  const record = phasesOf(cell) === 2 ? twoPhase.now.dispatches[name].backward : backward;
  record(site, buffers, { ...cotangents, dRecurrent: dRecurrent.whole }, tail);
  return splitsRecurrentGradient ? dRecurrent.of : (lane) => subview(gates, laneStart(lane, steps * B * H) * G, shape);
}
