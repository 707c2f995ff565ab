/** Finds the twin of a kernel. */
import { activationTwins } from "./activations.twin.ts";
import { binaryTwins } from "./binary.twin.ts";
import { chooseTokensTwins } from "./choose-tokens.twin.ts";
import { columnSumTwins } from "./column-sum.twin.ts";
import { dropoutTwins } from "./dropout.twin.ts";
import { embeddingTwins } from "./embedding.twin.ts";
import { gradientNormTwins } from "./gradient-norm.twin.ts";
import { halfStorageTwins } from "./half-storage.twin.ts";
import type { Bindings, Kernel, ParamTypes } from "./kernel.ts";
import { lossTwins } from "./losses.twin.ts";
import { maskStepsTwins } from "./mask-steps.twin.ts";
import { matmulTwins } from "./matmul.twin.ts";
import { optimizerTwins } from "./optimizers.twin.ts";
import { peepholeGradientTwins } from "./peephole-gradient.twin.ts";
import { prepareLayerTwins } from "./prepare-layer.twin.ts";
import { loopTwins } from "./recurrent-loop.twin.ts";
import { regularizedTwins } from "./recurrent-regularized.twin.ts";
import { stepTwins } from "./recurrent-step.twin.ts";
import { twoPhaseTwins } from "./recurrent-two-phase.twin.ts";
import { sampleTokenTwins } from "./sample-token.twin.ts";
import { softmaxTwins } from "./softmax.twin.ts";
import { stridedCopyTwins } from "./strided-copy.twin.ts";
import { stemOf, type Twin } from "./twin.ts";

const all = new Map([
  ...activationTwins,
  ...binaryTwins,
  ...chooseTokensTwins,
  ...columnSumTwins,
  ...dropoutTwins,
  ...embeddingTwins,
  ...gradientNormTwins,
  ...halfStorageTwins,
  ...lossTwins,
  ...maskStepsTwins,
  ...matmulTwins,
  ...optimizerTwins,
  ...peepholeGradientTwins,
  ...prepareLayerTwins,
  ...sampleTokenTwins,
  ...softmaxTwins,
  ...stridedCopyTwins,
  ...stepTwins,
  ...loopTwins,
  ...twoPhaseTwins,
  ...regularizedTwins,
]);

/** What the kernel computes, in plain loops. */
export function twinOf<B extends Bindings, P extends ParamTypes>(kernel: Kernel<B, P>): Twin<B, P> {
  return all.get(stemOf(kernel))!(kernel);
}
