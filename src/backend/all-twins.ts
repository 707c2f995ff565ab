/** Finds the twin of a kernel. */
import { activationTwins } from "../kernels/activations.twin.ts";
import { binaryTwins } from "../kernels/binary.twin.ts";
import { chooseTokensTwins } from "../kernels/choose-tokens.twin.ts";
import { columnSumTwins } from "../kernels/column-sum.twin.ts";
import { dropoutTwins } from "../kernels/dropout.twin.ts";
import { embeddingTwins } from "../kernels/embedding.twin.ts";
import { gradientNormTwins } from "../kernels/gradient-norm.twin.ts";
import { halfStorageTwins } from "../kernels/half-storage.twin.ts";
import type { Bindings, Kernel, ParamTypes } from "../kernels/kernel.ts";
import { lossTwins } from "../kernels/losses.twin.ts";
import { maskStepsTwins } from "../kernels/mask-steps.twin.ts";
import { matmulTwins } from "../kernels/matmul.twin.ts";
import { optimizerTwins } from "../kernels/optimizers.twin.ts";
import { perUnitGradientTwins } from "../recurrent/kernels/per-unit-gradient.twin.ts";
import { prepareLayerTwins } from "../recurrent/kernels/prepare-layer.twin.ts";
import { families } from "../recurrent/strategies/families.ts";
import { sampleTokenTwins } from "../kernels/sample-token.twin.ts";
import { shiftRowsTwins } from "../kernels/shift-rows.twin.ts";
import { softmaxTwins } from "../kernels/softmax.twin.ts";
import { stepBitsTwins } from "../kernels/step-bits.twin.ts";
import { stridedCopyTwins } from "../kernels/strided-copy.twin.ts";
import { cumulativeSumTwins } from "../kernels/cumulative-sum.twin.ts";
import { extremeTwins } from "../kernels/extreme.twin.ts";
import { normalizeTwins } from "../kernels/normalize.twin.ts";
import { pickTwins } from "../kernels/pick.twin.ts";
import { windowTwins } from "../kernels/windows.twin.ts";
import { unaryTwins } from "../kernels/unary.twin.ts";
import { stemOf, type Twin } from "../kernels/twin.ts";

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
  ...perUnitGradientTwins,
  ...prepareLayerTwins,
  ...sampleTokenTwins,
  ...shiftRowsTwins,
  ...softmaxTwins,
  ...stepBitsTwins,
  ...stridedCopyTwins,
  ...families.flatMap(({ twins }) => twins),
  ...unaryTwins,
  ...pickTwins,
  ...windowTwins,
  ...extremeTwins,
  ...cumulativeSumTwins,
  ...normalizeTwins,
]);

/** What the kernel computes, in plain loops. */
export function twinOf<B extends Bindings, P extends ParamTypes>(kernel: Kernel<B, P>): Twin<B, P> {
  return all.get(stemOf(kernel))!(kernel);
}
