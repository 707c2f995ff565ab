/** Every kernel, for tests and tools that need all of them. A strategy appears once for each cell. */
import { activationBackward, activationForward } from "../kernels/activations.ts";
import { binary } from "../kernels/binary.ts";
import { allCells } from "../recurrent/cells/all-cells.ts";
import { phasesOf, type Cell } from "../recurrent/cells/cell.ts";
import { functionOf, usualFunctions, type GateFunction } from "../recurrent/cells/gate-functions.ts";
import { gruResetBefore } from "../recurrent/cells/gru-reset-before.ts";
import { gru, gruCell } from "../recurrent/cells/gru.ts";
import { lstm, lstmCell } from "../recurrent/cells/lstm.ts";
import { minGru } from "../recurrent/cells/min-gru.ts";
import { minLstm } from "../recurrent/cells/min-lstm.ts";
import { rnnCell, rnnTanh } from "../recurrent/cells/rnn.ts";
import { slstmCell } from "../recurrent/cells/slstm.ts";
import { chooseTokens } from "../kernels/choose-tokens.ts";
import { columnSum } from "../kernels/column-sum.ts";
import { dropout } from "../kernels/dropout.ts";
import { embeddingGather, embeddingScatter } from "../kernels/embedding.ts";
import { gradientNorm, gradientNormPartial } from "../kernels/gradient-norm.ts";
import { fromHalf, toHalf } from "../kernels/half-storage.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { binaryCrossEntropy, crossEntropy, lossSum, squaredError } from "../kernels/losses.ts";
import { maskSteps } from "../kernels/mask-steps.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM } from "../kernels/matmul.ts";
import { adam, rmsprop, sgd } from "../kernels/optimizers.ts";
import { loopBackward, loopForward, loopTwoPhaseBackward, loopTwoPhaseForward } from "../recurrent/kernels/loop.ts";
import { perUnitGradient } from "../recurrent/kernels/per-unit-gradient.ts";
import { regularizedBackward, regularizedForward } from "../recurrent/kernels/regularized.ts";
import type { RegularizedForm } from "../recurrent/kernels/regularized-layout.ts";
import { prepareLayer } from "../recurrent/kernels/prepare-layer.ts";
import { scanBackward, scanForward } from "../recurrent/kernels/scan.ts";
import { stepBackward, stepForward } from "../recurrent/kernels/step.ts";
import { twoPhaseBackward, twoPhaseForward } from "../recurrent/kernels/two-phase.ts";
import { advancePosition, sampleToken } from "../kernels/sample-token.ts";
import { softmaxBackward, softmaxForward } from "../kernels/softmax.ts";
import { stridedCopy } from "../kernels/strided-copy.ts";

/** Cells with one product a step, and those with two. */
export const cells = allCells.filter((cell) => !cell.isLinear && phasesOf(cell) === 1);
export const twoPhaseCells = allCells.filter((cell) => phasesOf(cell) === 2);
/** Cells whose steps a scan can take together. */
export const scannedCells = allCells.filter(({ isLinear }) => isLinear);

const slstm = slstmCell("sigmoid");
const peepholeLstm = lstmCell({ forgetGate: "gate", peepholes: true });
/** Of an RNN, those that no listed cell has. */
const otherFunctions: readonly GateFunction[] = [
  functionOf("Sigmoid"),
  functionOf("Affine", 0.8, -0.1),
  functionOf("ThresholdedRelu", 0.3),
];
/**
 * Cells and forms that together compile every branch, each with the number of units that decides its number of threads.
 */
const regularized: readonly (readonly [Cell, number, RegularizedForm])[] = [
  [lstm, 33, { normalization: "layer", zones: true, drops: true, fused: true }],
  [lstm, 33, { normalization: "batch", zones: true, drops: true, fused: false }],
  [gru, 33, { normalization: "layer", zones: false, drops: false, fused: false }],
  [gruCell({ reset: false, updateGate: "writes" }), 33, { normalization: "layer", zones: true, drops: false, fused: true }],
  [rnnTanh, 33, { normalization: "batch", zones: false, drops: true, fused: false, gaps: true }],
  [peepholeLstm, 33, { normalization: "none", zones: true, drops: true, fused: true, gaps: true }],
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
  perUnitGradient,
  ...cells.flatMap((cell) => [stepForward(cell), stepBackward(cell), loopForward(cell, 33, 4), loopBackward(cell, 33, 4)]),
  ...otherFunctions
    .map((candidate) => rnnCell({ ...usualFunctions, candidate }))
    .flatMap((cell) => [stepForward(cell), stepBackward(cell)]),
  // As GPUs run them, with 1, 3 and 4 gates.
  ...[rnnTanh, gru, lstm].flatMap((cell) => [
    stepForward(cell, { eights: true }),
    stepBackward(cell, { eights: true }),
    loopForward(cell, 33, 4, { eights: true }),
    loopBackward(cell, 33, 4, { eights: true }),
  ]),
  loopForward(lstm, 33, 1, { eights: true }),
  loopBackward(lstm, 33, 1, { eights: true }),
  stepForward(lstm, { stacked: true, eights: true }),
  stepBackward(gru, { stacked: true, half: true, eights: true }),
  stepForward(gru, { stacked: true }),
  stepBackward(gru, { stacked: true }),
  stepForward(lstm, { stacked: true, half: true }),
  stepBackward(lstm, { stacked: true, half: true }),
  toHalf,
  fromHalf,
  stepForward(rnnTanh, { half: true, gaps: true }),
  stepBackward(gru, { half: true, gaps: true }),
  loopForward(gru, 33, 4, { half: true, gaps: true }),
  loopBackward(lstm, 33, 4, { half: true, gaps: true }),
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
  loopTwoPhaseBackward(gruResetBefore, 33, { half: true, gaps: true }),
  twoPhaseForward(gruResetBefore, 1, { half: true, gaps: true }),
  ...scannedCells.flatMap((cell) => [scanForward(cell), scanBackward(cell)]),
  // The same cells by single steps and by the loop, which have no product then; and blocks of a recurrent matrix.
  ...[minGru, minLstm].flatMap((cell) => [stepForward(cell), stepBackward(cell)]),
  loopForward(minGru, 33, 4),
  loopBackward(minGru, 33, 4),
  stepForward(slstm, { heads: 3 }),
  stepBackward(slstm, { heads: 3 }),
  stepForward(slstm, { heads: 3, stacked: true }),
  stepBackward(slstm, { heads: 3, stacked: true }),
  loopForward(slstm, 33, 4, { heads: 3 }),
  loopBackward(slstm, 33, 4, { heads: 3 }),
  scanForward(minGru, { gaps: true }),
  scanBackward(minGru, { gaps: true }),
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
