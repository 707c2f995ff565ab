/**
 * What recurrent layers can do only where `webgpu-rnn/full` is loaded: normalisation, zoneout, recurrent dropout and
 * projection. They are as many bytes again as the layers themselves, so that pages that do without do not load them; an
 * option that needs them says where they are.
 */
import { RnnError } from "../errors.ts";
import type { Normalization } from "../kernels/regularized-layout.ts";
import type { Lane, RecurrentOptions, RecurrentResult } from "../ops/recurrent.ts";
import type { Gains } from "../ops/recurrent-input.ts";
import type { Cell } from "../kernels/cells/cell.ts";
import type { Variable } from "../ops/tape.ts";
import type { MakeWalk } from "../ops/walk.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Context } from "./context.ts";
import type { Initializer } from "./initializers.ts";

/** Options of recurrent layers that act between product and cell, or on the states; with the layers of `webgpu-rnn/full`. */
export interface RegularizationOptions {
  /**
   * Both sides of the gates, γ_x⊙N(W·x_t) + b_ih and γ_h⊙N(U·h_{t-1}) + b_hh, and of an LSTM what h is read out of,
   * γ_c⊙N(c_t) + β_c, with N(v) = (v - mean) / √(variance + 1e-5): "layer" over the units of a row (Ba et al. 2016; all
   * gates together, of a GRU the candidate by itself), gains 1 at first; "batch" over the rows of the batch, at each step
   * by itself (Cooijmans et al. 2017), gains 0.1 at first, with running statistics for inference. Default "none".
   */
  normalization?: Normalization;
  /**
   * With "batch": steps that have running statistics of their own, those after them share the last one's. Steps are
   * counted from the first of each call and of each training batch, so that a sequence that goes on from a given state
   * meets those of the first steps again; with 1, all steps share one set. In training, a step that only one row reaches
   * normalises to zero, and a batch of a single row is refused. They are in the state dictionary as `running_l{k}`
   * [normalizedSteps, (4·G + 2)·H], without the 2 if the cell is not an LSTM's, G counting gates without parameters too:
   * means and variances of W·x, of U·h, of c; each step of a new batch is 0.1 of its own.
   */
  normalizedSteps?: number;
  /**
   * Probability that a unit keeps h, or c, of the step before, drawn anew at each step; in inference the expected
   * mixture of both (Krueger et al. 2017). A number is for both. Default 0.
   */
  zoneout?: number | { h?: number; c?: number };
  /**
   * Probability that an element of h_{t-1} is 0 in U·h_{t-1} (the others are divided by the rest), the same elements at
   * every step of a sequence (Gal & Ghahramani 2016); in training. Default 0.
   */
  recurrentDropout?: number;
}

/** A layer's regularization. */
export interface RegularizedLayer {
  /** Whether anything is to be done; in inference nothing is dropped. */
  acts(training: boolean): boolean;
  /** First value of the gains, and whether the memory has some; undefined if nothing is normalised. */
  readonly gains: { readonly first: number; readonly memory: boolean } | undefined;
  gainsOf(context: Context, suffix: string, bias: boolean): Gains | undefined;
  /** Shape of the running statistics of H units; undefined if none are kept. */
  readonly runningShape: ((H: number) => Shape) | undefined;
  readonly firstStatistics: Initializer;
  /** For an op of so many lanes, the first of which has this suffix. */
  walkOf(context: Context, lanes: number, suffix: string): MakeWalk | undefined;
}

export interface LayerExtension {
  /** @throws RnnError `option` for what is out of range or does not go together */
  readonly regularizer: (where: string, cell: Cell, options: RegularizationOptions, projects: boolean) => RegularizedLayer;
  readonly projected: (context: Context, weight: Variable, x: Variable, lane: Lane, lengths: RecurrentOptions["lengths"], walk: (lane: Lane, input: Variable) => RecurrentResult) => RecurrentResult;
}

let loaded: LayerExtension | undefined;

/** Called by `webgpu-rnn/full`. */
export function extendLayers(extension: LayerExtension): void {
  loaded = extension;
}

export const regularizationNames = ["normalization", "normalizedSteps", "zoneout", "recurrentDropout"] as const;

/** Values that ask for nothing, and so do not need the extension. */
const neutral = { normalization: "none", normalizedSteps: undefined, zoneout: 0, recurrentDropout: 0, projSize: 0 };

/**
 * The extension, if one of the options needs it.
 * @throws RnnError `option` if it is not loaded
 */
export function extensionFor(where: string, options: RegularizationOptions & { projSize?: number }): LayerExtension | undefined {
  const asked = [...regularizationNames, "projSize" as const].find((name) => (options[name] ?? neutral[name]) !== neutral[name]);
  if (asked === undefined) return undefined;
  if (!loaded) throw new RnnError("option", where, `${asked} is part of "webgpu-rnn/full"; import ${where} from there`);
  return loaded;
}
