/** WGSL of what not every model has: other cells, losses and optimisers, activations, dropout, float16 storage. */
import cellSlstm from "../../../../shaders/cells/slstm.wgsl";
import activationBackward from "../../../../shaders/activation-backward.wgsl";
import activationForward from "../../../../shaders/activation-forward.wgsl";
import binary from "../../../../shaders/binary.wgsl";
import binaryCrossEntropy from "../../../../shaders/binary-cross-entropy.wgsl";
import cellGru from "../../../../shaders/cells/gru.wgsl";
import cellRnn from "../../../../shaders/cells/rnn.wgsl";
import dropout from "../../../../shaders/dropout.wgsl";
import fromHalf from "../../../../shaders/from-half.wgsl";
import chosenFunctions from "../../../../shaders/lib/chosen-functions.wgsl";
import weightsHalf from "../../../../shaders/lib/weights-half.wgsl";
import maskSteps from "../../../../shaders/mask-steps.wgsl";
import matmulNaive from "../../../../shaders/matmul-naive.wgsl";
import perUnitGradient from "../../../../shaders/per-unit-gradient.wgsl";
import rmsprop from "../../../../shaders/rmsprop.wgsl";
import sgd from "../../../../shaders/sgd.wgsl";
import softmaxBackward from "../../../../shaders/softmax-backward.wgsl";
import softmaxForward from "../../../../shaders/softmax-forward.wgsl";
import squaredError from "../../../../shaders/squared-error.wgsl";
import toHalf from "../../../../shaders/to-half.wgsl";

export const shaders: Readonly<Record<string, string>> = {
  "cells/slstm": cellSlstm,
  "activation-backward": activationBackward,
  "activation-forward": activationForward,
  binary: binary,
  "binary-cross-entropy": binaryCrossEntropy,
  "cells/gru": cellGru,
  "cells/rnn": cellRnn,
  dropout: dropout,
  "from-half": fromHalf,
  "lib/chosen-functions": chosenFunctions,
  "lib/weights-half": weightsHalf,
  "mask-steps": maskSteps,
  "matmul-naive": matmulNaive,
  "per-unit-gradient": perUnitGradient,
  rmsprop: rmsprop,
  sgd: sgd,
  "softmax-backward": softmaxBackward,
  "softmax-forward": softmaxForward,
  "squared-error": squaredError,
  "to-half": toHalf,
};
