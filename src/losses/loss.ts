/** Losses. Each records its value and the gradient of its input together, and puts the gradient on the tape. */
import { checkChoice, checkInteger, RnnError, show } from "../errors.ts";
import {
  binaryCrossEntropy as binaryCrossEntropyKernel,
  crossEntropy as crossEntropyKernel,
  normalizerOf,
  squaredError as squaredErrorKernel,
} from "../kernels/losses.ts";
import { hasMethods, takeOptions } from "../options.ts";
import type { Tape, Variable } from "../autodiff/tape.ts";
import type { View } from "../recording/recording.ts";
import { checkShape, sizeOf, type Shape } from "../tensor/shape.ts";
import { finite, integers, takeTensor, weights } from "../tensor/take.ts";
import { checkFinite, checkIds, type NumericArray, type Tensor } from "../tensor/tensor.ts";

/** The quantity that training minimises; made by `crossEntropy`, `binaryCrossEntropy` or `squaredError`. */
export interface Loss {
  readonly name: string;
  /** How the losses of a batch are combined: their mean over the targets (default), their sum, or half their sum. */
  readonly reduction?: Reduction | "halfSum";
  /** Element type of the targets' buffer: class indices or numbers. */
  readonly targetType: "i32" | "f32";
  /** Shape of the targets for a prediction of this shape. */
  targetShape(prediction: Shape): Shape;
  /** @throws RnnError `data` if the targets are invalid */
  checkTargets(targets: NumericArray, prediction: Shape): void;
  /** [Σ weights of the targets that count, factor of the sum of losses]; weights default to 1. */
  normalizer(targets: NumericArray, weights: NumericArray | undefined): Float64Array;
  /**
   * Records the losses and seeds ∂L/∂prediction, with L = factor · Σ losses.
   * @param weights one per target, none negative; 0 leaves it out of the loss and of the mean
   * @param normalizer [2], the result of `normalizer` for these targets and weights
   * @returns the losses, one per target
   */
  record(tape: Tape, prediction: Variable, targets: View, weights: View, normalizer: View): View;
}

/** @throws RnnError `option` unless `loss` is one */
export function checkLoss(where: string, loss: unknown): void {
  if (!hasMethods(loss, "record", "targetShape", "checkTargets", "normalizer") || typeof (loss as Loss).name !== "string")
    throw new RnnError("option", where, `loss must come from crossEntropy() or another loss function, got ${show(loss)}`);
}

/** Checks and copies targets as they are at this moment. @throws RnnError `shape` or `data` */
export const takeTargets = (loss: Loss, targets: unknown, shape?: Shape): Tensor =>
  takeTensor(loss.name, "targets", targets, loss.targetType === "i32" ? integers : finite, shape);

/** Checks and copies a mask as it is at this moment. @throws RnnError `shape`, or `data` if a weight is negative */
export const takeMask = (loss: Loss, mask: unknown, shape?: Shape): Tensor => takeTensor(loss.name, "mask", mask, weights, shape);

type Reduction = "mean" | "sum";

/**
 * Softmax cross-entropy in nats on class indices, as PyTorch's `CrossEntropyLoss`: the mean (or sum) of
 * -ln softmax(logits)_target over targets that are not `ignoreIndex` (default -100), weighted by the mask.
 * Logits [..., classes], targets [...].
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function crossEntropy(given: { ignoreIndex?: number; reduction?: Reduction } = {}): Loss {
  const options = takeOptions("crossEntropy", given, ["ignoreIndex", "reduction"]);
  const ignoreIndex = checkInteger("crossEntropy", "ignoreIndex", options.ignoreIndex ?? -100, -(2 ** 31), 2 ** 31 - 1);
  const reduction = checkChoice("crossEntropy", "reduction", options.reduction ?? "mean", ["mean", "sum"]);
  return {
    name: "crossEntropy",
    reduction,
    targetType: "i32",
    targetShape: (prediction) => prediction.slice(0, -1),
    checkTargets(targets, prediction) {
      checkIds("crossEntropy", "targets", targets, prediction[prediction.length - 1], ignoreIndex);
    },
    normalizer: (targets, weights) => normalizerOf(targets, weights, { ignoreIndex, mean: reduction === "mean" }),
    record(tape, prediction, targets, weights, normalizer) {
      const { recording } = tape;
      const columns = prediction.shape[prediction.shape.length - 1];
      const rows = sizeOf(prediction.shape) / columns;
      const losses = recording.buffer("loss.rows", [rows]);
      const dLogits = recording.buffer("d.logits", prediction.shape);
      recording.dispatch(
        crossEntropyKernel,
        { logits: prediction.view, targets, weights, normalizer, losses, dLogits },
        { rows, columns, ignoreIndex },
      );
      tape.seed(prediction, dLogits);
      return losses;
    },
  };
}

function elementLoss(
  name: string,
  reduction: Loss["reduction"],
  record: (tape: Tape, views: { x: View; targets: View; weights: View; normalizer: View; losses: View; dx: View }, length: number) => void,
  check?: (targets: NumericArray) => void,
): Loss {
  return {
    name,
    reduction,
    targetType: "f32",
    targetShape: (prediction) => prediction,
    checkTargets(targets) {
      checkFinite(name, "targets", targets);
      check?.(targets);
    },
    normalizer: (targets, weights) => normalizerOf(targets, weights, { mean: reduction === "mean" }),
    record(tape, prediction, targets, weights, normalizer) {
      const { recording } = tape;
      const length = sizeOf(prediction.shape);
      checkShape(name, "weights", weights.shape, prediction.shape);
      const losses = recording.buffer("loss.elements", prediction.shape);
      const dx = recording.buffer("d.prediction", prediction.shape);
      record(tape, { x: prediction.view, targets, weights, normalizer, losses, dx }, length);
      tape.seed(prediction, dx);
      return losses;
    },
  };
}

/**
 * Binary cross-entropy on logits, as PyTorch's `BCEWithLogitsLoss`: the mean (or sum) of
 * -t ln σ(x) - (1 - t) ln(1 - σ(x)), weighted by the mask. Targets t in [0, 1], of the logits' shape.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function binaryCrossEntropy(given: { reduction?: Reduction } = {}): Loss {
  const options = takeOptions("binaryCrossEntropy", given, ["reduction"]);
  const reduction = checkChoice("binaryCrossEntropy", "reduction", options.reduction ?? "mean", ["mean", "sum"]);
  return elementLoss(
    "binaryCrossEntropy",
    reduction,
    (tape, views, length) => tape.recording.dispatch(binaryCrossEntropyKernel, views, { length }),
    (targets) => {
      const bad = targets.findIndex((t) => t < 0 || t > 1);
      if (bad >= 0) throw new RnnError("data", "binaryCrossEntropy", `targets must be from 0 to 1, got ${targets[bad]} at index ${bad}`);
    },
  );
}

/**
 * Squared error: the "mean" of (y - t)² as PyTorch's `MSELoss` (default), its "sum", or "halfSum" ½Σ(y - t)²,
 * weighted by the mask. Targets t of the prediction's shape.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function squaredError(given: { reduction?: Reduction | "halfSum" } = {}): Loss {
  const options = takeOptions("squaredError", given, ["reduction"]);
  const reduction = checkChoice("squaredError", "reduction", options.reduction ?? "mean", ["mean", "sum", "halfSum"]);
  const factor = reduction === "halfSum" ? 0.5 : 1;
  return elementLoss("squaredError", reduction, (tape, views, length) =>
    tape.recording.dispatch(squaredErrorKernel, views, { length, factor }),
  );
}
