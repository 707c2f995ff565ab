/** Reads safetensors files: tensors alone, or a model that `saveModel` wrote. */
import { decodeSafetensors } from "../io/safetensors.ts";
import { describesModel } from "../saving/format.ts";
import { loadModel } from "../saving/models.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { tensorReport, type ImportedModel } from "./imported.ts";

export const tensorsIn = (file: Uint8Array): Record<string, Tensor> => decodeSafetensors(file).tensors;

/** The model that `saveModel` wrote; undefined for tensors alone. */
export async function ownModel(file: Uint8Array): Promise<ImportedModel | undefined> {
  if (!describesModel(decodeSafetensors(file).metadata)) return undefined;
  const model = await loadModel(file);
  const parameters = [...model.namedParameters()].map(([name, { size }]) => [name, size] as const);
  return { model, format: "safetensors", inputs: [], outputs: [], report: tensorReport(parameters) };
}
