/** Kernels of training in WebAssembly, loaded with the first that is used: name -> the function that makes the call. */
import { direct, type FastKernel } from "./calls.ts";
import type { WasmExports } from "./wasm-code.ts";

export const trainingKernels = {
  "softmax-backward": (exports) => direct(exports, "softmaxBackward", ["y", "dy", "dx"], ["rows", "columns", "log", "accumulate"]),
  "cross-entropy": (exports) =>
    direct(
      exports,
      "crossEntropy",
      ["logits", "targets", "weights", "normalizer", "losses", "dLogits"],
      ["rows", "columns", "ignoreIndex"],
    ),
  "squared-error": (exports) =>
    direct(exports, "squaredError", ["x", "targets", "weights", "normalizer", "losses", "dx"], ["length", "factor"]),
  "activation-backward": (exports) => direct(exports, "activationBackward", ["y", "dy", "dx"], ["length", "kind", "accumulate"]),
  dropout:
    (exports) =>
    (at, { length, stream, p, accumulate }) => [() => exports.dropout(at.x, at.random, at.y, length, stream, p, 1 - p, accumulate)],
  "embedding-scatter": (exports) => (at, p) => [
    () => exports.embeddingScatter(at.dy, at.ids + 4 * p.firstId, at.dWeight, p.rows, p.columns, p.vocabulary, p.accumulate),
  ],
  "gradient-norm-partial": (exports) => direct(exports, "gradientNormPartial", ["gradients", "partial"], ["length", "groups"]),
  "gradient-norm": (exports) =>
    direct(
      exports,
      "gradientNorm",
      ["values", "losses", "normalizer", "loss", "norm"],
      ["length", "squared", "rows", "maxNorm", "mostNorm"],
    ),
  sgd: (exports) => (at, p) => {
    const { length, momentum, dampening, nesterov, weightDecay, clipValue } = p;
    return [
      () =>
        exports.sgd(
          at.parameters,
          at.gradients,
          at.lastGood,
          at.velocity,
          at.norm,
          at.control,
          length,
          momentum,
          1 - dampening,
          nesterov,
          weightDecay,
          clipValue,
        ),
    ];
  },
  rmsprop: (exports) => (at, p) => {
    const { length, alpha, eps, momentum, centered, weightDecay, clipValue } = p;
    return [
      () =>
        exports.rmsprop(
          at.parameters,
          at.gradients,
          at.lastGood,
          at.squareAverage,
          at.gradientAverage,
          at.velocity,
          at.norm,
          at.control,
          length,
          alpha,
          1 - alpha,
          eps,
          momentum,
          centered,
          weightDecay,
          clipValue,
        ),
    ];
  },
  adam: (exports) => (at, p) => {
    const { length, beta1, beta2, eps, weightDecay, decoupled, clipValue } = p;
    return [
      () =>
        exports.adam(
          at.parameters,
          at.gradients,
          at.lastGood,
          at.firstMoment,
          at.secondMoment,
          at.norm,
          at.control,
          length,
          beta1,
          1 - beta1,
          beta2,
          1 - beta2,
          eps,
          weightDecay,
          decoupled,
          clipValue,
        ),
    ];
  },
} satisfies Record<string, (exports: WasmExports) => FastKernel>;
