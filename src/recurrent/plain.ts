/** The recurrence of a plain cell: nothing acts between its products and its gates. */
import { subview, type View } from "../recording/recording.ts";
import type { RecurrentWeights } from "./input.ts";
import { carryNumbers } from "./cells/memory.ts";
import { laneStart } from "./kernels/lanes.ts";
import { matrixRows, perUnitRows } from "./kernels/recurrent-kernel.ts";
import { laneBuffer } from "./lane-buffer.ts";
import type { Recurrence, RowPart } from "./recurrence.ts";
import type { Cotangents, Dispatches, SegmentBuffers, Site } from "./strategies/strategy.ts";

export class PlainRecurrence implements Recurrence {
  readonly ownsBiases = false;
  readonly carry;
  readonly weightRows;

  constructor(
    private readonly site: Site,
    private readonly dispatches: Dispatches,
  ) {
    const {
      cell,
      form,
      whole: { B, H },
    } = site;
    const width = carryNumbers(cell);
    this.carry = { shape: [B, H, width], width };
    const rows = matrixRows(cell, H, form) + perUnitRows(cell);
    // A bound buffer must hold at least one number.
    this.weightRows = { forward: rows + 1, backward: Math.max(rows, 1) };
  }

  rowParts({ perUnit }: RecurrentWeights, pass: "forward" | "backward"): RowPart[] {
    return perUnit ? [{ row: this.weightRows[pass] - 1, values: perUnit, first: 0 }] : [];
  }

  forward(buffers: SegmentBuffers, weights: View): undefined {
    this.dispatches.forward(this.site, buffers, weights);
  }

  backward(buffers: SegmentBuffers, _saved: undefined, cotangents: Cotangents, tail: boolean): (lane: number) => View {
    const {
      segment: { steps, B, H, lanes },
      gates,
    } = buffers;
    const { tape, label, cell } = this.site;
    const { splitsRecurrentGradient } = cell;
    const G = cell.gateNames.length;
    const shape = [steps, B, H, G];
    const dRecurrent = laneBuffer(tape.recording, `${label}.dRecurrent`, lanes, splitsRecurrentGradient ? shape : [G], G);
    this.dispatches.backward(this.site, buffers, { ...cotangents, dRecurrent: dRecurrent.whole }, tail);
    return splitsRecurrentGradient ? dRecurrent.of : (lane) => subview(gates, laneStart(lane, steps * B * H) * G, shape);
  }
}
