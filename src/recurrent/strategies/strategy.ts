/**
 * A strategy computes the time steps of a recurrent layer: it chooses the kernels and the dispatches. It states the
 * layers that it refuses and the cost of a layer, and makes the `Recurrence` that a layer's op (sequence.ts) records.
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

/** The facts about a recurrent layer, or a stack of them, that decide the strategy. */
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

/** A reason why a strategy cannot run a layer. */
export interface Refusal {
  /** The layers it refuses, for the documents. */
  readonly layers: string;
  applies(layer: Required<LayerShape>, target: Target): boolean;
  /** The reason, worded to follow the strategy's name. */
  because(layer: Required<LayerShape>): string;
}

export interface Strategy {
  readonly name: StrategyName;
  readonly refusals: readonly Refusal[];
  /** Whether the self-test has found one of its kernels for this layer wrong. */
  isBroken(layer: Required<LayerShape>, avoided: Avoided): boolean;
  /** Predicts the milliseconds of all time steps from the profile. A strategy without it is chosen wherever it can run. */
  cost?(layer: Required<LayerShape>, profile: DeviceProfile): number;
  make(site: Site): Recurrence;
}

/** The op of a tape that a strategy works for. */
export interface Site {
  readonly tape: Tape;
  readonly label: string;
  readonly cell: Cell;
  /** The whole sequence. */
  readonly whole: Segment;
  readonly lanes: readonly SiteLane[];
  readonly form: KernelForm;
  /** Normalisation, zoneout or recurrent dropout, if the layer has any. */
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

/** The buffers that the backward pass of a segment reads; it writes `carry` too. */
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

/** The time steps of one op; a strategy records them. */
export interface Recurrence {
  /** Rows of the packed weights in each pass, with those of U; each row has H·G numbers. */
  readonly weightRows: { readonly forward: number; readonly backward: number };
  /** The parameters in the rows behind U and b_hh. */
  rowParts(weights: RecurrentWeights, pass: "forward" | "backward"): RowPart[];
  /** Whether its kernels add b_ih and b_hh and make their gradients. */
  readonly ownsBiases: boolean;
  /** A lane's share of `carry`, with `width` numbers per unit. dh and dc of each unit come first, side by side. */
  readonly carry: { readonly shape: Shape; readonly width: number };
  /** Called when the initial states are in their slots. */
  begin?(h: View): void;
  /** Records the steps of a segment. @returns further numbers that the backward pass needs */
  forward(buffers: SegmentBuffers, weights: View, name: string, again: boolean): View | undefined;
  /**
   * Records BPTT of a segment. `tail` adds the product that takes its gradient into `carry`.
   * @returns per lane the gradient of U·(operand) [steps, B, H, G]
   */
  backward(buffers: SegmentBuffers, saved: View | undefined, cotangents: Cotangents, tail: boolean): (lane: number) => View;
  /** The operand of U, in the slots of h (default: h). */
  readonly operand?: View | undefined;
  /** Called when all segments are done; records the gradients that were added up on the way. */
  finish?(tape: Tape, carry: View): void;
}

/** A buffer with a share for each lane. A single lane's buffer has the lane's own shape. */
export interface LaneBuffer {
  readonly whole: View;
  readonly of: (lane: number) => View;
}

export function laneBuffer(recording: Recording, label: string, lanes: number, shape: Shape, width = 1): LaneBuffer {
  const size = sizeOf(shape) / width;
  const whole = recording.buffer(label, lanes === 1 ? shape : [(laneStart(lanes - 1, size) + size) * width]);
  return { whole, of: (lane) => subview(whole, laneStart(lane, size) * width, shape) };
}
