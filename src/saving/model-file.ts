/**
 * Models as safetensors files: the parameters by name, and in the metadata, under "model", how to make the modules again.
 * A module is {"@": name of its class, "of": [arguments of its constructor]}, a custom cell {"@cell": name}; all else is
 * plain JSON.
 */
import { clip, listed, reading, reasonOf, RnnError } from "../errors.ts";
import { Module } from "../nn/module.ts";
import { withoutValues } from "../nn/parameter.ts";
import { isA } from "../options.ts";
import { sameShape, sizeOf } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { isObject, parseJson, type Json } from "../io/json.ts";
import { describesModel, modelFormat } from "./format.ts";
import { decodeSafetensors } from "../io/safetensors.ts";

/** A class of modules. */
export type ModuleClass = abstract new (...args: never[]) => Module;

/** What names in a description stand for. */
export interface Names {
  readonly modules: Readonly<Record<string, ModuleClass>>;
  /** Custom cells, as `defineCell` gave them. */
  readonly cells: Readonly<Record<string, object>>;
}

const nameOf = (values: Readonly<Record<string, unknown>>, wanted: unknown): string | undefined =>
  Object.keys(values).find((name) => values[name] === wanted);

/**
 * The name that a class has for itself in files, as those of imported models do: pages that save no such model do not load
 * them.
 */
const ownName = (kind: unknown): string | undefined =>
  Object.hasOwn(kind as object, "savedAs") ? (kind as { savedAs: string }).savedAs : undefined;

/** The classes of a module and those inside that name themselves. */
function selfNamed(module: Module): Readonly<Record<string, ModuleClass>> {
  const name = ownName(module.constructor);
  const own = name === undefined ? {} : { [name]: module.constructor as ModuleClass };
  const parts = (module.describe() ?? []).flatMap((one): unknown[] => {
    if (isA(one, Module)) return [one];
    return typeof one === "object" && one !== null ? Object.values(one) : [];
  });
  return parts
    .filter((one) => isA(one, Module))
    .reduce<Readonly<Record<string, ModuleClass>>>((all, part) => ({ ...all, ...selfNamed(part) }), own);
}

/** Whether `importModel` must read the file of this model, since parts of it are those of imported ones. */
export const namesItself = (model: Module): boolean => Object.keys(selfNamed(model)).length > 0;

/** @throws RnnError `option` that names the module which a file cannot describe */
function describe(value: unknown, names: Names, path: string): Json {
  const inner = (one: unknown, step: string): Json => describe(one, names, path === "" ? step : `${path}.${step}`);
  const refuse = (what: string, remedy: string): never => {
    throw new RnnError("option", "saveModel", `${path === "" ? "the model" : `"${clip(path)}"`} ${what}; ${remedy}`);
  };
  if (isA(value, Module)) {
    const own = clip(value.constructor.name, 60);
    const args: unknown = reading("option", own, "describe()", () => value.describe());
    const name = nameOf(names.modules, value.constructor) ?? ownName(value.constructor);
    if (name === undefined)
      return refuse(`is of the class ${own}, which the package does not have`, `give { modules: { ${own} } } to saveModel and loadModel`);
    if (!Array.isArray(args))
      return refuse(`is a ${own}, which does not describe itself`, "let describe() return its constructor's arguments");
    return { "@": name, of: args.map((one: unknown, i) => inner(one, `${name}.${i}`)) };
  }
  if (typeof value === "object" && value !== null) {
    if (Array.isArray(value)) return value.map((one, i) => inner(one, String(i)));
    const cell = nameOf(names.cells, value);
    if (cell !== undefined) return { "@cell": cell };
    const entries = Object.entries(value).filter(([, one]) => one !== undefined);
    if (entries.some(([, one]) => typeof one === "function") && "gateNames" in value)
      return refuse("has a custom cell, whose functions a file cannot hold", "give { cells: { name: cell } }");
    if (Object.getPrototypeOf(value) !== Object.prototype || entries.some(([key]) => key.startsWith("@")))
      return refuse("has an argument that JSON cannot say", "describe() may return numbers, texts, lists, plain objects and modules");
    return Object.fromEntries(entries.map(([key, one]) => [key, inner(one, key)]));
  }
  if (value === null || typeof value === "boolean" || typeof value === "string" || Number.isFinite(value)) return value as Json;
  return refuse("has an argument that JSON cannot say", "describe() may return numbers, texts, lists, plain objects and modules");
}

/** @throws RnnError `format` for what no model has */
function build(value: Json, names: Names): unknown {
  if (Array.isArray(value)) return value.map((one: Json) => build(one, names));
  if (!isObject(value)) return value;
  const [name, cell] = [value["@"], value["@cell"]];
  if (name === undefined && cell === undefined)
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, build(one!, names)]));
  const known: Readonly<Record<string, unknown>> = name === undefined ? names.cells : names.modules;
  const wanted = name ?? cell;
  if (typeof wanted !== "string" || !Object.hasOwn(known, wanted)) {
    const option = name === undefined ? "cells" : "modules";
    const what = name === undefined ? "the custom cell" : "modules of the class";
    const imported = name === undefined ? "" : "; importModel of webgpu-rnn/formats reads models of other programs";
    throw new RnnError(
      "format",
      "loadModel",
      `the file has ${what} ${clip(JSON.stringify(wanted))}, which must be in { ${option} }${imported}`,
    );
  }
  if (name === undefined) return known[wanted];
  const args = value.of;
  if (!Array.isArray(args)) throw new RnnError("format", "loadModel", `the file has no list of arguments for ${clip(wanted)}`);
  const kind = known[wanted] as (new (...args: unknown[]) => Module) & { restore?: (...args: unknown[]) => Module };
  const built = (args as Json[]).map((one) => build(one, names));
  return kind.restore ? kind.restore(...built) : new kind(...built);
}

/** A model as a text describes it, without values. @throws RnnError `format` for a text that no model has */
function modelOf(text: string, names: Names, numbers: number): Module {
  const description = parseJson("loadModel", text);
  try {
    const model = withoutValues(numbers, () => build(description, names));
    if (isA(model, Module)) return model;
  } catch (cause) {
    if (cause instanceof RnnError && cause.kind === "format") throw cause;
    throw new RnnError("format", "loadModel", `the file describes a model that cannot be: ${reasonOf(cause)}`, { cause });
  }
  throw new RnnError("format", "loadModel", "the file describes no module");
}

/**
 * The text that describes a model.
 * @throws RnnError `option` that names the module which a file cannot describe, or which would not come back
 */
export function descriptionOf(model: Module, names: Names): string {
  const text = JSON.stringify(describe(model, names, ""));
  const parameters = model.namedParameters();
  const modules = { ...selfNamed(model), ...names.modules };
  const again = modelOf(text, { ...names, modules }, Infinity).namedParameters();
  const changed = [...new Set([...parameters.keys(), ...again.keys()])].filter((path) => {
    const [one, other] = [parameters.get(path), again.get(path)];
    return !one || !other || !sameShape(one.shape, other.shape);
  });
  if (changed.length > 0)
    throw new RnnError(
      "option",
      "saveModel",
      `the model that describe() describes has other parameters: ${listed(changed)}; its arguments must be those of the constructor`,
    );
  return text;
}

/** The model of a file that is decoded. @throws as `readModel` */
export function modelWith(tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>>, names: Names): Module {
  const { format, model: text } = metadata;
  if (!describesModel(metadata) || text === undefined)
    throw new RnnError(
      "format",
      "loadModel",
      `the file must have the format "${modelFormat}" and describe its layers, got ${format === undefined ? "no format" : `"${clip(format)}"`}; ` +
        "weights alone go through decodeSafetensors and loadStateDict",
    );
  const numbers = Object.values(tensors).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const model = modelOf(text, names, numbers);
  model.loadStateDict(tensors);
  return model;
}

/**
 * The model in a file.
 * @throws RnnError `format` if the file is damaged, does not describe a model, or describes one that its tensors or
 * `names` do not fit
 */
export function readModel(file: Uint8Array | ArrayBuffer, names: Names): Module {
  const { tensors, metadata } = decodeSafetensors(file);
  return modelWith(tensors, metadata, names);
}
