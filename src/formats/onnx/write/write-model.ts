/** A model as an ONNX file. */
import { RnnError } from "../../../errors.ts";
import type { Module } from "../../../nn/module.ts";
import type { FloatArray } from "../../../tensor/tensor.ts";
import type { OnnxModel } from "../model.ts";
import type { KerasNetwork } from "../../keras/network.ts";
import { Builder, refuse, type Wire } from "./builder.ts";
import { writeGraph } from "./imported-graph.ts";
import { inputSizes as inputSizesOfNetwork, writeNetwork } from "./keras.ts";
import { kindOf, writeModule } from "./modules.ts";
import { encodeOnnx, type Sizes } from "./proto.ts";

export interface WriteOptions {
  /** Undefined for that of the graph, if the model was read from one, or else 17. */
  readonly opset: number | undefined;
  readonly input: Sizes | undefined;
  readonly lengths: boolean;
  /** Undefined for true, but for an amplifier's LSTM, whose first states are of its own. */
  readonly states: boolean | undefined;
}

/** The sizes of the model's input, if its modules tell them. */
function inputSizes(model: Module): Sizes {
  const outer = model.saysBatchFirst === false ? ["steps", "batch"] : ["batch", "steps"];
  if (model.idCount !== undefined) return outer;
  const features = model.inputFeatures;
  if (features === undefined)
    throw new RnnError("option", "exportOnnx", 'the sizes of the input are not known; give them, as in { input: ["batch", 16, "steps"] }');
  return model.saysBatchFirst === undefined ? ["batch", features] : [...outer, features];
}

/** @throws RnnError `option` for what would change the graph of a model that was read from one */
function ofGraph(model: OnnxModel, { opset, input, lengths, states }: WriteOptions): OnnxModel {
  const refused =
    opset !== undefined && opset !== model.opset
      ? `its nodes are of opset ${model.opset}; leave out opset`
      : input || lengths || states === false
        ? `its graph is written with the inputs and outputs that it has; leave out ${input ? "input" : lengths ? "lengths" : "states"}`
        : undefined;
  return refused === undefined ? model : refuse("", "OnnxModel", refused);
}

export function writeModel(model: Module, parameters: ReadonlyMap<string, FloatArray>, options: WriteOptions): Uint8Array<ArrayBuffer> {
  if (kindOf(model) === "OnnxModel") return writeGraph(ofGraph(model as OnnxModel, options), parameters);
  const { opset = 17 } = options;
  const build = new Builder(parameters, opset);
  const network = kindOf(model) === "KerasNetwork" ? (model as KerasNetwork) : undefined;
  const names = network ? ["input", ...network.inputNames.slice(1)] : ["input"];
  const inputs = names.map((name, i): Wire => {
    const own = network && inputSizesOfNetwork(network, i);
    const sizes = (i === 0 ? options.input : undefined) ?? own ?? inputSizes(model);
    const ids = network ? network.idsOf(i) : model.idCount;
    build.inputs.push({ name, type: ids === undefined ? "float" : "int64", sizes });
    return { name, sizes };
  });
  const lengths = options.lengths ? "lengths" : undefined;
  if (lengths) build.inputs.push({ name: lengths, type: "int32", sizes: [inputs[0].sizes[model.batchFirst ? 0 : 1]] });
  const asked = { lengths, states: options.states ?? kindOf(model) !== "NamLstm" };
  const outputs = network ? writeNetwork(build, "", network, inputs, asked) : [writeModule(build, "", model, inputs[0], asked)];
  const states = build.outputs.splice(0);
  outputs.forEach(({ name, sizes }, i) =>
    build.finish("", name, { name: i === 0 ? "output" : network!.outputNames[i], type: "float", sizes }),
  );
  build.outputs.push(...states);
  return encodeOnnx(build.graph("model"), opset);
}
