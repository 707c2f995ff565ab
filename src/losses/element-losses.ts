/** Losses of single elements. */
import { checkChoice, RnnError } from "../errors.ts";
import { binaryCrossEntropy as binaryCrossEntropyKernel, squaredError as squaredErrorKernel } from "../kernels/element-losses.ts";
import { normalizerOf } from "../kernels/losses.ts";
import { takeOptions } from "../options.ts";
import type { Tape } from "../autodiff/tape.ts";
import type { View } from "../recording/recording.ts";
import { checkShape, sizeOf } from "../tensor/shape.ts";
import { checkFinite } from "../tensor/finite.ts";
import type { NumericArray } from "../tensor/tensor.ts";
import type { Loss, Reduction } from "./loss.ts";

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
