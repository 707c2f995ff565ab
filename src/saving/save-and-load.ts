/** What `saveModel` and `loadModel` do. */
import { RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { modelFormat } from "./format.ts";
import { layers } from "./layers.ts";
import { descriptionOf, modelWith, type Names } from "./model-file.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";

/** The classes of the package, and those of the caller, which come first. */
const withLayers = (given: Names): Names => ({ ...given, modules: { ...layers, ...given.modules } });

export interface Saved {
  readonly dtype: "F16" | "BF16" | undefined;
  readonly metadata: Readonly<Record<string, string>>;
}

export function save(
  model: Module,
  state: Readonly<Record<string, Tensor>>,
  given: Names,
  { dtype, metadata }: Saved,
  stream?: string,
): Uint8Array<ArrayBuffer> {
  const taken = ["format", "model", "stream"].find((key) => Object.hasOwn(metadata, key));
  if (taken !== undefined)
    throw new RnnError(
      "option",
      "saveModel",
      `metadata cannot be named "${taken}", which the description of the ${taken === "stream" ? "stream" : "layers"} uses`,
    );
  const description = descriptionOf(model, withLayers(given));
  return encodeSafetensors(
    state,
    { ...metadata, format: modelFormat, model: description, ...(stream !== undefined && { stream }) },
    { dtype },
  );
}

export function load(file: Uint8Array, given: Names): Module {
  const { tensors, metadata } = decodeSafetensors(file);
  return modelWith(tensors, metadata, withLayers(given));
}
