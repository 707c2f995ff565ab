/** Where a Keras model's layers find their arrays, in the three ways that its versions store them. */
import { clip, listed, show } from "../../errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { formatError, get, isObject, type Json, type JsonObject } from "../imported.ts";
import type { Hdf5Dataset, Hdf5Group } from "../parsers/hdf5.ts";
import { placeOf, where, type LayerConfig } from "./config.ts";

/** The arrays of one layer. */
export interface LayerArrays {
  /** The next arrays, in the order in which the layer makes its variables. */
  take(layer: LayerConfig, names: readonly string[]): Tensor[];
  /** Those of a layer inside this one. */
  inner(name: "cell" | "layer" | "forward_layer" | "backward_layer"): LayerArrays;
  /** Those of the layers of a model, or of the cells of a stack. */
  parts(layers: readonly LayerConfig[], list?: "layers" | "cells"): LayerArrays[];
  /** @throws RnnError `format` if an array has not been taken */
  finish(layer: Pick<LayerConfig, "kind" | "name">): void;
}

function lacks(layer: LayerConfig, names: readonly string[], found: number): never {
  throw formatError(where, `${placeOf(layer)} needs ${names.length} arrays (${names.join(", ")}), the file has ${found} for it`);
}

/** Keras 3's `model.weights.h5`: groups within groups, and variables by number. */
export class GroupedArrays implements LayerArrays {
  private taken = 0;

  constructor(private readonly group: Hdf5Group | undefined) {}

  private get variables(): Hdf5Dataset[] {
    const { datasets } = this.group?.groups.get("vars") ?? { datasets: new Map<string, Hdf5Dataset>() };
    return [...datasets].sort(([a], [b]) => Number(a) - Number(b)).map(([, dataset]) => dataset);
  }

  take(layer: LayerConfig, names: readonly string[]): Tensor[] {
    const found = this.variables.slice(this.taken, (this.taken += names.length));
    if (found.length !== names.length) lacks(layer, names, this.variables.length);
    return found.map((dataset) => dataset.read());
  }

  inner(name: string): LayerArrays {
    return new GroupedArrays(this.group?.groups.get(name));
  }

  parts(layers: readonly LayerConfig[], list = "layers"): LayerArrays[] {
    const found = this.group?.groups.get(list) ?? this.group?.groups.get("_layer_checkpoint_dependencies");
    const groups = found?.groups ?? new Map<string, Hdf5Group>();
    const derived = derivedNames(layers);
    // A layer's group has the name of its class, numbered; in some versions, the layer's own name. Inputs may have none.
    const own = layers.map(({ name }) => name);
    const fits = (names: readonly string[]): boolean => names.every((name, i) => groups.has(name) || layers[i].kind === "InputLayer");
    const names = !fits(derived) && fits(own) ? own : derived;
    return names.map((name) => new GroupedArrays(groups.get(name)));
  }

  finish(layer: Pick<LayerConfig, "kind" | "name">): void {
    const { length } = this.variables;
    if (length > this.taken)
      throw formatError(
        where,
        `${placeOf(layer)} has ${length} arrays in the file, of which ${this.taken} are known; it would compute something else`,
      );
  }
}

/** Class names as Keras turns them into names of variables. */
const snakeCase = (name: string): string =>
  name
    .replace(/\W+/g, "")
    .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();

function derivedNames(layers: readonly LayerConfig[]): string[] {
  const counts = new Map<string, number>();
  return layers.map(({ kind }) => {
    const name = snakeCase(kind);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  });
}

/** An array with its name. */
export interface NamedArray {
  readonly name: string;
  read(): Tensor;
}

/** The name of a layer, and those of the layers inside it. */
function namesWithin({ name, config }: { readonly name: Json | undefined; readonly config: JsonObject }): string[] {
  const inner = [...asItems(get(config, "layers")), ...asItems([get(config, "layer") ?? null, get(config, "backward_layer") ?? null])];
  return [...(typeof name === "string" ? [name] : []), ...inner.flatMap((one) => namesWithin({ name: get(one, "name"), config: one }))];
}

/** The configurations in a list of layers. */
const asItems = (list: Json | undefined): JsonObject[] =>
  (Array.isArray(list) ? (list as readonly Json[]) : []).flatMap((one) => {
    const config = isObject(one) ? get(one, "config") : undefined;
    return isObject(config) ? [config] : [];
  });

/** What older versions and tfjs store: for each layer a list of arrays in its order. */
export class ListedArrays implements LayerArrays {
  private taken = 0;

  constructor(private readonly arrays: readonly NamedArray[]) {}

  take(layer: LayerConfig, names: readonly string[]): Tensor[] {
    const found = this.arrays.slice(this.taken, (this.taken += names.length));
    if (found.length !== names.length) lacks(layer, names, this.arrays.length);
    return found.map((array) => array.read());
  }

  inner(): LayerArrays {
    return this;
  }

  /** Their names begin with the layer's, or they follow each other. */
  parts(layers: readonly LayerConfig[]): LayerArrays[] {
    const names = layers.map((layer) => new Set(namesWithin(layer)));
    const divisions = [(words: string[]) => words.slice(0, 1), (words: string[]) => words].map((some) =>
      names.map((own) => this.arrays.filter((array) => some(array.name.split("/")).some((word) => own.has(word)))),
    );
    const divided = divisions.find((lists) => lists.reduce((sum, { length }) => sum + length, 0) === this.arrays.length);
    if (!divided) return layers.map(() => this);
    this.taken = this.arrays.length;
    return divided.map((arrays) => new ListedArrays(arrays));
  }

  finish(layer: Pick<LayerConfig, "kind" | "name">): void {
    if (this.arrays.length > this.taken)
      throw formatError(
        where,
        `${placeOf(layer)} has the arrays ${listed(this.arrays.map(({ name }) => name))} in the file, of which ${this.taken} are known; it would compute something else`,
      );
  }
}

/** Arrays by the names of layers. */
export function arraysByLayer(byLayer: ReadonlyMap<string, readonly NamedArray[]>): LayerArrays {
  return new (class extends ListedArrays {
    override parts(layers: readonly LayerConfig[]): LayerArrays[] {
      const known = new Set(layers.map(({ name }) => name));
      const unknown = [...byLayer].filter(([name, arrays]) => arrays.length > 0 && !known.has(name)).map(([name]) => name);
      if (unknown.length > 0)
        throw formatError(where, `its arrays belong to the layers ${listed(unknown)}, which the description does not have`);
      return layers.map(({ name }) => new ListedArrays(byLayer.get(name) ?? []));
    }
  })([]);
}

const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === "string") : []);

/** A long list of names is divided among attributes with numbers. */
function namesIn(group: Hdf5Group, attribute: string): string[] {
  const whole = group.attributes.get(attribute);
  if (whole !== undefined) return texts(whole);
  const names: string[] = [];
  for (let i = 0; group.attributes.has(`${attribute}${i}`); i++) names.push(...texts(group.attributes.get(`${attribute}${i}`)));
  return names;
}

function datasetAt(group: Hdf5Group, path: string): Hdf5Dataset {
  const words = path.split("/").filter((word) => word !== "");
  const last = words.pop() ?? "";
  const found = words.reduce<Hdf5Group | undefined>((inner, word) => inner?.groups.get(word), group)?.datasets.get(last);
  if (!found) throw formatError(where, `its list of arrays names ${show(clip(path, 80))}, which is not there`);
  return found;
}

/** The arrays of a whole-model `.h5`, or of `save_weights` of Keras 2, by layer. */
export function legacyArrays(root: Hdf5Group): Map<string, NamedArray[]> {
  return new Map(
    namesIn(root, "layer_names").map((layer) => {
      const group = layer.split("/").reduce<Hdf5Group | undefined>((inner, word) => inner?.groups.get(word), root);
      if (!group) throw formatError(where, `its list of layers names ${show(clip(layer, 80))}, which is not there`);
      return [layer, namesIn(group, "weight_names").map((name) => ({ name, read: () => datasetAt(group, name).read() }))];
    }),
  );
}
