/** WGSL that most models need. */
import adam from "../../../../shaders/adam.wgsl";
import advancePosition from "../../../../shaders/advance-position.wgsl";
import cellLstm from "../../../../shaders/cells/lstm.wgsl";
import chooseTokens from "../../../../shaders/choose-tokens.wgsl";
import columnSum from "../../../../shaders/column-sum.wgsl";
import crossEntropy from "../../../../shaders/cross-entropy.wgsl";
import embeddingGather from "../../../../shaders/embedding-gather.wgsl";
import embeddingScatter from "../../../../shaders/embedding-scatter.wgsl";
import gradientNorm from "../../../../shaders/gradient-norm.wgsl";
import gradientNormPartial from "../../../../shaders/gradient-norm-partial.wgsl";
import activationsLib from "../../../../shaders/lib/activations.wgsl";
import cellLib from "../../../../shaders/lib/cell.wgsl";
import cellWeightsLib from "../../../../shaders/lib/cell-weights.wgsl";
import finiteLib from "../../../../shaders/lib/finite.wgsl";
import foldLib from "../../../../shaders/lib/fold.wgsl";
import gateFunctions from "../../../../shaders/lib/gate-functions.wgsl";
import gradientLib from "../../../../shaders/lib/gradient.wgsl";
import laneLib from "../../../../shaders/lib/lane.wgsl";
import linearIndex from "../../../../shaders/lib/linear-index.wgsl";
import matmulLib from "../../../../shaders/lib/matmul.wgsl";
import noRowSums from "../../../../shaders/lib/no-row-sums.wgsl";
import operandsStrided from "../../../../shaders/lib/operands-strided.wgsl";
import operandsVec4 from "../../../../shaders/lib/operands-vec4.wgsl";
import philoxLib from "../../../../shaders/lib/philox.wgsl";
import rowSums from "../../../../shaders/lib/row-sums.wgsl";
import rowsLib from "../../../../shaders/lib/rows.wgsl";
import weightsFloat from "../../../../shaders/lib/weights-float.wgsl";
import lossSum from "../../../../shaders/loss-sum.wgsl";
import matmulBlock from "../../../../shaders/matmul-block.wgsl";
import matmulSmallM from "../../../../shaders/matmul-small-m.wgsl";
import matmulSplit from "../../../../shaders/matmul-split.wgsl";
import sampleToken from "../../../../shaders/sample-token.wgsl";
import loopBackward from "../../../../shaders/strategies/loop-backward.wgsl";
import loopForward from "../../../../shaders/strategies/loop-forward.wgsl";
import prepareLayer from "../../../../shaders/strategies/prepare-layer.wgsl";
import stepBackward from "../../../../shaders/strategies/step-backward.wgsl";
import stepForward from "../../../../shaders/strategies/step-forward.wgsl";
import stridedCopy from "../../../../shaders/strided-copy.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  adam: adam,
  "advance-position": advancePosition,
  "cells/lstm": cellLstm,
  "choose-tokens": chooseTokens,
  "column-sum": columnSum,
  "cross-entropy": crossEntropy,
  "embedding-gather": embeddingGather,
  "embedding-scatter": embeddingScatter,
  "gradient-norm": gradientNorm,
  "gradient-norm-partial": gradientNormPartial,
  "lib/activations": activationsLib,
  "lib/cell": cellLib,
  "lib/cell-weights": cellWeightsLib,
  "lib/finite": finiteLib,
  "lib/fold": foldLib,
  "lib/gate-functions": gateFunctions,
  "lib/gradient": gradientLib,
  "lib/lane": laneLib,
  "lib/linear-index": linearIndex,
  "lib/matmul": matmulLib,
  "lib/no-row-sums": noRowSums,
  "lib/operands-strided": operandsStrided,
  "lib/operands-vec4": operandsVec4,
  "lib/philox": philoxLib,
  "lib/row-sums": rowSums,
  "lib/rows": rowsLib,
  "lib/weights-float": weightsFloat,
  "loss-sum": lossSum,
  "matmul-block": matmulBlock,
  "matmul-small-m": matmulSmallM,
  "matmul-split": matmulSplit,
  "sample-token": sampleToken,
  "strategies/loop-backward": loopBackward,
  "strategies/loop-forward": loopForward,
  "strategies/prepare-layer": prepareLayer,
  "strategies/step-backward": stepBackward,
  "strategies/step-forward": stepForward,
  "strided-copy": stridedCopy,
};
