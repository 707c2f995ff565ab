/** The WGSL files, by path below `shaders/` without extension. */
import cellGru from "../../../shaders/cells/gru.wgsl";
import cellLstm from "../../../shaders/cells/lstm.wgsl";
import cellRnn from "../../../shaders/cells/rnn.wgsl";
import activationsLib from "../../../shaders/lib/activations.wgsl";
import cellLib from "../../../shaders/lib/cell.wgsl";
import linearIndex from "../../../shaders/lib/linear-index.wgsl";
import matmulLib from "../../../shaders/lib/matmul.wgsl";
import matmulNaive from "../../../shaders/matmul-naive.wgsl";
import matmulSmallM from "../../../shaders/matmul-small-m.wgsl";
import matmulTiled from "../../../shaders/matmul-tiled.wgsl";
import stepBackward from "../../../shaders/recurrent/step-backward.wgsl";
import stepForward from "../../../shaders/recurrent/step-forward.wgsl";
import stridedCopy from "../../../shaders/strided-copy.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  "cells/gru": cellGru,
  "cells/lstm": cellLstm,
  "cells/rnn": cellRnn,
  "lib/activations": activationsLib,
  "lib/cell": cellLib,
  "lib/linear-index": linearIndex,
  "lib/matmul": matmulLib,
  "matmul-naive": matmulNaive,
  "matmul-small-m": matmulSmallM,
  "matmul-tiled": matmulTiled,
  "recurrent/step-backward": stepBackward,
  "recurrent/step-forward": stepForward,
  "strided-copy": stridedCopy,
};
