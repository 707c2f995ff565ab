/** Every kernel, for the tests and tools that walk them all: a strategy appears once per cell. */
import { activationBackward, activationForward } from "./activations.ts";
import type { Cell } from "./cells/cell.ts";
import { gruResetBefore } from "./cells/gru-reset-before.ts";
import { gru } from "./cells/gru.ts";
import { lstm } from "./cells/lstm.ts";
import { rnnRelu, rnnTanh } from "./cells/rnn.ts";
import type { TwoPhaseCell } from "./cells/two-phase-cell.ts";
import { columnSum } from "./column-sum.ts";
import { dropout } from "./dropout.ts";
import { embeddingGather, embeddingScatter } from "./embedding.ts";
import { gradientNorm, gradientNormPartial } from "./gradient-norm.ts";
import type { Kernel } from "./kernel.ts";
import { binaryCrossEntropy, crossEntropy, lossSum, squaredError } from "./losses.ts";
import { maskSteps } from "./mask-steps.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM } from "./matmul.ts";
import { adam, rmsprop, sgd } from "./optimizers.ts";
import { loopBackward, loopForward, loopTwoPhaseBackward, loopTwoPhaseForward } from "./recurrent-loop.ts";
import { prepareLayer } from "./prepare-layer.ts";
import { stepBackward, stepForward } from "./recurrent-step.ts";
import { twoPhaseBackward, twoPhaseForward } from "./recurrent-two-phase.ts";
import { advancePosition, sampleToken } from "./sample-token.ts";
import { softmaxBackward, softmaxForward } from "./softmax.ts";
import { stridedCopy } from "./strided-copy.ts";

export const cells: readonly Cell[] = [rnnTanh, rnnRelu, gru, lstm];
export const twoPhaseCells: readonly TwoPhaseCell[] = [gruResetBefore];

export const kernels: readonly Kernel[] = [
  matmulNaive, matmulSmallM, ...matmulBlocks, ...matmulBlocksWithSums, stridedCopy, prepareLayer,
  ...cells.flatMap((cell) => [stepForward(cell), stepBackward(cell), loopForward(cell, 33, 4), loopBackward(cell, 33, 4)]),
  stepForward(gru, true), stepBackward(gru, true), stepForward(lstm, true), stepBackward(lstm, true),
  loopForward(lstm, 256, 4), loopBackward(lstm, 256, 4), loopForward(lstm, 33, 1), loopBackward(gru, 33, 1),
  ...twoPhaseCells.flatMap((cell) => [
    twoPhaseForward(cell, 0), twoPhaseForward(cell, 1), twoPhaseBackward(cell, 0), twoPhaseBackward(cell, 1),
    loopTwoPhaseForward(cell, 33), loopTwoPhaseBackward(cell, 33),
  ]),
  activationForward, activationBackward, softmaxForward, softmaxBackward, dropout, maskSteps, columnSum,
  embeddingGather, embeddingScatter,
  crossEntropy, binaryCrossEntropy, squaredError, lossSum,
  gradientNormPartial, gradientNorm, sgd, rmsprop, adam,
  sampleToken, advancePosition,
];
