import { checkChoice, checkInteger } from "../errors.ts";
import { crossEntropy as crossEntropyKernel } from "../kernels/cross-entropy.ts";
import { normalizerOf } from "../kernels/losses.ts";
import { takeOptions } from "../options.ts";
import { sizeOf } from "../tensor/shape.ts";
import { checkIds } from "../tensor/tensor.ts";
import type { Loss, Reduction } from "./loss.ts";

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
