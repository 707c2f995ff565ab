/**
 * Reads RTNeural's JSON, in both of its layouts: Keras' layers with their weights, and PyTorch's state dictionary, whose
 * order is that of the layers.
 */
import type { Variable } from "../autodiff/tape.ts";
import { listed, show } from "../errors.ts";
import { checkCall, type Context } from "../nn/context.ts";
import { Linear } from "../nn/linear.ts";
import type { Module } from "../nn/module.ts";
import * as ops from "../nn/ops.ts";
import { Sequential } from "../nn/sequential.ts";
import { GRU } from "../recurrent/layer/gru.ts";
import { LSTM } from "../recurrent/layer/lstm.ts";
import { RNN } from "../recurrent/layer/rnn.ts";
import type { Tensor } from "../tensor/tensor.ts";
import {
  asList,
  asObject,
  asText,
  formatError,
  get,
  isObject,
  type ImportedModel,
  type ImportedNode,
  type Json,
  type JsonObject,
} from "./imported.ts";
import { networkOf } from "./keras/read.ts";
import { arraysByLayer, type NamedArray } from "./keras/weights.ts";
import { tensorOf } from "./nested.ts";

const where = "RTNeural file";

/** @throws RnnError `format` */
export function readRtneural(json: Json): ImportedModel {
  const file = asObject(where, "the file", json);
  if (get(file, "layers") !== undefined) return readLayers(file);
  const inner = get(file, "state_dict");
  if (inner === undefined) return readStateDict(file, false);
  const data = get(file, "model_data");
  const skips = isObject(data) ? (get(data, "skip") ?? 0) : 0;
  if (skips !== 0 && skips !== 1) throw formatError(where, `skip must be 0 or 1, got ${show(skips)}`);
  return readStateDict(asObject(where, "state_dict", inner), skips === 1);
}

/** Layers by RTNeural's words, as Keras describes them. */
const keras: Readonly<
  Record<string, (layer: JsonObject, arrays: readonly Tensor[]) => { class_name: string; config: Record<string, Json> }>
> = {
  dense: (_, [kernel, bias]) => ({ class_name: "Dense", config: { units: kernel.shape[1] ?? 0, use_bias: bias !== undefined } }),
  lstm: (_, [kernel]) => ({ class_name: "LSTM", config: recurrent(kernel, 4) }),
  gru: (_, [kernel, , bias]) => ({ class_name: "GRU", config: { ...recurrent(kernel, 3), reset_after: bias.shape.length === 2 } }),
  conv1d: (layer, [kernel]) => ({
    class_name: "Conv1D",
    config: {
      filters: kernel.shape[2] ?? 0,
      kernel_size: [kernel.shape[0]],
      padding: "causal",
      strides: [1],
      dilation_rate: get(layer, "dilation") ?? 1,
      groups: get(layer, "groups") ?? 1,
    },
  }),
  activation: () => ({ class_name: "Activation", config: {} }),
};

const recurrent = (kernel: Tensor, gates: number): Record<string, Json> => ({
  units: (kernel.shape[1] ?? 0) / gates,
  return_sequences: true,
  recurrent_activation: "sigmoid",
});

function readLayers(file: JsonObject): ImportedModel {
  const arrays = new Map<string, NamedArray[]>();
  const layers = asList(where, "layers", get(file, "layers")).map((entry, i) => {
    const layer = asObject(where, `layer ${i}`, entry);
    const type = asText(where, `type of layer ${i}`, get(layer, "type")).replace("time-distributed-", "");
    if (!Object.hasOwn(keras, type))
      throw formatError(where, `layer ${i} is a ${show(type)}, which is not read; known are ${listed(Object.keys(keras))}`);
    const name = `${type}_${i}`;
    const tensors = asList(where, `weights of layer ${i}`, get(layer, "weights") ?? []).map((one, n) =>
      tensorOf(where, `weights ${n} of layer ${i}`, one),
    );
    const least = { dense: 1, lstm: 2, gru: 3, conv1d: 1, activation: 0 }[type] ?? 0;
    if (tensors.length < least) throw formatError(where, `layer ${i} (${type}) needs ${least} arrays, got ${tensors.length}`);
    arrays.set(
      name,
      tensors.map((tensor, n) => ({ name: `${name}/${n}`, read: () => tensor })),
    );
    const { class_name, config } = keras[type](layer, tensors);
    const activation = get(layer, "activation");
    const usual = typeof activation === "string" && activation !== "" ? { activation } : {};
    return { class_name, config: { name, ...config, ...usual } };
  });
  const shape = get(file, "in_shape") ?? null;
  const input = { class_name: "InputLayer", config: { name: "input", batch_shape: shape } };
  return {
    ...networkOf({ class_name: "Sequential", config: { name: "model", layers: [input, ...layers] } }, 2, arraysByLayer(arrays)),
    format: "rtneural",
  };
}

/** A recurrent layer or a linear one, from the arrays that begin with its name. */
function moduleOf(prefix: string, arrays: Readonly<Record<string, Tensor>>): [Module, string] {
  const names = Object.keys(arrays);
  if (names.includes("weight_ih_l0") && names.includes("weight_hh_l0")) {
    const [rows, inputs] = arrays.weight_ih_l0.shape;
    const units = arrays.weight_hh_l0.shape[1];
    const options = {
      batchFirst: true,
      seed: 0,
      numLayers: names.filter((name) => /^weight_ih_l\d+$/.test(name)).length,
      bidirectional: names.some((name) => name.endsWith("_reverse")),
      bias: names.includes("bias_hh_l0") ? true : names.includes("bias_ih_l0") ? ("input" as const) : false,
    };
    const [Kind, word] = ([[RNN, "RNN"], , [GRU, "GRU"], [LSTM, "LSTM"]] as const)[rows / units - 1] ?? [];
    if (!Kind || !word) throw formatError(where, `"${prefix}" must have 1, 3 or 4 blocks of ${units} rows, got ${rows} rows`);
    return [new Kind(inputs, units, options), `${word}(${inputs}, ${units})`];
  }
  if (arrays.weight?.shape.length === 2 && names.every((name) => name === "weight" || name === "bias")) {
    const [outputs, inputs] = arrays.weight.shape;
    return [new Linear(inputs, outputs, { seed: 0, bias: names.includes("bias") }), `Linear(${inputs}, ${outputs})`];
  }
  throw formatError(where, `"${prefix}" has ${listed(names)}, which is neither a recurrent layer's nor a linear one's`);
}

function readStateDict(dict: JsonObject, skips: boolean): ImportedModel {
  const groups = new Map<string, Record<string, Tensor>>();
  for (const [name, value] of Object.entries(dict)) {
    const at = name.lastIndexOf(".");
    const prefix = name.slice(0, Math.max(at, 0)).replaceAll(".", "_") || "layer";
    groups.set(prefix, { ...groups.get(prefix), [name.slice(at + 1)]: tensorOf(where, name, value) });
  }
  const report: ImportedNode[] = [];
  const parts: Record<string, Module> = {};
  for (const [prefix, arrays] of groups) {
    const [module, became] = moduleOf(prefix, arrays);
    module.loadStateDict(arrays);
    parts[/^\d/.test(prefix) ? `layer_${prefix}` : prefix] = module;
    report.push({ name: prefix, kind: became.split("(")[0], became, parameters: module.parameterCount });
  }
  if (skips) report.push({ name: "skip", kind: "skip", became: "the input is added to the output", parameters: 0 });
  const model = skips ? new Skipping(parts) : new Sequential(parts);
  const [first] = groups.values();
  const features = (first.weight_ih_l0 ?? first.weight).shape[1];
  return {
    model,
    format: "rtneural",
    inputs: [{ name: "input", shape: [null, null, features], path: "input" }],
    outputs: [{ name: "output", path: "output" }],
    report,
  };
}

/** Layers whose input is added to their output. */
export class Skipping extends Sequential {
  static readonly savedAs = "Skipping";

  override forward(context: Context, input: Variable): Variable {
    checkCall("Skipping", context, input);
    const y = super.forward(context, input);
    return ops.add(context, y, ops.slice(context, input, -1, 0, 1));
  }
}
