/** The configurations of Keras models, in all the forms of its versions, as one form. */
import { clip } from "../../errors.ts";
import { asCount, asList, asObject, asText, formatError, get, isObject, type Json, type JsonObject } from "../imported.ts";

export const where = "Keras file";

/** A layer as its configuration describes it. */
export interface LayerConfig {
  readonly kind: string;
  readonly name: string;
  readonly config: JsonObject;
  /** Keras 3 has other meanings of a few names than Keras 2 and tfjs. */
  readonly era: 2 | 3;
}

/** One of the results of a layer's call. */
export interface Source {
  readonly layer: string;
  /** The layer may be called more than once. */
  readonly call: number;
  readonly output: number;
}

/** A layer's call on results of others. */
export interface Call {
  readonly layer: string;
  readonly call: number;
  readonly inputs: readonly Source[];
}

/** A model: layers, calls and what goes in and out. */
export interface ModelConfig {
  readonly kind: string;
  readonly name: string;
  readonly layers: readonly LayerConfig[];
  readonly calls: readonly Call[];
  readonly inputs: readonly Source[];
  readonly outputs: readonly Source[];
}

/** Kinds of layers that are models. */
export const modelKinds = ["Sequential", "Functional", "Model"];

/** Where a layer is, for messages. */
export const placeOf = ({ kind, name }: Pick<LayerConfig, "kind" | "name">): string => `${kind} "${clip(name, 60)}"`;

/** A layer's own description. @param what where it is, for messages */
export function layerOf(json: Json | undefined, what: string, era: 2 | 3): LayerConfig {
  const layer = asObject(where, what, json);
  const kind = asText(where, `class_name of ${what}`, get(layer, "class_name"));
  const given = get(layer, "config");
  // Sequential models of Keras 2.0 are lists of layers.
  const config: JsonObject = Array.isArray(given) ? { layers: given as readonly Json[] } : asObject(where, `config of ${what}`, given);
  const name = get(config, "name") ?? get(layer, "name");
  return { kind, name: typeof name === "string" ? name : kind, config, era };
}

/** @throws RnnError `format` if it is no model of layers */
export function modelOf(layer: LayerConfig): ModelConfig {
  const { kind, name, config, era } = layer;
  if (!modelKinds.includes(kind))
    throw formatError(where, `a model must be Sequential or Functional, got ${placeOf(layer)}, whose code is not in the file`);
  const entries = asList(where, `layers of ${placeOf(layer)}`, get(config, "layers"));
  const layers = entries.map((entry, i) => layerOf(entry, `layer ${i}`, era));
  if (layers.length === 0) throw formatError(where, `${placeOf(layer)} has no layers`);
  const seen = new Set<string>();
  for (const one of layers) {
    if (seen.has(one.name)) throw formatError(where, `two layers have the name "${clip(one.name, 60)}"`);
    seen.add(one.name);
  }
  if (kind === "Sequential") return { kind, name, layers, ...chained(layers) };
  const calls = layers.flatMap((one, i) => {
    const entry = entries[i] as JsonObject;
    // In the graph, a layer has the name that stands beside its configuration.
    const called = get(entry, "name");
    if (typeof called === "string" && called !== one.name)
      throw formatError(where, `${placeOf(one)} has another name in the graph, "${clip(called, 60)}"`);
    return callsOf(one, get(entry, "inbound_nodes") ?? []);
  });
  return { kind, name, layers, calls, inputs: sourcesIn(get(config, "input_layers")), outputs: sourcesIn(get(config, "output_layers")) };
}

function chained(layers: readonly LayerConfig[]): Pick<ModelConfig, "calls" | "inputs" | "outputs"> {
  const first = layers[0];
  const begins = first.kind === "InputLayer";
  const source = (layer: string): Source => ({ layer, call: 0, output: 0 });
  const names = begins ? layers.map(({ name }) => name) : ["", ...layers.map(({ name }) => name)];
  return {
    calls: names.slice(1).map((name, i) => ({ layer: name, call: 0, inputs: [source(names[i])] })),
    inputs: [source(names[0])],
    outputs: [source(names[names.length - 1])],
  };
}

/** A reference of Keras 2: [layer, call, output, …]. */
const isReference = (json: Json): json is readonly [string, number, number, ...Json[]] =>
  Array.isArray(json) && typeof json[0] === "string" && typeof json[1] === "number" && typeof json[2] === "number";

function sourceOf([layer, call, output]: readonly Json[]): Source {
  return {
    layer: asText(where, "the layer of a connection", layer),
    call: asCount(where, "the call of a connection", call),
    output: asCount(where, "the output of a connection", output),
  };
}

/** All references within a description, in their order: Keras 2's lists and Keras 3's `__keras_tensor__`. */
function sourcesIn(json: Json | undefined): Source[] {
  if (json === undefined || json === null) return [];
  if (isReference(json)) {
    const [, , , options] = json;
    return [sourceOf(json), ...sourcesIn(options)];
  }
  if (Array.isArray(json)) return (json as readonly Json[]).flatMap(sourcesIn);
  if (!isObject(json)) return [];
  if (get(json, "class_name") === "__keras_tensor__") {
    const config = asObject(where, "config of a connection", get(json, "config"));
    return [sourceOf(asList(where, "keras_history", get(config, "keras_history")))];
  }
  return Object.values(json).flatMap(sourcesIn);
}

/** What a call may say besides its tensors; nothing else is lost in silence. */
const silentOptions = ["training", "mask", "initial_state", "constants", "name"];

function callsOf(layer: LayerConfig, nodes: Json): Call[] {
  return asList(where, `inbound_nodes of ${placeOf(layer)}`, nodes).map((node, call) => {
    const args = isObject(node) ? get(node, "args") : node;
    const options = isObject(node) ? (get(node, "kwargs") ?? {}) : {};
    checkOptions(layer, options);
    return { layer: layer.name, call, inputs: [...sourcesIn(args), ...sourcesIn(options)] };
  });
}

function checkOptions(layer: LayerConfig, options: Json): void {
  const unknown = isObject(options)
    ? Object.entries(options).find(([name, value]) => value !== null && !silentOptions.includes(name))
    : undefined;
  if (unknown) throw formatError(where, `${placeOf(layer)} is called with "${clip(unknown[0], 60)}", which is not read`);
  for (const name of ["mask", "constants"])
    if (isObject(options) && sourcesIn(get(options, name)).length > 0)
      throw formatError(where, `${placeOf(layer)} is called with a tensor as ${name}, which is not read`);
}

/** An option of a layer that must be true or false. */
export function flag(layer: LayerConfig, name: string, usual = false): boolean {
  const value = get(layer.config, name) ?? usual;
  if (typeof value !== "boolean") throw formatError(where, `${name} of ${placeOf(layer)} must be true or false`);
  return value;
}

/** An option of a layer that must be a number. */
export function number(layer: LayerConfig, name: string, usual?: number): number {
  const value = get(layer.config, name) ?? usual;
  if (typeof value !== "number") throw formatError(where, `${name} of ${placeOf(layer)} must be a number`);
  return value;
}

/** @throws RnnError `format` if an option has another value than the only one that is read */
export function expectOption(layer: LayerConfig, name: string, ...allowed: readonly Json[]): void {
  const value = get(layer.config, name);
  if (value === undefined || value === null || allowed.includes(value)) return;
  throw formatError(
    where,
    `${placeOf(layer)} has ${name} ${clip(JSON.stringify(value), 60)}; only ${allowed.map((one) => JSON.stringify(one)).join(" or ")} is read`,
  );
}

/**
 * The sizes of a layer's input, without which a model says nothing of its inputs; null where any will do.
 * @throws RnnError `format` if one is no size
 */
export function inputShapeOf(layer: LayerConfig): readonly (number | null)[] | undefined {
  const shape = get(layer.config, "batch_shape") ?? get(layer.config, "batch_input_shape");
  if (!Array.isArray(shape)) return undefined;
  return (shape as readonly Json[]).map((size) =>
    size === null ? null : asCount(where, `a size of the input of ${placeOf(layer)}`, size),
  );
}
