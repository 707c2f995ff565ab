/** Every kernel, for tests and tools that need all of them. */
import { activationBackward, activationForward } from "../kernels/activations.ts";
import { binary, binaryGradient } from "../kernels/binary.ts";
import { chooseTokens } from "../kernels/choose-tokens.ts";
import { columnSum } from "../kernels/column-sum.ts";
import { crossEntropy } from "../kernels/cross-entropy.ts";
import { dropout } from "../kernels/dropout.ts";
import { binaryCrossEntropy, squaredError } from "../kernels/element-losses.ts";
import { embeddingGather, embeddingScatter } from "../kernels/embedding.ts";
import { gradientNorm, gradientNormPartial } from "../kernels/gradient-norm.ts";
import { fromHalf, toHalf } from "../kernels/half-storage.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { lossSum } from "../kernels/losses.ts";
import { maskSteps } from "../kernels/mask-steps.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM } from "../kernels/matmul.ts";
import { adam, rmsprop, sgd } from "../kernels/optimizers.ts";
import { perUnitGradient } from "../recurrent/kernels/per-unit-gradient.ts";
import { prepareLayer } from "../recurrent/kernels/prepare-layer.ts";
import { families } from "../recurrent/strategies/families.ts";
import { advancePosition, sampleToken } from "../kernels/sample-token.ts";
import { shiftRows } from "../kernels/shift-rows.ts";
import { softmaxBackward, softmaxForward } from "../kernels/softmax.ts";
import { stepBits } from "../kernels/step-bits.ts";
import { stridedCopy } from "../kernels/strided-copy.ts";
import { cumulativeSum } from "../kernels/cumulative-sum.ts";
import { extremeBackward, extremeForward } from "../kernels/extreme.ts";
import { normalizeBackward, normalizeForward } from "../kernels/normalize.ts";
import { pick } from "../kernels/pick.ts";
import { fold, unfold } from "../kernels/windows.ts";
import { unaryBackward, unaryForward } from "../kernels/unary.ts";

export const kernels: readonly Kernel[] = [
  matmulNaive,
  matmulSmallM,
  ...matmulBlocks,
  ...matmulBlocksWithSums,
  stridedCopy,
  binary,
  binaryGradient,
  unaryForward,
  unaryBackward,
  pick,
  shiftRows,
  unfold,
  fold,
  extremeForward,
  extremeBackward,
  cumulativeSum,
  normalizeForward,
  normalizeBackward,
  prepareLayer,
  perUnitGradient,
  toHalf,
  fromHalf,
  ...families.flatMap(({ variants }) => variants()),
  activationForward,
  activationBackward,
  softmaxForward,
  softmaxBackward,
  dropout,
  maskSteps,
  stepBits,
  columnSum,
  embeddingGather,
  embeddingScatter,
  crossEntropy,
  binaryCrossEntropy,
  squaredError,
  lossSum,
  gradientNormPartial,
  gradientNorm,
  sgd,
  rmsprop,
  adam,
  sampleToken,
  advancePosition,
  chooseTokens,
];
