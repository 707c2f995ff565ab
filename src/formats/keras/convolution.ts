/** Keras' convolutions, pooling and normalization of sequences [batch, steps, channels]. */
import { show } from "../../errors.ts";
import { Conv1d } from "../../nn/conv1d.ts";
import { BatchNorm1d, LayerNorm } from "../../nn/normalization.ts";
import * as ops from "../../nn/ops.ts";
import { AvgPool1d, MaxPool1d } from "../../nn/pooling.ts";
import { sizeOf } from "../../tensor/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError, get, type Json } from "../imported.ts";
import { activationName, layerFunction } from "./activations.ts";
import { checkArray } from "./arrays.ts";
import { expectOption, flag, number, placeOf, where, type LayerConfig } from "./config.ts";
import { ending, type Builder } from "./layer.ts";

/** An option that is a number, or a list of one. */
function single(layer: LayerConfig, name: string, usual: Json): number {
  const value = get(layer.config, name) ?? usual;
  const one = Array.isArray(value) && value.length === 1 ? (value[0] as Json) : value;
  if (typeof one !== "number" || !Number.isInteger(one) || one < 1)
    throw formatError(where, `${name} of ${placeOf(layer)} must be one integer of at least 1, got ${show(value)}`);
  return one;
}

function paddingOf(layer: LayerConfig, ...known: readonly ("valid" | "same" | "causal")[]): "valid" | "same" | "causal" {
  const value = get(layer.config, "padding") ?? "valid";
  const found = known.find((one) => one === value);
  if (found === undefined) throw formatError(where, `${placeOf(layer)} has padding ${show(value)}; known are ${known.join(", ")}`);
  return found;
}

/** Keras has [taps, inputs, outputs], PyTorch [outputs, inputs, taps]. */
function convolutionWeight({ shape: [K, I, O], data }: Tensor): Tensor {
  const result = new Float32Array(data.length);
  for (let k = 0; k < K; k++)
    for (let i = 0; i < I; i++) for (let o = 0; o < O; o++) result[(o * I + i) * K + k] = data[(k * I + i) * O + o];
  return { shape: [O, I, K], data: result };
}

export const convolution: Builder = (layer, arrays) => {
  expectOption(layer, "data_format", "channels_last");
  const hasBias = flag(layer, "use_bias", true);
  const [kernel, bias] = arrays.take(layer, ["kernel", ...(hasBias ? ["bias"] : [])]);
  if (kernel.shape.length !== 3 || kernel.shape.includes(0))
    throw formatError(where, `kernel of ${placeOf(layer)} must be [taps, inputs, outputs], got ${show([...kernel.shape])}`);
  const [taps, perGroup, outputs] = kernel.shape;
  if (hasBias) checkArray(layer, "bias", bias, [outputs]);
  const groups = number(layer, "groups", 1);
  const [stride, dilation] = [single(layer, "strides", 1), single(layer, "dilation_rate", 1)];
  const padding = paddingOf(layer, "valid", "same", "causal");
  const module = new Conv1d(perGroup * groups, outputs, taps, {
    stride,
    dilation,
    padding,
    groups,
    bias: hasBias,
    layout: "channelsLast",
    seed: 0,
  });
  module.loadStateDict({ weight: convolutionWeight(kernel), ...(hasBias && { bias }) });
  const activate = layerFunction(layer, "activation");
  const name = activationName(layer, "activation");
  const layers = ending(
    `Conv1d(${perGroup * groups}, ${outputs}, ${taps}), ${padding}${name === "linear" ? "" : `, ${name}`}`,
    (context, x) => activate(context, module.forward(context, x)),
  );
  return { ...layers, module };
};

export const pooling: Builder = (layer) => {
  expectOption(layer, "data_format", "channels_last");
  const size = single(layer, "pool_size", 2);
  const options = { stride: single(layer, "strides", size), padding: paddingOf(layer, "valid", "same"), layout: "channelsLast" } as const;
  const takesMost = layer.kind.startsWith("Max");
  const module = takesMost ? new MaxPool1d(size, options) : new AvgPool1d(size, { ...options, countPadding: false });
  return { ...ending(`${takesMost ? "MaxPool1d" : "AvgPool1d"}(${size})`, (context, x) => module.forward(context, x)), module };
};

export const globalMax: Builder = (layer) => {
  expectOption(layer, "data_format", "channels_last");
  const keepAxes = flag(layer, "keepdims");
  return ending("maximum over the steps", (context, x) => ops.max(context, x, 1, { keepAxes }));
};

/** The only axis that a layer normalizes, which must be the last one. */
function lastAxis(layer: LayerConfig, rank: number): void {
  const value = get(layer.config, "axis") ?? -1;
  const axis = Array.isArray(value) && value.length === 1 ? (value[0] as Json) : value;
  if (axis !== -1 && axis !== rank - 1) throw formatError(where, `${placeOf(layer)} has axis ${show(value)}; only the last axis is read`);
}

/** The arrays of a normalization; those that it lacks do nothing. */
function normArrays(layer: LayerConfig, take: (names: readonly string[]) => Tensor[], statistics: readonly string[]) {
  const parts = [...(flag(layer, "scale", true) ? ["gamma"] : []), ...(flag(layer, "center", true) ? ["beta"] : []), ...statistics];
  const found = take(parts);
  const at = (name: string): Tensor | undefined => (parts.includes(name) ? found[parts.indexOf(name)] : undefined);
  const size = found[0]?.data.length ?? 0;
  found.forEach((array, i) => checkArray(layer, parts[i], array, [size]));
  if (size === 0) throw formatError(where, `${placeOf(layer)} has neither scale nor center, which is not read`);
  return { size, at, weight: at("gamma") ?? filled(size, 1), bias: at("beta") ?? filled(size, 0) };
}

const filled = (size: number, value: number): Tensor => ({ shape: [size], data: new Float32Array(size).fill(value) });

export const batchNormalization: Builder = (layer, arrays) => {
  const { size, at, weight, bias } = normArrays(layer, (names) => arrays.take(layer, names), ["moving_mean", "moving_variance"]);
  const module = new BatchNorm1d(size, { eps: number(layer, "epsilon", 1e-3), momentum: 1 - number(layer, "momentum", 0.99) });
  module.loadStateDict({ weight, bias, running_mean: at("moving_mean")!, running_var: at("moving_variance")! });
  return {
    became: `BatchNorm1d(${size})`,
    module,
    run(context, [{ x, mask }]) {
      lastAxis(layer, x.shape.length);
      const rows = ops.reshape(context, x, [sizeOf(x.shape.slice(0, -1)), size]);
      return [{ x: ops.reshape(context, module.forward(context, rows), x.shape), mask }];
    },
  };
};

export const layerNormalization: Builder = (layer, arrays) => {
  expectOption(layer, "rms_scaling", false);
  const { size, weight, bias } = normArrays(layer, (names) => arrays.take(layer, names), []);
  const module = new LayerNorm(size, { eps: number(layer, "epsilon", 1e-3) });
  module.loadStateDict({ weight, bias });
  return {
    became: `LayerNorm(${size})`,
    module,
    run(context, [{ x, mask }]) {
      lastAxis(layer, x.shape.length);
      return [{ x: module.forward(context, x), mask }];
    },
  };
};
