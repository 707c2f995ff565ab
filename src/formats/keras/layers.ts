/** The layers of Keras that are read, by class name. */
import type { Variable } from "../../autodiff/tape.ts";
import { listed, show } from "../../errors.ts";
import type { Context } from "../../nn/context.ts";
import { Dropout } from "../../nn/dropout.ts";
import { Embedding } from "../../nn/embedding.ts";
import { Linear } from "../../nn/linear.ts";
import * as ops from "../../nn/ops.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Tensors } from "../imported.ts";
import { asList, formatError, get } from "../imported.ts";
import { activationName, layerFunction } from "./activations.ts";
import { transposed } from "../layouts.ts";
import { checkArray, matrixSizes } from "./arrays.ts";
import { expectOption, flag, layerOf, number, placeOf, where, type LayerConfig } from "./config.ts";
import { ending, passing, type Builder, type Flow, type Layer } from "./layer.ts";
import { batchNormalization, convolution, globalMax, layerNormalization, pooling } from "./convolution.ts";
import { bidirectional, recurrentLayer, rnnOverCells } from "./recurrent.ts";
import { countedIds, countedSteps } from "./steps.ts";

const dense: Builder = (layer, arrays) => {
  const hasBias = flag(layer, "use_bias", true);
  const [kernel, bias] = arrays.take(layer, ["kernel", ...(hasBias ? ["bias"] : [])]);
  const [inputs, units] = matrixSizes(layer, "kernel", kernel);
  if (hasBias) checkArray(layer, "bias", bias, [units]);
  if (number(layer, "units") !== units) throw formatError(where, `${placeOf(layer)} has other units than its kernel's ${units} columns`);
  const module = new Linear(inputs, units, { bias: hasBias, seed: 0 });
  const dict: Tensors = { weight: transposed(kernel), ...(hasBias && { bias }) };
  module.loadStateDict(dict);
  const activate = layerFunction(layer, "activation");
  const name = activationName(layer, "activation");
  return {
    became: `Linear(${inputs}, ${units})${name === "linear" ? "" : `, ${name}`}`,
    module,
    run: (context, [{ x, mask }]) => [{ x: activate(context, module.forward(context, x)), mask }],
  };
};

const embedding: Builder = (layer, arrays) => {
  const [table] = arrays.take(layer, ["embeddings"]);
  const [count, size] = matrixSizes(layer, "embeddings", table);
  const module = new Embedding(count, size, { seed: 0 });
  module.loadStateDict({ weight: table });
  const masks = flag(layer, "mask_zero");
  return {
    became: `Embedding(${count}, ${size})${masks ? ", steps of id 0 do not count" : ""}`,
    module,
    idCount: count,
    run: (context, [{ x }]) => [{ x: module.forward(context, x), mask: masks ? countedIds(context, x, count) : undefined }],
  };
};

const masking: Builder = (layer) => {
  const value = number(layer, "mask_value", 0);
  return {
    became: `steps of ${value} do not count`,
    run(context, [{ x }]) {
      const mask = countedSteps(context, x, value);
      return [{ x: ops.multiply(context, x, mask), mask }];
    },
  };
};

const dropout: Builder = (layer) => {
  const rate = number(layer, "rate");
  const module = new Dropout(rate);
  return passing(`Dropout(${rate})`, (context, x) => module.forward(context, x));
};

const activation: Builder = (layer) => {
  const run = layerFunction(layer, "activation");
  return passing(activationName(layer, "activation"), run);
};

const named =
  (name: string, only: Readonly<Record<string, readonly (number | boolean | null)[]>>): Builder =>
  (layer) => {
    for (const [option, allowed] of Object.entries(only)) expectOption(layer, option, ...allowed);
    return passing(name, layerFunction({ ...layer, config: { activation: name } }, "activation"));
  };

const leakyRelu: Builder = (layer) => {
  const alpha = number(layer, layer.era === 3 ? "negative_slope" : "alpha", 0.3);
  return passing("leakyRelu", (context, x) => ops.leakyRelu(context, x, { alpha }));
};

const identity: Builder = () => passing("nothing, outside of training", (_, x) => x);

const flatten: Builder = (layer) => {
  expectOption(layer, "data_format", "channels_last");
  return ending("reshape", (context, x) => ops.reshape(context, x, [x.shape[0], sizeOf(x.shape.slice(1))]));
};

/** A list of integers in an option. */
function integers(layer: LayerConfig, name: string): number[] {
  const list = asList(where, `${name} of ${placeOf(layer)}`, get(layer.config, name));
  if (!list.every((one) => Number.isSafeInteger(one)))
    throw formatError(where, `${name} of ${placeOf(layer)} must be integers, got ${show(list)}`);
  return list as number[];
}

const reshape: Builder = (layer) => {
  const target = integers(layer, "target_shape");
  return ending(`reshape to [${target.join(", ")}]`, (context, x) => {
    const known = sizeOf(target.filter((size) => size !== -1));
    const size = sizeOf(x.shape.slice(1));
    return ops.reshape(context, x, [x.shape[0], ...target.map((one) => (one === -1 ? size / known : one))]);
  });
};

const repeat: Builder = (layer) => {
  const count = number(layer, "n");
  return ending(`repeated ${count} times`, (context, x) => {
    const [B, features] = x.shape;
    return ops.expand(context, ops.reshape(context, x, [B, 1, features]), [B, count, features]);
  });
};

const permute: Builder = (layer) => {
  const dims = integers(layer, "dims");
  return ending(`axes ${dims.join(", ")}`, (context, x) => ops.permute(context, x, [0, ...dims]));
};

/** A layer of several values. Of their masks, steps count that all of them count. */
const merging = (became: string, run: (context: Context, inputs: readonly Variable[]) => Variable): Layer => ({
  became,
  run(context, inputs) {
    const masks = inputs.flatMap(({ mask }) => (mask ? [mask] : []));
    const mask = masks.length === inputs.length ? masks.reduce((all, one) => ops.multiply(context, all, one)) : undefined;
    return [
      {
        x: run(
          context,
          inputs.map(({ x }) => x),
        ),
        mask,
      },
    ];
  },
});

const concatenate: Builder = (layer) => {
  const axis = number(layer, "axis", -1);
  return merging("concat", (context, inputs) => ops.concat(context, inputs, axis));
};

const combining = (became: string, combine: (context: Context, a: Variable, b: Variable) => Variable): Builder => {
  return () => merging(became, (context, inputs) => inputs.reduce((all, one) => combine(context, all, one)));
};

const average: Builder = () =>
  merging("average", (context, inputs) =>
    ops.scale(
      context,
      inputs.reduce((all, one) => ops.add(context, all, one)),
      1 / inputs.length,
    ),
  );

const timeDistributed: Builder = (layer, arrays, build) => {
  const inner = build(layerOf(get(layer.config, "layer"), `the layer of ${placeOf(layer)}`, layer.era), arrays.inner("layer"));
  return {
    ...inner,
    became: `${inner.became}, at each step`,
    run(context, [{ x, mask }]) {
      const [B, T, ...rest] = x.shape;
      const steps: Flow = { x: ids(inner) ? x.reshaped([B * T, ...rest]) : ops.reshape(context, x, [B * T, ...rest]) };
      const outputs = inner.run(context.within({ lengths: false }), [steps]);
      return outputs.map(({ x: y }) => ({ x: ops.reshape(context, y, [B, T, ...y.shape.slice(1)]), mask }));
    },
  };
};

const ids = ({ idCount }: Layer): boolean => idCount !== undefined;

const globalAverage: Builder = (layer) => {
  expectOption(layer, "data_format", "channels_last");
  const keepAxes = flag(layer, "keepdims");
  return {
    became: "mean over the steps",
    run(context, [{ x, mask }]) {
      const y = mask
        ? ops.divide(context, ops.sum(context, ops.multiply(context, x, mask), 1, { keepAxes }), ops.sum(context, mask, 1, { keepAxes }))
        : ops.mean(context, x, 1, { keepAxes });
      return [{ x: y }];
    },
  };
};

export const builders: Readonly<Record<string, Builder>> = {
  Dense: dense,
  Embedding: embedding,
  SimpleRNN: recurrentLayer,
  GRU: recurrentLayer,
  LSTM: recurrentLayer,
  RNN: rnnOverCells,
  Bidirectional: bidirectional,
  TimeDistributed: timeDistributed,
  Masking: masking,
  Dropout: dropout,
  SpatialDropout1D: identity,
  GaussianNoise: identity,
  GaussianDropout: identity,
  ActivityRegularization: identity,
  Identity: identity,
  Activation: activation,
  ELU: (layer) => passing("elu", (context, x) => ops.elu(context, x, { alpha: number(layer, "alpha", 1) })),
  LeakyReLU: leakyRelu,
  ReLU: named("relu", { max_value: [null], negative_slope: [0], threshold: [0] }),
  Softmax: named("softmax", { axis: [-1] }),
  Flatten: flatten,
  Reshape: reshape,
  RepeatVector: repeat,
  Permute: permute,
  Concatenate: concatenate,
  Add: combining("add", ops.add),
  Multiply: combining("multiply", ops.multiply),
  Subtract: combining("subtract", ops.subtract),
  Maximum: combining("maximum", ops.maximum),
  Minimum: combining("minimum", ops.minimum),
  Average: average,
  Conv1D: convolution,
  MaxPooling1D: pooling,
  AveragePooling1D: pooling,
  GlobalAveragePooling1D: globalAverage,
  GlobalMaxPooling1D: globalMax,
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
};

/** @throws RnnError `format` that names a layer which is not read */
export function builderOf(layer: LayerConfig): Builder {
  if (Object.hasOwn(builders, layer.kind)) return builders[layer.kind];
  throw formatError(where, `the layer ${placeOf(layer)} is not read; known are ${listed(Object.keys(builders), 60)}`);
}
