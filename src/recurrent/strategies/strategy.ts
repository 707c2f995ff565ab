/**
 * A strategy computes the time steps of a recurrent layer: it chooses the kernels and the dispatches, and states the layers
 * that it refuses. measured.ts says which of several is fastest on a device with a profile, estimate.ts on another GPU.
 */
import type { Avoided } from "../../kernels/self-test.ts";
import type { View } from "../../recording/recording.ts";
import type { Target } from "../../recording/target.ts";
import type { Tape, Variable } from "../../autodiff/tape.ts";
import type { Cell } from "../cells/cell.ts";
import type { RecurrentWeights } from "../input.ts";
import type { Segment } from "../kernels/lanes.ts";
import type { KernelForm } from "../kernels/recurrent-kernel.ts";
import type { Regularization } from "../regularized.ts";

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
  /** Groups of units that read only their own group's states (default 1). */
  readonly heads?: number;
  /** Whether kernels read the recurrent weights in half precision (default false). */
  readonly half?: boolean;
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
  /** Whether a choice names it as a reason: not where the strategy is for a few layers only (default false). */
  readonly isReason?: boolean;
  applies(layer: Required<LayerShape>, target: Target): boolean;
  /** The reason, worded to follow the strategy's name. */
  because(layer: Required<LayerShape>, target: Target): string;
}

export interface Strategy {
  readonly name: string;
  /** Its advantage, in the words that explain a choice. */
  readonly advantage: string;
  readonly refusals: readonly Refusal[];
  /** How the names of its kernels begin, if another strategy takes its place where the self-test finds one wrong. */
  readonly stems: readonly string[];
  /** Whether the self-test has found one of its kernels for this layer wrong. */
  isBroken(layer: Required<LayerShape>, avoided: Avoided): boolean;
  /** Why the next strategy is better for this layer if nothing was measured. */
  defers?(layer: Required<LayerShape>, target: Target): string | undefined;
  /** Whether it is chosen wherever it can run; else measured times decide, or the order of the list (default false). */
  readonly comesFirst?: boolean;
  /** Records a segment of a cell with one phase, without normalization, zoneout or recurrentDropout. */
  readonly forward: Dispatches["forward"];
  /** The same for the way back (default: that of `backward.ts`). */
  readonly backward?: Dispatches["backward"];
  /** With normalization, zoneout or recurrentDropout: whether one dispatch does all steps, or a product and a dispatch do each. */
  readonly fuses: boolean;
}

/** Records the kernels of a segment, in both passes. */
export interface Dispatches {
  readonly forward: (site: Site, buffers: SegmentBuffers, weights: View) => void;
  /** `tail` adds the product that takes the gradient of the segment's first step into `carry`. */
  readonly backward: (site: Site, buffers: SegmentBuffers, cotangents: Cotangents & { readonly dRecurrent: View }, tail: boolean) => void;
}

/** The op that a strategy records, and its tape. */
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
