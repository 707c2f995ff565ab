/** The WGSL files, by path below `shaders/` without extension: those that most models need, and others that are loaded when needed. */
import { shaders as common } from "./wgsl/common.ts";

type Shaders = Readonly<Record<string, string>>;

interface Chunk {
  readonly files: readonly string[];
  readonly load: () => Promise<{ readonly shaders: Shaders }>;
}

/** What only some layers need. */
const chunks: readonly Chunk[] = [
  {
    files: [
      "lib/no-read-out",
      "lib/regularized",
      "lib/regularized-gradient",
      "lib/running-statistics",
      "strategies/regularized-backward",
      "strategies/regularized-forward",
    ],
    load: () => import("./wgsl/regularized.ts"),
  },
  {
    files: [
      "cells/gru-reset-before",
      "lib/two-phase",
      "strategies/loop-two-phase-backward",
      "strategies/loop-two-phase-forward",
      "strategies/two-phase-backward",
      "strategies/two-phase-forward",
    ],
    load: () => import("./wgsl/two-phase.ts"),
  },
  {
    files: ["cells/min-gru", "cells/min-lstm", "lib/scan", "strategies/scan-backward", "strategies/scan-forward"],
    load: () => import("./wgsl/scan.ts"),
  },
];

/** What not every model has: other cells, losses, optimisers, and whatever stands in none of the lists. */
const further: Chunk["load"] = () => import("./wgsl/further.ts");

/** The text of a file, undefined if there is none of this path. */
export async function shaderText(path: string): Promise<string | undefined> {
  if (path in common) return common[path];
  const { shaders } = await (chunks.find(({ files }) => files.includes(path))?.load ?? further)();
  return shaders[path];
}

/** Every file. */
export async function allShaders(): Promise<Shaders> {
  const loaded = await Promise.all([...chunks.map(({ load }) => load()), further()]);
  return Object.assign({}, common, ...loaded.map(({ shaders }) => shaders)) as Shaders;
}
/** The WGSL files, by path below `shaders/` without extension. */
import activationBackward from "../../../shaders/activation-backward.wgsl";
import activationForward from "../../../shaders/activation-forward.wgsl";
import adam from "../../../shaders/adam.wgsl";
import advancePosition from "../../../shaders/advance-position.wgsl";
import binary from "../../../shaders/binary.wgsl";
import binaryCrossEntropy from "../../../shaders/binary-cross-entropy.wgsl";
import cellGru from "../../../shaders/cells/gru.wgsl";
import cellGruResetBefore from "../../../shaders/cells/gru-reset-before.wgsl";
import cellLstm from "../../../shaders/cells/lstm.wgsl";
import cellRnn from "../../../shaders/cells/rnn.wgsl";
import cellMinGru from "../../../shaders/cells/min-gru.wgsl";
import cellMinLstm from "../../../shaders/cells/min-lstm.wgsl";
import cellSlstm from "../../../shaders/cells/slstm.wgsl";
import chooseTokens from "../../../shaders/choose-tokens.wgsl";
import columnSum from "../../../shaders/column-sum.wgsl";
import crossEntropy from "../../../shaders/cross-entropy.wgsl";
import dropout from "../../../shaders/dropout.wgsl";
import embeddingGather from "../../../shaders/embedding-gather.wgsl";
import embeddingScatter from "../../../shaders/embedding-scatter.wgsl";
import fromHalf from "../../../shaders/from-half.wgsl";
import gradientNorm from "../../../shaders/gradient-norm.wgsl";
import gradientNormPartial from "../../../shaders/gradient-norm-partial.wgsl";
import activationsLib from "../../../shaders/lib/activations.wgsl";
import cellLib from "../../../shaders/lib/cell.wgsl";
import cellWeightsLib from "../../../shaders/lib/cell-weights.wgsl";
import finiteLib from "../../../shaders/lib/finite.wgsl";
import foldLib from "../../../shaders/lib/fold.wgsl";
import gradientLib from "../../../shaders/lib/gradient.wgsl";
import laneLib from "../../../shaders/lib/lane.wgsl";
import linearIndex from "../../../shaders/lib/linear-index.wgsl";
import matmulLib from "../../../shaders/lib/matmul.wgsl";
import noRowSums from "../../../shaders/lib/no-row-sums.wgsl";
import operandsStrided from "../../../shaders/lib/operands-strided.wgsl";
import operandsVec4 from "../../../shaders/lib/operands-vec4.wgsl";
import philoxLib from "../../../shaders/lib/philox.wgsl";
import rowSums from "../../../shaders/lib/row-sums.wgsl";
import rowsLib from "../../../shaders/lib/rows.wgsl";
import scanLib from "../../../shaders/lib/scan.wgsl";
import twoPhaseLib from "../../../shaders/lib/two-phase.wgsl";
import weightsFloat from "../../../shaders/lib/weights-float.wgsl";
import weightsHalf from "../../../shaders/lib/weights-half.wgsl";
import lossSum from "../../../shaders/loss-sum.wgsl";
import maskSteps from "../../../shaders/mask-steps.wgsl";
import matmulBlock from "../../../shaders/matmul-block.wgsl";
import matmulNaive from "../../../shaders/matmul-naive.wgsl";
import matmulSmallM from "../../../shaders/matmul-small-m.wgsl";
import matmulSplit from "../../../shaders/matmul-split.wgsl";
import loopBackward from "../../../shaders/strategies/loop-backward.wgsl";
import loopForward from "../../../shaders/strategies/loop-forward.wgsl";
import loopTwoPhaseBackward from "../../../shaders/strategies/loop-two-phase-backward.wgsl";
import loopTwoPhaseForward from "../../../shaders/strategies/loop-two-phase-forward.wgsl";
import noReadOut from "../../../shaders/lib/no-read-out.wgsl";
import prepareLayer from "../../../shaders/strategies/prepare-layer.wgsl";
import scanBackward from "../../../shaders/strategies/scan-backward.wgsl";
import scanForward from "../../../shaders/strategies/scan-forward.wgsl";
import stepBackward from "../../../shaders/strategies/step-backward.wgsl";
import stepForward from "../../../shaders/strategies/step-forward.wgsl";
import twoPhaseBackward from "../../../shaders/strategies/two-phase-backward.wgsl";
import twoPhaseForward from "../../../shaders/strategies/two-phase-forward.wgsl";
import perUnitGradient from "../../../shaders/per-unit-gradient.wgsl";
import regularizedBackward from "../../../shaders/strategies/regularized-backward.wgsl";
import regularizedForward from "../../../shaders/strategies/regularized-forward.wgsl";
import regularizedGradientLib from "../../../shaders/lib/regularized-gradient.wgsl";
import regularizedLib from "../../../shaders/lib/regularized.wgsl";
import rmsprop from "../../../shaders/rmsprop.wgsl";
import runningStatistics from "../../../shaders/lib/running-statistics.wgsl";
import sampleToken from "../../../shaders/sample-token.wgsl";
import sgd from "../../../shaders/sgd.wgsl";
import softmaxBackward from "../../../shaders/softmax-backward.wgsl";
import softmaxForward from "../../../shaders/softmax-forward.wgsl";
import squaredError from "../../../shaders/squared-error.wgsl";
import stridedCopy from "../../../shaders/strided-copy.wgsl";
import toHalf from "../../../shaders/to-half.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  "activation-backward": activationBackward,
  "activation-forward": activationForward,
  adam: adam,
  "advance-position": advancePosition,
  binary: binary,
  "binary-cross-entropy": binaryCrossEntropy,
  "cells/gru": cellGru,
  "cells/gru-reset-before": cellGruResetBefore,
  "cells/lstm": cellLstm,
  "cells/rnn": cellRnn,
  "cells/min-gru": cellMinGru,
  "cells/min-lstm": cellMinLstm,
  "cells/slstm": cellSlstm,
  "choose-tokens": chooseTokens,
  "column-sum": columnSum,
  "cross-entropy": crossEntropy,
  dropout: dropout,
  "embedding-gather": embeddingGather,
  "embedding-scatter": embeddingScatter,
  "from-half": fromHalf,
  "gradient-norm": gradientNorm,
  "gradient-norm-partial": gradientNormPartial,
  "lib/activations": activationsLib,
  "lib/cell": cellLib,
  "lib/cell-weights": cellWeightsLib,
  "lib/finite": finiteLib,
  "lib/fold": foldLib,
  "lib/gradient": gradientLib,
  "lib/lane": laneLib,
  "lib/linear-index": linearIndex,
  "lib/matmul": matmulLib,
  "lib/no-read-out": noReadOut,
  "lib/no-row-sums": noRowSums,
  "lib/operands-strided": operandsStrided,
  "lib/operands-vec4": operandsVec4,
  "lib/philox": philoxLib,
  "lib/regularized": regularizedLib,
  "lib/regularized-gradient": regularizedGradientLib,
  "lib/row-sums": rowSums,
  "lib/rows": rowsLib,
  "lib/running-statistics": runningStatistics,
  "lib/scan": scanLib,
  "lib/two-phase": twoPhaseLib,
  "lib/weights-float": weightsFloat,
  "lib/weights-half": weightsHalf,
  "loss-sum": lossSum,
  "mask-steps": maskSteps,
  "matmul-block": matmulBlock,
  "matmul-naive": matmulNaive,
  "matmul-small-m": matmulSmallM,
  "matmul-split": matmulSplit,
  "per-unit-gradient": perUnitGradient,
  "strategies/loop-backward": loopBackward,
  "strategies/loop-forward": loopForward,
  "strategies/loop-two-phase-backward": loopTwoPhaseBackward,
  "strategies/loop-two-phase-forward": loopTwoPhaseForward,
  "strategies/prepare-layer": prepareLayer,
  "strategies/regularized-backward": regularizedBackward,
  "strategies/regularized-forward": regularizedForward,
  "strategies/scan-backward": scanBackward,
  "strategies/scan-forward": scanForward,
  "strategies/step-backward": stepBackward,
  "strategies/step-forward": stepForward,
  "strategies/two-phase-backward": twoPhaseBackward,
  "strategies/two-phase-forward": twoPhaseForward,
  rmsprop: rmsprop,
  "sample-token": sampleToken,
  sgd: sgd,
  "softmax-backward": softmaxBackward,
  "softmax-forward": softmaxForward,
  "squared-error": squaredError,
  "strided-copy": stridedCopy,
  "to-half": toHalf,
};
