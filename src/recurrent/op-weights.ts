/**
 * The packed weights of an op, as the kernels of each pass read them. Each lane has a matrix U with the row of b_hh and
 * what the recurrence puts behind it. In a stack, the matrices W of all layers but the first follow.
 */
import { subview, type View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import { copyElements, type PackedWeights, type RecurrentWeights } from "./input.ts";
import { matrixRows, weightWidth } from "./kernels/recurrent-kernel.ts";
import { laneBuffer, type LaneBuffer } from "./lane-buffer.ts";
import { halves } from "./parts.ts";
import type { Recurrence } from "./recurrence.ts";
import type { Site } from "./strategies/strategy.ts";

type Pass = "forward" | "backward";

export class OpWeights {
  private readonly packed: Readonly<Record<Pass, LaneBuffer>>;
  /** Weights that were rounded to half precision, by pass. */
  private readonly rounded: { [pass in Pass]?: View } = {};
  /** Numbers of a unit in a row. */
  private readonly width: number;

  constructor(
    private readonly site: Site,
    private readonly recurrence: Recurrence,
  ) {
    const { tape, label, cell, whole, form } = site;
    const { weightRows } = recurrence;
    const width = (this.width = weightWidth(cell.gateNames.length, form));
    const matrices = form.stacked ? 2 * whole.lanes - 1 : whole.lanes;
    const make = (pass: Pass, shape: readonly number[]): LaneBuffer =>
      laneBuffer(tape.recording, `${label}.weights.${pass}`, matrices, shape, width);
    this.packed = {
      forward: make("forward", [weightRows.forward, whole.H, width]),
      backward: make("backward", tape.differentiates ? [weightRows.backward, whole.H, width] : [width]),
    };
  }

  /** The places of a lane's matrix, or of W of stacked layer n ≥ 1 at `lanes + n - 1`. */
  placesOf(weights: RecurrentWeights, matrix: number): PackedWeights {
    const {
      site: { cell, whole, form },
      packed,
      width,
    } = this;
    return {
      forward: packed.forward.of(matrix),
      backward: packed.backward.of(matrix),
      H: whole.H,
      width,
      biasRow: matrixRows(cell, whole.H, form),
      rest: () => this.packRest(weights, matrix),
      restOf: this.recurrence.rowParts(weights, "forward").map(({ values }) => values),
    };
  }

  /** The weights that a pass reads. The inputs must have packed them. */
  readBy(pass: Pass): View {
    const { whole } = this.packed[pass];
    const {
      tape: { recording, options },
      label,
      form,
    } = this.site;
    if (!options.halves) return whole;
    return (this.rounded[pass] ??= recording.derive([whole], () => {
      const name = `${label}.weights.${pass}`;
      const { toHalves, fromHalves } = halves.now;
      const packed = toHalves(recording, `${name}.half`, whole, this.width);
      return form.half ? packed : fromHalves(recording, packed, recording.buffer(`${name}.rounded`, whole.shape), this.width);
    }));
  }

  /** Packs the rows behind U and b_hh, for both passes. */
  private packRest(weights: RecurrentWeights, matrix: number): void {
    const {
      site: {
        tape: { recording, differentiates },
        whole: { H },
      },
      recurrence,
      width,
    } = this;
    for (const pass of differentiates ? (["forward", "backward"] as const) : (["forward"] as const)) {
      const packed = this.packed[pass].of(matrix);
      // A norm has rows that a layer without biases leaves empty.
      if (recurrence.ownsBiases)
        recording.clearFirst(subview(packed, (H + 1) * H * width, [recurrence.weightRows[pass] - H - 1, H, width]));
      for (const { row, values, first } of recurrence.rowParts(weights, pass)) {
        const numbers = sizeOf(values.shape) / H;
        copyElements(recording, values.view, packed, H, { numbers, to: width, toOffset: row * H * width + first });
      }
    }
  }
}
