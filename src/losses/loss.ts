/** What a loss is. Each records its value and the gradient of its input together, and puts the gradient on the tape. */
import { RnnError, show } from "../errors.ts";
import { hasMethods } from "../options.ts";
import type { Tape, Variable } from "../autodiff/tape.ts";
import type { View } from "../recording/recording.ts";
import type { Shape } from "../tensor/shape.ts";
import { finite, integers, takeTensor, weights } from "../tensor/take.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";

export type Reduction = "mean" | "sum";

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
