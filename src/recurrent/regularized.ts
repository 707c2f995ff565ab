/**
 * The recurrence of a layer with normalisation, zoneout or recurrent dropout (`kernels/regularized.ts`). A workgroup
 * owns a row of the batch, or a unit with batch normalisation.
 */
import { RnnError } from "../errors.ts";
import type { Cell } from "./cells/cell.ts";
import { columnSum } from "../kernels/column-sum.ts";
import { dropout } from "../kernels/dropout.ts";
import { align, type Params } from "../kernels/kernel.ts";
import { firstInTime, hSize, hStart, isReversed, laneStart, type Segment } from "./kernels/lanes.ts";
import { regularizedBackward, regularizedForward } from "./kernels/regularized.ts";
import {
  carryParts,
  extraRows,
  regularizedLayout,
  statisticsModes,
  type Normalization,
  type RegularizedForm,
  type regularizedParams,
} from "./kernels/regularized-layout.ts";
import { subview, type Recording, type View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import { matmul } from "../autodiff/linear.ts";
import { copyElements, type RecurrentWeights } from "./input.ts";
import type { Tape, Variable } from "../autodiff/tape.ts";
import type { Recurrence, RowPart } from "./recurrence.ts";
import type { Cotangents, SegmentBuffers, Site, SiteLane } from "./strategies/strategy.ts";

export interface Regularization {
  readonly normalization: Normalization;
  readonly epsilon: number;
  /** Probability that h or c of a unit keeps its value; 0 for never. */
  readonly zoneout: { readonly h: number; readonly c: number };
  /** Probability that an element of h_{t-1} is dropped in the products of all steps; 0 in inference. */
  readonly recurrentDropout: number;
  /** In training, masks are drawn and statistics come from the batch. */
  readonly training: boolean;
  /** [4] u32: seed and step. */
  readonly random: View;
  /** The first random stream; each lane has two. */
  readonly stream: number;
  /** Running statistics of one lane, for batch normalisation: [keptSteps, rows·H]. `momentum` is the weight of a new batch. */
  readonly running?: { readonly view: View; readonly momentum: number };
}

/** The time step of a lane that is computed i-th in a segment. */
const timeOf = (segment: Segment, lane: number, i: number): number => firstInTime(lane, { ...segment, first: segment.first + i, steps: 1 });

export class RegularizedRecurrence implements Recurrence {
  readonly ownsBiases: boolean;
  readonly weightRows: { readonly forward: number; readonly backward: number };
  readonly carry: { readonly shape: Shape; readonly width: number };
  readonly operand: View | undefined;
  private readonly form: RegularizedForm;
  private readonly recording: Recording;
  private readonly masked: View;
  private readonly label: string;
  private readonly cell: Cell;
  private readonly whole: Segment;
  private readonly lanes: readonly SiteLane[];

  /** @param fused whether the kernel computes U·h_{t-1} itself; one dispatch then does all steps */
  constructor(
    { tape, label, cell, whole, lanes, form: { gaps } }: Site,
    private readonly of: Regularization,
    fused: boolean,
  ) {
    [this.label, this.cell, this.whole, this.lanes] = [label, cell, whole, lanes];
    const { normalization, zoneout, recurrentDropout, running, training } = of;
    const recording = (this.recording = tape.recording);
    if (tape.options.halves)
      throw new RnnError(
        "option",
        label,
        `storage "float16" is not for layers with normalization, zoneout or recurrentDropout; use "float32"`,
      );
    if (training && running && whole.B === 1)
      throw new RnnError("shape", label, "batch normalisation needs a batch of at least 2 rows in training, got 1, which has no variance");
    const shared = fused && recording.target.isGpu ? recording.target.mostThreads : undefined;
    this.form = { normalization, zones: zoneout.h > 0 || zoneout.c > 0, drops: recurrentDropout > 0, fused, gaps, shared };
    this.ownsBiases = normalization !== "none";
    const width = carryParts(this.G, this.form).count;
    this.carry = { shape: [align(whole.B * whole.H) * width], width };
    const rows = whole.H + extraRows(cell, this.form);
    this.weightRows = { forward: rows, backward: rows };
    this.masked = recording.buffer(`${label}.masked`, this.form.drops ? [laneStart(whole.lanes, hSize(whole))] : [1]);
    this.operand = this.form.drops ? this.masked : undefined;
  }

  private get G(): number {
    return this.cell.gateNames.length;
  }

  rowParts({ inputBias, perUnit, gains }: RecurrentWeights): RowPart[] {
    const { H } = this.whole;
    const first = this.weightRows.forward - 4;
    return [
      ...(perUnit ? [{ row: H + 1, values: perUnit, first: 0 }] : []),
      ...(gains
        ? [
            { row: first, values: gains.input, first: 0 },
            { row: first + 2, values: gains.recurrent, first: 0 },
          ]
        : []),
      ...(gains && inputBias ? [{ row: first + 1, values: inputBias, first: 0 }] : []),
      ...[gains?.memory, gains?.memoryBias].flatMap((values, lane) => (values ? [{ row: first + 3, values, first: lane }] : [])),
    ];
  }

  /** Drops elements of the initial states. The kernels do so with all later states. */
  begin(h: View): void {
    if (!this.form.drops) return;
    const { B, H, T } = this.whole;
    const {
      recording,
      label,
      of: { recurrentDropout: p, random, stream },
    } = this;
    this.lanes.forEach(({ reverse, initialH }, n) => {
      const slot = hStart(n, this.whole) + (reverse ? T : 0) * B * H;
      if (!initialH) return recording.clearFirst(subview(this.masked, slot, [B, H]));
      const [x, y] = ["initial", "initial.dropped"].map((name) => recording.buffer(`${label}.${name}`, [B, H]));
      copyElements(recording, h, x, B * H, { fromOffset: slot });
      recording.dispatch(dropout, { x, random, y }, { length: B * H, stream: stream + 2 * n, p, accumulate: 0 });
      copyElements(recording, y, this.masked, B * H, { toOffset: slot });
    });
  }

  private params(segment: Segment, again = false): Params<typeof regularizedParams> {
    const { epsilon, zoneout, recurrentDropout, training, stream, running } = this.of;
    return {
      ...segment,
      i: 0,
      count: segment.steps,
      tail: 0,
      stream,
      draws: training ? 1 : 0,
      zoneH: zoneout.h,
      zoneC: zoneout.c,
      dropP: recurrentDropout,
      epsilon,
      statistics: !running
        ? statisticsModes.batch
        : training
          ? again
            ? statisticsModes.batch
            : statisticsModes.kept
          : statisticsModes.running,
      momentum: running?.momentum ?? 0,
      keptSteps: running?.view.shape[0] ?? 1,
    };
  }

  /** The place of a lane's step in `recurrent`, in numbers. */
  private sideAt(segment: Segment, lane: number, i: number): number {
    const { size, r } = regularizedLayout(segment, this.G, this.form);
    return lane * size + r + (timeOf(segment, lane, i) - firstInTime(lane, segment)) * segment.B * segment.H * this.G;
  }

  forward({ segment, ...buffers }: SegmentBuffers, weights: View, name: string, again: boolean): View {
    const {
      recording,
      cell,
      form,
      G,
      of: { random, running },
    } = this;
    const { lanes, B, H } = segment;
    const recurrent = recording.buffer(`${this.label}.${name}.recurrent`, [lanes * regularizedLayout(segment, G, form).size]);
    const kept = running?.view ?? recording.buffer(`${this.label}.running.none`, [1]);
    const kernel = regularizedForward(cell, H, form);
    const views = { ...buffers, weights, recurrent, masked: this.masked, running: kept, random };
    const params = this.params(segment, again);
    if (form.fused) recording.dispatch(kernel, views, params);
    for (let i = 0; i < segment.steps && !form.fused; i++) {
      for (let lane = 0; lane < lanes; lane++) {
        matmul(recording, this.operand ?? buffers.h, weights, recurrent, {
          M: B,
          N: H * G,
          K: H,
          aOffset: hStart(lane, segment) + (timeOf(segment, lane, i) + (isReversed(segment.reverse, lane) ? 1 : 0)) * B * H,
          bOffset: laneStart(lane, this.weightRows.forward * H) * G,
          cOffset: this.sideAt(segment, lane, i),
        });
      }
      recording.dispatch(kernel, views, { ...params, i, count: 1 });
    }
    return recurrent;
  }

  backward({ segment, ...buffers }: SegmentBuffers, recurrent: View, cotangents: Cotangents, tail: boolean): (lane: number) => View {
    const { recording, cell, form, G } = this;
    const { lanes, B, H, steps } = segment;
    const kernel = regularizedBackward(cell, H, form);
    const views = { ...buffers, ...cotangents, recurrent, random: this.of.random };
    const params = this.params(segment, true);
    if (form.fused) recording.dispatch(kernel, views, { ...params, tail: tail ? 1 : 0 });
    for (let i = steps - 1; i >= 0 && !form.fused; i--) {
      recording.dispatch(kernel, views, { ...params, i, count: 1 });
      if (i === 0 && !tail) break;
      for (let lane = 0; lane < lanes; lane++) {
        matmul(recording, recurrent, this.lanes[lane].weights.recurrentWeight!.view, cotangents.carry, {
          M: B,
          N: H,
          K: H * G,
          aOffset: this.sideAt(segment, lane, i),
          cOffset: this.carryAt(lane, carryParts(G, form).product),
        });
      }
    }
    if (tail && !form.fused) recording.dispatch(kernel, views, { ...params, count: 0, tail: 1 });
    const { size, r } = regularizedLayout(segment, G, form);
    return (lane) => subview(recurrent, lane * size + r, [steps, B, H, G]);
  }

  private carryAt(lane: number, part: number): number {
    return (lane * this.carry.width + part) * align(this.whole.B * this.whole.H);
  }

  finish(tape: Tape, carry: View): void {
    const { B, H } = this.whole;
    const parts = carryParts(this.G, this.form);
    const collect = (variable: Variable | undefined, lane: number, part: number, columns: number): void => {
      if (!variable?.needsGradient) return;
      const { view, accumulate } = tape.share(variable);
      tape.recording.dispatch(
        columnSum,
        { x: subview(carry, this.carryAt(lane, part), [B, columns]), sums: view },
        { rows: B, columns, accumulate },
      );
    };
    this.lanes.forEach(({ weights: { gains, inputBias, recurrentBias } }, lane) => {
      if (!gains) return;
      collect(gains.input, lane, parts.inputGain, H * this.G);
      collect(inputBias, lane, parts.inputBias, H * this.G);
      collect(gains.recurrent, lane, parts.recurrentGain, H * this.G);
      collect(recurrentBias, lane, parts.recurrentBias, H * this.G);
      collect(gains.memory, lane, parts.memoryGain, H);
      collect(gains.memoryBias, lane, parts.memoryBias, H);
    });
  }
}
