/** A model as an ONNX file. */
import { RnnError } from "../../../errors.ts";
import type { Module } from "../../../nn/module.ts";
import type { FloatArray } from "../../../tensor/tensor.ts";
import type { OnnxModel } from "../model.ts";
import { Builder, refuse } from "./builder.ts";
import { writeGraph } from "./imported-graph.ts";
import { kindOf, writeModule } from "./modules.ts";
import { encodeOnnx, type Sizes } from "./proto.ts";

export interface WriteOptions {
  /** Undefined for that of the graph, if the model was read from one, or else 17. */
  readonly opset: number | undefined;
  readonly input: Sizes | undefined;
  readonly lengths: boolean;
  readonly states: boolean;
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
      : input || lengths || !states
        ? `its graph is written with the inputs and outputs that it has; leave out ${input ? "input" : lengths ? "lengths" : "states"}`
        : undefined;
  return refused === undefined ? model : refuse("", "OnnxModel", refused);
}

export function writeModel(model: Module, parameters: ReadonlyMap<string, FloatArray>, options: WriteOptions): Uint8Array<ArrayBuffer> {
  if (kindOf(model) === "OnnxModel") return writeGraph(ofGraph(model as OnnxModel, options), parameters);
  const { opset = 17 } = options;
  const build = new Builder(parameters, opset);
  const sizes = options.input ?? inputSizes(model);
  build.inputs.push({ name: "input", type: model.idCount === undefined ? "float" : "int64", sizes });
  const lengths = options.lengths ? "lengths" : undefined;
  if (lengths) build.inputs.push({ name: lengths, type: "int32", sizes: [sizes[model.batchFirst ? 0 : 1]] });
  const output = writeModule(build, "", model, { name: "input", sizes }, { lengths, states: options.states });
  build.finish("", output.name, { name: "output", type: "float", sizes: output.sizes });
  // The first output is the model's, then come states.
  build.outputs.unshift(build.outputs.pop()!);
  return encodeOnnx(build.graph("model"), opset);
}
