/** A model as an ONNX file. */
import { RnnError } from "../../../errors.ts";
import type { Module } from "../../../nn/module.ts";
import type { FloatArray } from "../../../tensor/tensor.ts";
import { Builder } from "./builder.ts";
import { writeModule } from "./modules.ts";
import { encodeOnnx, type Sizes } from "./proto.ts";

export interface WriteOptions {
  readonly opset: number;
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

export function writeModel(model: Module, parameters: ReadonlyMap<string, FloatArray>, options: WriteOptions): Uint8Array<ArrayBuffer> {
  const build = new Builder(parameters, options.opset);
  const sizes = options.input ?? inputSizes(model);
  build.inputs.push({ name: "input", type: model.idCount === undefined ? "float" : "int64", sizes });
  const lengths = options.lengths ? "lengths" : undefined;
  if (lengths) build.inputs.push({ name: lengths, type: "int32", sizes: [sizes[model.batchFirst ? 0 : 1]] });
  const output = writeModule(build, "", model, { name: "input", sizes }, { lengths, states: options.states });
  build.finish("", output.name, { name: "output", type: "float", sizes: output.sizes });
  // The first output is the model's, then come states.
  build.outputs.unshift(build.outputs.pop()!);
  return encodeOnnx(build.graph("model"), options.opset);
}
