/** Reads models that other software has written. */
import { checkChoice, listed, reading, RnnError, show } from "../errors.ts";
import { takeBytes } from "../io/bytes.ts";
import { Module } from "../nn/module.ts";
import { isA, takeOptions, takePlain } from "../options.ts";
import { Part } from "../part.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { formatOf, jsonOf, looksLikeJson } from "./detect.ts";
import {
  formatError,
  readingFile,
  tensorReport,
  type FileBytes,
  type FormatName,
  type ImportedModel,
  type ImportOptions,
  type Json,
  type ModelFiles,
} from "./imported.ts";

const what = "importModel";
const zip = new Part(what, () => import("./parsers/zip.ts"));
const safetensors = new Part(what, () => import("./safetensors-file.ts"));
const pytorch = new Part(what, () => import("./pytorch/read.ts"));
const keras = new Part(what, () => import("./keras/read.ts"));
const tfjs = new Part(what, () => import("./tfjs.ts"));
const tf1 = new Part(what, () => import("./tf1.ts"));
const rtneural = new Part(what, () => import("./rtneural.ts"));
const onnx = new Part(what, () => import("./onnx/import-onnx.ts"));
const nam = new Part(what, () => import("./nam.ts"));

const formats: readonly FormatName[] = ["onnx", "keras", "tfjs", "tf1", "pytorch", "safetensors", "rtneural", "nam"];

type Files = ReadonlyMap<string, Uint8Array>;

const onlyJson = (files: Files): Json => jsonOf(what, onlyFile(files));

/** @throws RnnError `format` if there are others too, which would have no effect */
function onlyFile(files: Files): Uint8Array {
  const [bytes, ...others] = files.values();
  if (others.length > 0) throw formatError(what, `this format has one file, got ${listed([...files.keys()])}`);
  return bytes;
}

/** Readers of files that describe layers. */
const readers: Readonly<Partial<Record<FormatName, (files: Files) => Promise<ImportedModel>>>> = {
  keras: async (files) => (await keras.load()).readKeras(files),
  tfjs: async (files) => (await tfjs.load()).readTfjs(files),
  tf1: async (files) => (await tf1.load()).readTf1(files),
  rtneural: async (files) => (await rtneural.load()).readRtneural(onlyJson(files)),
  nam: async (files) => (await nam.load()).readNam(onlyJson(files)),
};

/** Copies of files, by name: the code that reads them is loaded later. @throws RnnError `format` for what is no file */
function takeFiles(given: ModelFiles): Map<string, Uint8Array> {
  return reading("format", what, "the files", () => {
    const isFile = ArrayBuffer.isView(given) || Object.prototype.toString.call(given).endsWith("ArrayBuffer]");
    if (isFile || typeof given !== "object" || given === null) return new Map([["", takeBytes(given, what)]]);
    const files = new Map(Object.entries(given).map(([name, file]) => [name, takeBytes(file, what)]));
    if (files.size === 0) throw formatError(what, "needs at least one file, got none");
    return files;
  });
}

/** Reads the tensors of files that hold only weights. */
async function tensorsOf(format: FormatName, files: Files): Promise<Record<string, Tensor> | undefined> {
  if (format === "safetensors") return (await safetensors.load()).tensorsIn(onlyFile(files));
  if (format === "pytorch") return (await pytorch.load()).readStateDict(onlyFile(files));
  return undefined;
}

/** The format of the first file that tells it. Descriptions in JSON say more than the files that they name. */
async function findFormat(files: Files): Promise<FormatName> {
  const ordered = [...files.values()].sort((a, b) => Number(looksLikeJson(b)) - Number(looksLikeJson(a)));
  const problems: unknown[] = [];
  for (const bytes of ordered) {
    try {
      return await formatOf(bytes, async () => (await zip.load()).namesInZip(what, bytes));
    } catch (problem) {
      problems.push(problem);
    }
  }
  throw problems[0];
}

/** @throws RnnError `option` */
function takeModel(options: ImportOptions): Module | undefined {
  const { model } = options;
  if (model !== undefined && !isA(model, Module)) throw new RnnError("option", "importModel", `model must be a module, got ${show(model)}`);
  return model;
}

/**
 * Reads a model of another program. The format is found by the content:
 *
 * - Keras' `.keras` and `.h5`. Of a `.weights.h5`, give the description of the layers too:
 *   `{ "config.json": …, "model.weights.h5": … }`.
 * - tensorflow.js' layers models: `model.json` and its shards, by name.
 * - TensorFlow 1's variables with `manifest.json`, and `vocab.json` if there is one (ml5's character models). The output
 *   are logits.
 * - RTNeural's JSON, in Keras' and in PyTorch's layout, and Neural Amp Modeler's `.nam` of LSTMs.
 * - PyTorch's `.pt` and `.pth` and safetensors hold weights alone: `{ model }` is the model that gets them, with the
 *   names of its parameters. Nothing in a pickle is run.
 * - A safetensors file that `saveModel` wrote, of the modules of the main entry, needs no model.
 * - ONNX graphs of opset 7 to 22: recurrent nodes become layers, other weights parameters with the file's names for them
 *   (dots and slashes separate the words of a path). `constants` fixes inputs that are always the same.
 *
 * Code for a format is loaded when the first file of it is read.
 * @param files the bytes of a file, or of several by name
 * @returns the model, its inputs and outputs, and a report of what each layer became
 * @throws RnnError `format` for a file that is damaged or holds what cannot be read, naming it; `option` for unknown
 * options; `load` if code did not arrive
 */
export async function importModel(files: ModelFiles, given: ImportOptions = {}): Promise<ImportedModel> {
  const options = takeOptions("importModel", given, ["model", "constants", "format"]);
  const model = takeModel(options);
  const asked = options.format === undefined ? undefined : checkChoice<FormatName>(what, "format", options.format, formats);
  const constants = takePlain(what, "constants", options.constants);
  const taken = takeFiles(files);
  const format = await readingFile("importModel", () => asked ?? findFormat(taken));
  if (model && format !== "pytorch" && format !== "safetensors")
    throw new RnnError("option", what, `model is for files that hold weights alone (PyTorch, safetensors); this one is ${format}`);
  if (constants !== undefined && format !== "onnx") throw new RnnError("option", what, `constants are for ONNX; this file is ${format}`);
  if (format === "onnx") return (await onnx.load()).importOnnx(onlyFile(taken), constants);
  return readingFile("importModel", async () => {
    const own = format === "safetensors" && !model ? await (await safetensors.load()).ownModel(onlyFile(taken)) : undefined;
    if (own) return own;
    const tensors = await tensorsOf(format, taken);
    if (tensors) return intoModel(format, model, tensors);
    const read = readers[format];
    if (!read) throw formatError("importModel", `files of the format ${show(format)} are not read`);
    return read(taken);
  });
}

/** Loads weights into the model that the caller has. */
function intoModel(format: FormatName, model: Module | undefined, tensors: Record<string, Tensor>): ImportedModel {
  const names = Object.keys(tensors);
  if (!model)
    throw formatError(
      "importModel",
      `this file holds weights without a description of the layers (${listed(names)}); give { model } with parameters of these names, or call readTensors`,
    );
  model.loadStateDict(tensors);
  const report = tensorReport(names.map((name) => [name, tensors[name].data.length] as const));
  return { model, format, inputs: [], outputs: [], report };
}

/**
 * Reads the tensors of a file by name: the state dictionary of a PyTorch file (of a checkpoint, its model's), or all of
 * a safetensors file.
 * @throws RnnError `format` if it is damaged, or is no file of tensors
 */
export async function readTensors(file: FileBytes): Promise<Record<string, Tensor>> {
  return readingFile("readTensors", async () => {
    const files = new Map([["", takeBytes(file, "readTensors")]]);
    const format = await findFormat(files);
    const tensors = await tensorsOf(format, files);
    if (!tensors) throw formatError("readTensors", `a file of the format "${format}" holds a model; call importModel`);
    return tensors;
  });
}
