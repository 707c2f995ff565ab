/** The recurrence of a plain cell: nothing acts between its products and its gates. */
import type { View } from "../recording/recording.ts";
import type { RecurrentWeights } from "./input.ts";
import { carryNumbers } from "./cells/memory.ts";
import { matrixRows, perUnitRows } from "./kernels/recurrent-kernel.ts";
import type { Recurrence, RowPart } from "./recurrence.ts";
import type { Dispatches, SegmentBuffers, Site } from "./strategies/strategy.ts";

export class PlainRecurrence implements Recurrence {
  readonly ownsBiases = false;
  readonly carry;
  readonly weightRows;

  constructor(
    private readonly site: Site,
    private readonly record: Dispatches["forward"],
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
    this.record(this.site, buffers, weights);
  }
}
