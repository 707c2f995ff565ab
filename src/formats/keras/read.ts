/** Reads Keras' files: `.keras`, `.h5` of whole models, and `.weights.h5` with a description beside it. */
import { Part } from "../../part.ts";
import { looksLikeJson, jsonOf } from "../detect.ts";
import {
  formatError,
  get,
  isObject,
  parseJson,
  type ImportedModel,
  type ImportedNode,
  type ImportedValue,
  type Json,
  type JsonObject,
} from "../imported.ts";
import type { Hdf5Group } from "../parsers/hdf5.ts";
import { inputShapeOf, layerOf, modelOf, where } from "./config.ts";
import { KerasNetwork } from "./network.ts";
import { arraysByLayer, GroupedArrays, legacyArrays, type LayerArrays } from "./weights.ts";

// RTNeural's and tensorflow.js' files hold the same layers, and need neither.
const hdf5 = new Part("importModel", () => import("../parsers/hdf5.ts"));
const zip = new Part("importModel", () => import("../parsers/zip.ts"));

/** What a set of files holds. */
interface Parts {
  description?: JsonObject;
  version?: string;
  weights?: Hdf5Group;
}

const isHdf5 = (bytes: Uint8Array): boolean => bytes[0] === 0x89 && bytes[1] === 0x48;
const isZip = (bytes: Uint8Array): boolean => bytes[0] === 0x50 && bytes[1] === 0x4b;

function readJson(parts: Parts, json: Json): void {
  if (!isObject(json)) return;
  const version = get(json, "keras_version");
  if (typeof version === "string") parts.version = version;
  if (get(json, "class_name") !== undefined && get(json, "config") !== undefined) parts.description = json;
}

async function readFile(parts: Parts, name: string, bytes: Uint8Array): Promise<void> {
  if (isZip(bytes)) {
    const wanted = /(^|\/)(config\.json|metadata\.json|model\.weights\.h5)$/;
    const { unzip } = await zip.load();
    for (const [inner, content] of unzip(where, bytes, (one) => wanted.test(one))) await readFile(parts, inner, content);
  } else if (isHdf5(bytes)) {
    const root = (await hdf5.load()).readHdf5(where, bytes);
    const { attributes } = root;
    const [config, version] = [attributes.get("model_config"), attributes.get("keras_version")];
    if (typeof version === "string") parts.version ??= version;
    if (typeof config === "string") readJson(parts, parseJson(where, config));
    parts.weights = root.groups.get("model_weights") ?? root;
  } else if (looksLikeJson(bytes)) readJson(parts, jsonOf(name || where, bytes));
}

/** By the version that wrote it, or by the form of its descriptions. */
function eraOf({ version, description }: Parts): 2 | 3 {
  if (version !== undefined) return /^[12]\./.test(version) ? 2 : 3;
  return JSON.stringify(description ?? null).includes('"module":"keras') ? 3 : 2;
}

/** The arrays of a model, in whichever way the file stores them. */
function arraysOf(weights: Hdf5Group): LayerArrays {
  if (weights.attributes.has("layer_names") || weights.attributes.has("layer_names0")) return arraysByLayer(legacyArrays(weights));
  return new GroupedArrays(weights);
}

/** A network of a description and its arrays. */
export function networkOf(description: Json, era: 2 | 3, arrays: LayerArrays): ImportedModel {
  const config = modelOf(layerOf(description, "the model", era));
  const report: ImportedNode[] = [];
  const model = new KerasNetwork(config, arrays, false, report);
  arrays.finish(config);
  const shapes = new Map(config.layers.map((layer) => [layer.name, inputShapeOf(layer)]));
  const firstShape = inputShapeOf(config.layers[0]);
  const inputs = model.inputNames.map((name, i): ImportedValue => {
    const source = config.inputs[i].layer;
    const ids = model.idsOf(i);
    return {
      name: source || "input",
      shape: shapes.get(source) ?? firstShape,
      ...(ids !== undefined && { ids }),
      path: i === 0 ? "input" : name,
    };
  });
  const outputs = model.outputNames.map((name, i): ImportedValue => ({ name: config.outputs[i].layer, path: i === 0 ? "output" : name }));
  return { model, format: "keras", inputs, outputs, report };
}

/** @throws RnnError `format` */
export async function readKeras(files: ReadonlyMap<string, Uint8Array>): Promise<ImportedModel> {
  const parts: Parts = {};
  for (const [name, bytes] of files) await readFile(parts, name, bytes);
  const { description, weights } = parts;
  if (!description)
    throw formatError(
      where,
      'it holds weights without a description of the layers; give the description too, { "config.json": …, "model.weights.h5": … }, where config.json is the text of model.to_json()',
    );
  if (!weights)
    throw formatError(
      where,
      'it describes layers without their weights; give the weights too, { "config.json": …, "model.weights.h5": … }',
    );
  return networkOf(description, eraOf(parts), arraysOf(weights));
}
