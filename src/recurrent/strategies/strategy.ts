/**
 * A strategy computes the time steps of a recurrent layer: it chooses the kernels and the dispatches. It says which layers
 * it refuses, what a layer costs by it, and makes the `Recurrence` that the op of a layer (sequence.ts) records.
 */
import type { DeviceProfile } from "../../kernels/device-profile.ts";
import type { Avoided } from "../../kernels/self-test.ts";
import { subview, type Recording, type View } from "../../recording/recording.ts";
import type { Target } from "../../recording/target.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import type { Tape, Variable } from "../../autodiff/tape.ts";
import type { Cell } from "../cells/cell.ts";
import type { RecurrentWeights } from "../input.ts";
import { laneStart, type Segment } from "../kernels/lanes.ts";
import type { KernelForm } from "../kernels/recurrent-kernel.ts";
import type { Regularization } from "./row.ts";

/**
 * "loop": one dispatch for all time steps. "step": one dispatch a time step, or two for a cell with two phases.
 * "scan": one dispatch for all time steps, which are computed side by side. "wavefront": "step" for L stacked layers at
 * once, each one step behind the layer below: T+L-1 dispatches, not T·L.
 */
export type StrategyName = "scan" | "loop" | "step" | "wavefront";

/** A recurrent layer, or a stack of them, as far as the choice of a strategy goes. */
export interface LayerShape {
  /** T steps, B rows of the batch, H units, G gates. */
  readonly T: number;
  readonly B: number;
  readonly H: number;
  readonly G: number;
  /** Recurrent products of a step that wait for each other (default 1); 2 for the GRU with the reset before the product. */
  readonly phases?: number;
  /** Directions that are computed side by side (default 1). */
  readonly lanes?: number;
  /** Layers of one direction on top of each other with nothing in between: no dropout, no projection (default 1). */
  readonly layers?: number;
  /** Whether h_t = a⊙h_{t-1} + b with a and b that do not depend on h_{t-1}: MinGRU and MinLSTM (default false). */
  readonly linear?: boolean;
  /** "row": layer normalisation, zoneout or recurrent dropout act in each step; "batch": batch normalisation does (default "none"). */
  readonly regularized?: "none" | "row" | "batch";
  /** Whether gates are computed again in the backward pass, or kept in half precision (default false). */
  readonly recomputes?: boolean;
  /** Whether the backward pass follows. */
  readonly training: boolean;
}

/** A reason for which a strategy cannot run a layer. */
export interface Refusal {
  /** The layers it refuses, for the documents. */
  readonly layers: string;
  applies(layer: Required<LayerShape>, target: Target): boolean;
  /** The reason, to be read after the strategy's name. */
  because(layer: Required<LayerShape>): string;
}

export interface Strategy {
  readonly name: StrategyName;
  readonly refusals: readonly Refusal[];
  /** Whether the self-test has found one of its kernels for this layer wrong. */
  isBroken(layer: Required<LayerShape>, avoided: Avoided): boolean;
  /**
   * Milliseconds of all time steps, predicted from what was measured on the device. A strategy without it is taken wherever
   * it can be.
   */
  cost?(layer: Required<LayerShape>, profile: DeviceProfile): number;
  make(site: Site): Recurrence;
}

/** Where a strategy is put to work: one op of a tape. */
export interface Site {
  readonly tape: Tape;
  readonly label: string;
  readonly cell: Cell;
  /** The whole sequence. */
  readonly whole: Segment;
  readonly lanes: readonly SiteLane[];
  readonly form: KernelForm;
  /** What acts between the products and the cell, or on the states. */
  readonly regularization?: Regularization;
}

/** One direction, or one of the stacked layers. */
export interface SiteLane {
  readonly reverse: boolean;
  readonly weights: RecurrentWeights;
  readonly initialH?: Variable;
}

/** A segment's gates, and the buffers that all segments share; shapes as in `kernels/step.ts`. */
export interface SegmentBuffers {
  readonly segment: Segment;
  readonly gates: View;
  readonly h: View;
  readonly c: View;
  readonly lengths: View;
}

/** What the backward pass of a segment reads, and the carry that it reads and writes. */
export interface Cotangents {
  readonly weights: View;
  readonly dy: View;
  readonly carry: View;
}

/** A parameter in one of the rows behind U of the packed weights: its numbers lie `stride` apart, the first at gate `first`. */
export interface RowPart {
  readonly row: number;
  readonly values: Variable;
  readonly stride: number;
  readonly first: number;
}

/** The time steps of one op, as a strategy records them. */
export interface Recurrence {
  /** Rows of H·G numbers of the packed weights, those of U among them, by pass. */
  readonly weightRows: { readonly forward: number; readonly backward: number };
  /** What lies behind U and b_hh in those rows. */
  rowParts(weights: RecurrentWeights, pass: "forward" | "backward"): RowPart[];
  /** Whether its kernels add b_ih and b_hh and make their gradients. */
  readonly ownsBiases: boolean;
  /** A lane's share of `carry`, and its numbers a unit; dh and dc of each unit come first, side by side. */
  readonly carry: { readonly shape: Shape; readonly width: number };
  /** To be called when the initial states are in their slots. */
  begin?(h: View): void;
  /** Records the steps of a segment. @returns what the backward pass needs besides gates and states */
  forward(buffers: SegmentBuffers, weights: View, name: string, again: boolean): View | undefined;
  /**
   * Records BPTT of a segment; with `tail` also the product that takes its gradient on into `carry`.
   * @returns per lane the gradient of U·(operand) [steps, B, H, G]
   */
  backward(buffers: SegmentBuffers, saved: View | undefined, cotangents: Cotangents, tail: boolean): (lane: number) => View;
  /** What U is multiplied with, in the slots of h (default: h). */
  readonly operand?: View | undefined;
  /** To be called when all segments are done: gradients that were added up on the way. */
  finish?(tape: Tape, carry: View): void;
}

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
