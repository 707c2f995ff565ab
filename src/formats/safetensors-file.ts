/** Reads safetensors files: tensors alone, or a model that `saveModel` wrote. */
import { decodeSafetensors } from "../io/safetensors.ts";
import { Part } from "../part.ts";
import { describesModel } from "../saving/format.ts";
import { layers } from "../saving/layers.ts";
import { modelWith, type ModuleClass } from "../saving/model-file.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tensorReport, type ImportedModel } from "./imported.ts";

export const tensorsIn = (file: Uint8Array): Record<string, Tensor> => decodeSafetensors(file).tensors;

const what = "importModel";

/** Classes of imported models, by the names that files have for them. */
const imported: Readonly<Record<string, Part<ModuleClass>>> = {
  KerasNetwork: new Part(what, async () => (await import("./keras/network.ts")).KerasNetwork),
  NamLstm: new Part(what, async () => (await import("./nam.ts")).NamLstm),
  OnnxModel: new Part(what, async () => (await import("./onnx/model.ts")).OnnxModel),
  Skipping: new Part(what, async () => (await import("./rtneural.ts")).Skipping),
};

/** The model that `saveModel` wrote; undefined for tensors alone. */
export async function ownModel(file: Uint8Array): Promise<ImportedModel | undefined> {
  const { tensors, metadata } = decodeSafetensors(file);
  if (!describesModel(metadata)) return undefined;
  const used = Object.entries(imported).filter(([name]) => metadata.model?.includes(`"${name}"`));
  const further = await Promise.all(used.map(async ([name, part]) => [name, await part.load()] as const));
  const model = modelWith(tensors, metadata, { modules: { ...layers, ...Object.fromEntries(further) }, cells: {} });
  const parameters = [...model.namedParameters()].map(([name, { size }]) => [name, size] as const);
  return { model, format: "safetensors", inputs: [], outputs: [], report: tensorReport(parameters) };
}
