import { checkChoice, RnnError, show } from "../errors.ts";
import { Module } from "../nn/module.ts";
import { isA, takeEntries, takeOptions } from "../options.ts";
import { takeBytes } from "../io/bytes.ts";
import type { ModuleClass, Names } from "./model-file.ts";
import { load, save, type Saved } from "./save-and-load.ts";

/** What a file of an app's own modules refers to by name. */
export interface ModelNames {
  /** Classes of the app's modules, by the names that the file has for them. */
  readonly modules?: Readonly<Record<string, abstract new (...args: never[]) => Module>>;
  /** Custom cells by name, as `defineCell` gave them. */
  readonly cells?: Readonly<Record<string, object>>;
}

/** Options of `saveModel`. */
export interface SaveOptions extends ModelNames {
  /** "F16" or "BF16" rounds the parameters to two bytes each. */
  readonly dtype?: "F16" | "BF16";
  /** Further texts for the file, such as a vocabulary. `decodeSafetensors` reads them. */
  readonly metadata?: Readonly<Record<string, string>>;
}

function takeNames(where: string, { modules = {}, cells = {} }: ModelNames): Names {
  const classes = takeEntries(where, "modules", "classes by name", modules).map(([name, value]) => {
    if (typeof value !== "function" || !(value.prototype instanceof Module))
      throw new RnnError("option", where, `modules.${name} must be a class that extends Module, got ${show(value)}`);
    return [name, value as ModuleClass] as const;
  });
  const values = takeEntries(where, "cells", "custom cells by name", cells).map(([name, value]) => {
    if (typeof value !== "object" || value === null)
      throw new RnnError("option", where, `cells.${name} must be what defineCell gave, got ${show(value)}`);
    return [name, value] as const;
  });
  return { modules: Object.fromEntries(classes), cells: Object.fromEntries(values) };
}

/** Names of the options of `saveModel`. */
export const saveOptionNames = ["dtype", "metadata", "modules", "cells"] as const;

/** @throws RnnError `option` */
export function takeSaveOptions(where: string, options: SaveOptions): { names: Names } & Saved {
  const { dtype, metadata = {} } = options;
  if (dtype !== undefined) checkChoice(where, "dtype", dtype, ["F16", "BF16"]);
  const texts = Object.fromEntries(takeEntries(where, "metadata", "texts", metadata)) as Record<string, string>;
  return { names: takeNames(where, options), dtype, metadata: texts };
}

/**
 * Writes a model as a safetensors file: the parameters as `stateDict` names them, which PyTorch's `load_state_dict` takes,
 * and in the metadata how to make the layers again. `loadModel` reads it. The parameters are those of the moment of the
 * call.
 * Modules of the app's own need `modules` and a `describe()`, custom cells need `cells`; `loadModel` needs the same names.
 * @throws RnnError `option` that names the module which a file cannot describe, or for wrong options
 */
export async function saveModel(model: Module, given: SaveOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const where = "saveModel";
  if (!isA(model, Module)) throw new RnnError("option", where, `must get a module, got ${show(model)}`);
  const { names, ...saved } = takeSaveOptions(where, takeOptions(where, given, saveOptionNames));
  return save(model, await model.stateDict(), names, saved);
}

/**
 * Reads a model that `saveModel` wrote: all built-in layers come back without further code. Nothing in the file is run.
 * @throws RnnError `format` if the file is damaged or describes no model, naming what does not fit; `option` for wrong
 * options
 */
export async function loadModel(file: Uint8Array | ArrayBuffer, given: ModelNames = {}): Promise<Module> {
  const names = takeNames("loadModel", takeOptions("loadModel", given, ["modules", "cells"]));
  return load(takeBytes(file, "loadModel"), names);
}
