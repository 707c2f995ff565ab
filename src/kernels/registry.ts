/** Every kernel, for the tests and tools that walk them all: a strategy appears once per cell. */
import { activationBackward, activationForward } from "./activations.ts";
import { binary } from "./binary.ts";
import type { Cell } from "./cells/cell.ts";
import { gruResetBefore, gruResetBeforeCell } from "./cells/gru-reset-before.ts";
import { gru, gruCell } from "./cells/gru.ts";
import { lstm, lstmCell } from "./cells/lstm.ts";
import { rnnRelu, rnnTanh } from "./cells/rnn.ts";
import { chooseTokens } from "./choose-tokens.ts";
import { columnSum } from "./column-sum.ts";
import { dropout } from "./dropout.ts";
import { embeddingGather, embeddingScatter } from "./embedding.ts";
import { gradientNorm, gradientNormPartial } from "./gradient-norm.ts";
import { fromHalf, toHalf } from "./half-storage.ts";
import type { Kernel } from "./kernel.ts";
import { binaryCrossEntropy, crossEntropy, lossSum, squaredError } from "./losses.ts";
import { maskSteps } from "./mask-steps.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM } from "./matmul.ts";
import { adam, rmsprop, sgd } from "./optimizers.ts";
import { loopBackward, loopForward, loopTwoPhaseBackward, loopTwoPhaseForward } from "./recurrent-loop.ts";
import { peepholeGradient } from "./peephole-gradient.ts";
import { regularizedBackward, regularizedForward } from "./recurrent-regularized.ts";
import type { RegularizedForm } from "./regularized-layout.ts";
import { prepareLayer } from "./prepare-layer.ts";
import { stepBackward, stepForward } from "./recurrent-step.ts";
import { twoPhaseBackward, twoPhaseForward } from "./recurrent-two-phase.ts";
import { advancePosition, sampleToken } from "./sample-token.ts";
import { softmaxBackward, softmaxForward } from "./softmax.ts";
import { stridedCopy } from "./strided-copy.ts";

export const cells: readonly Cell[] = [
  rnnTanh,
  rnnRelu,
  gru,
  gruCell({ reset: true, updateGate: "writes" }),
  gruCell({ reset: false, updateGate: "writes" }),
  lstm,
  lstmCell({ forgetGate: "gate", outputActivation: "tanh", peepholes: true }),
  lstmCell({ forgetGate: "coupled", outputActivation: "identity", peepholes: true }),
  lstmCell({ forgetGate: "none", outputActivation: "tanh", peepholes: false }),
];
export const twoPhaseCells: readonly Cell[] = [gruResetBefore, gruResetBeforeCell("writes")];

const peepholeLstm = lstmCell({ forgetGate: "gate", outputActivation: "tanh", peepholes: true });
/** Cells and forms that between them compile each branch, with the units of a layer that the threads suit. */
const regularized: readonly (readonly [Cell, number, RegularizedForm])[] = [
  [lstm, 33, { normalization: "layer", zones: true, drops: true, fused: true }],
  [lstm, 33, { normalization: "batch", zones: true, drops: true, fused: false }],
  [gru, 33, { normalization: "layer", zones: false, drops: false, fused: false }],
  [gruCell({ reset: false, updateGate: "writes" }), 33, { normalization: "layer", zones: true, drops: false, fused: true }],
  [rnnTanh, 33, { normalization: "batch", zones: false, drops: true, fused: false }],
  [peepholeLstm, 33, { normalization: "none", zones: true, drops: true, fused: true }],
  [gru, 33, { normalization: "none", zones: true, drops: false, fused: false }],
];

export const kernels: readonly Kernel[] = [
  matmulNaive,
  matmulSmallM,
  ...matmulBlocks,
  ...matmulBlocksWithSums,
  stridedCopy,
  binary,
  prepareLayer,
  peepholeGradient,
  ...cells.flatMap((cell) => [stepForward(cell), stepBackward(cell), loopForward(cell, 33, 4), loopBackward(cell, 33, 4)]),
  stepForward(gru, { stacked: true }),
  stepBackward(gru, { stacked: true }),
  stepForward(lstm, { stacked: true, half: true }),
  stepBackward(lstm, { stacked: true, half: true }),
  toHalf,
  fromHalf,
  stepForward(rnnTanh, { half: true }),
  stepBackward(gru, { half: true }),
  loopForward(gru, 33, 4, { half: true }),
  loopBackward(lstm, 33, 4, { half: true }),
  loopForward(lstm, 256, 4),
  loopBackward(lstm, 256, 4),
  loopForward(lstm, 33, 1),
  loopBackward(gru, 33, 1),
  ...twoPhaseCells.flatMap((cell) => [
    twoPhaseForward(cell, 0),
    twoPhaseForward(cell, 1),
    twoPhaseBackward(cell, 0),
    twoPhaseBackward(cell, 1),
    loopTwoPhaseForward(cell, 33),
  ]),
  loopTwoPhaseBackward(gruResetBefore, 33, { half: true }),
  twoPhaseForward(gruResetBefore, 1, { half: true }),
  ...regularized.flatMap(([cell, units, form]) => [regularizedForward(cell, units, form), regularizedBackward(cell, units, form)]),
  activationForward,
  activationBackward,
  softmaxForward,
  softmaxBackward,
  dropout,
  maskSteps,
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
