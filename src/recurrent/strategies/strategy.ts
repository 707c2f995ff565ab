/**
 * What the op of a recurrent layer leaves to the kernels that walk its time: how many rows of weights they read, what
 * they carry from step to step, and where the gradient of the recurrent side lies. `PlainWalk` is that of the cells as
 * they are, `RegularizedWalk` (regularized-walk.ts) that of layers with norms, zoneout or recurrent dropout.
 */
import type { Cell } from "../cells/cell.ts";
import { laneStart, type Segment } from "../kernels/lanes.ts";
import type { KernelForm } from "../kernels/recurrent-kernel.ts";
import { subview, type Recording, type View } from "../../recording/recording.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import type { Strategy } from "../choose.ts";
import type { RecurrentWeights } from "../input.ts";
import { recordBackward, recordForward, type BackwardBuffers, type SegmentBuffers } from "./plain.ts";
import type { Tape, Variable } from "../../ops/tape.ts";

/** A buffer with a share for each lane of `size` units of `width` numbers; one lane's has its own shape. */
export interface LaneBuffer {
  readonly whole: View;
  readonly of: (lane: number) => View;
}

export function laneBuffer(recording: Recording, label: string, lanes: number, shape: Shape, width = 1): LaneBuffer {
  const size = sizeOf(shape) / width;
  const whole = recording.buffer(label, lanes === 1 ? shape : [(laneStart(lanes - 1, size) + size) * width]);
  return { whole, of: (lane) => subview(whole, laneStart(lane, size) * width, shape) };
}

/** A parameter that belongs to a row behind U among the packed weights: `stride` apart from lane `first` of the row's units on. */
export interface RowPart {
  readonly row: number;
  readonly values: Variable;
  readonly stride: number;
  readonly first: number;
}

export interface Walk {
  /** Rows of H·G numbers of the packed weights, U's among them, by pass. */
  readonly weightRows: { readonly forward: number; readonly backward: number };
  /** What lies behind U and b_hh in those rows. */
  rowParts(weights: RecurrentWeights, pass: "forward" | "backward"): RowPart[];
  /** Whether b_ih and b_hh are the kernels' own business, their gradients too. */
  readonly ownsBiases: boolean;
  /** A lane's share of `carry`, and its numbers a unit; dh and dc of each unit come first, side by side. */
  readonly carry: { readonly shape: Shape; readonly width: number };
  /** To be called when the initial states are in their slots. */
  begin?(h: View): void;
  /** Records the steps of a segment. @returns what the backward pass wants of them besides gates and states */
  forward(buffers: SegmentBuffers, weights: View, name: string, again: boolean): View | undefined;
  /**
   * Records BPTT of a segment; with `tail` the product that carries its gradient further into `carry`.
   * @returns per lane the gradient of U·(operand) [steps, B, H, G]
   */
  backward(
    buffers: SegmentBuffers,
    kept: View | undefined,
    cotangents: Omit<BackwardBuffers, "dRecurrent">,
    tail: boolean,
  ): (lane: number) => View;
  /** What U is multiplied with, in the slots of h (default: h). */
  readonly operand?: View;
  /** To be called when all segments are done: gradients that were added up on the way. */
  finish?(tape: Tape, carry: View): void;
}

/** Makes the walk of one op. */
export type MakeWalk = (tape: Tape, label: string, whole: Segment, lanes: readonly WalkedLane[]) => Walk;

/** What a walk needs to know of a lane. */
export interface WalkedLane {
  readonly reverse: boolean;
  readonly weights: RecurrentWeights;
  readonly initialH?: Variable;
}

/** Cells of one or two phases by any strategy. */
export class PlainWalk implements Walk {
  readonly ownsBiases = false;
  readonly carry;
  readonly weightRows;

  constructor(
    private readonly recording: Recording,
    private readonly label: string,
    private readonly strategy: Strategy,
    private readonly cell: Cell,
    whole: Segment,
    private readonly form: KernelForm,
  ) {
    const { B, H } = whole;
    this.carry = { shape: [B, H, 2], width: 2 };
    const peepholes = cell.hasPeepholes ? 1 : 0;
    this.weightRows = { forward: H + 1 + peepholes, backward: H + peepholes };
  }

  rowParts({ peepholes }: RecurrentWeights, pass: "forward" | "backward"): RowPart[] {
    return peepholes ? [{ row: this.weightRows[pass] - 1, values: peepholes, stride: 1, first: 0 }] : [];
  }

  forward(buffers: SegmentBuffers, weights: View): undefined {
    recordForward(this.recording, this.strategy, this.cell, buffers, weights, this.form);
  }

  backward(
    buffers: SegmentBuffers,
    _kept: undefined,
    cotangents: Omit<BackwardBuffers, "dRecurrent">,
    tail: boolean,
  ): (lane: number) => View {
    const {
      segment: { steps, B, H, lanes },
      gates,
    } = buffers;
    const { splitsRecurrentGradient } = this.cell;
    const G = this.cell.gateNames.length;
    const shape = [steps, B, H, G];
    const dRecurrent = laneBuffer(this.recording, `${this.label}.dRecurrent`, lanes, splitsRecurrentGradient ? shape : [G], G);
    recordBackward(this.recording, this.strategy, this.cell, buffers, { ...cotangents, dRecurrent: dRecurrent.whole }, tail, this.form);
    return splitsRecurrentGradient ? dRecurrent.of : (lane) => subview(gates, laneStart(lane, steps * B * H) * G, shape);
  }
}
