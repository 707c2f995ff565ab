/** Reads tensorflow.js' layers models: `model.json` and its shards. */
import { clip, listed, show } from "../errors.ts";
import { halfToNumber } from "../tensor/half.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { jsonOf, looksLikeJson } from "./detect.ts";
import {
  asCount,
  asList,
  asObject,
  asText,
  formatError,
  get,
  isObject,
  type ImportedModel,
  type Json,
  type JsonObject,
} from "./imported.ts";
import { networkOf } from "./keras/read.ts";
import { ListedArrays, type NamedArray } from "./keras/weights.ts";

const where = "tfjs model";

const baseName = (path: string): string => path.replace(/^.*[\\/]/, "");

/** Bytes of one number, and how it is read. */
const types: Readonly<Record<string, readonly [bytes: number, read: (view: DataView, at: number) => number]>> = {
  float32: [4, (v, at) => v.getFloat32(at, true)],
  float16: [2, (v, at) => halfToNumber(v.getUint16(at, true))],
  int32: [4, (v, at) => v.getInt32(at, true)],
  uint8: [1, (v, at) => v.getUint8(at)],
  uint16: [2, (v, at) => v.getUint16(at, true)],
  bool: [1, (v, at) => v.getUint8(at)],
};

function numberIn(object: JsonObject, name: string, usual: number): number {
  const value = get(object, name) ?? usual;
  if (typeof value !== "number") throw formatError(where, `${name} of a quantization must be a number, got ${show(value)}`);
  return value;
}

/** The arrays of a group, which follow each other in the bytes of its shards. */
function arraysOf(entries: readonly Json[], bytes: Uint8Array): NamedArray[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const arrays = entries.map((json) => {
    const entry = asObject(where, "an entry of weights", json);
    const name = asText(where, "name of an array", get(entry, "name"));
    const shape = asList(where, `shape of ${name}`, get(entry, "shape")).map((size) => asCount(where, `shape of ${name}`, size));
    const given = get(entry, "quantization");
    const quantization = isObject(given) ? given : undefined;
    const type = asText(where, `dtype of ${name}`, get(quantization ?? entry, "dtype"));
    if (!Object.hasOwn(types, type))
      throw formatError(where, `${show(clip(name, 60))} has the type ${show(type)}; known are ${listed(Object.keys(types))}`);
    const [size, read] = types[type];
    const [first, count] = [at, sizeOf(shape)];
    at += size * count;
    if (!(at <= bytes.length))
      throw formatError(where, `the shards end before ${show(clip(name, 60))}, which needs ${size * count} bytes from byte ${first}`);
    const scales = quantization && type !== "float16";
    const [scale, least] = scales ? [numberIn(quantization, "scale", 1), numberIn(quantization, "min", 0)] : [1, 0];
    return {
      name,
      read: (): Tensor => ({ shape, data: Float32Array.from({ length: count }, (_, i) => read(view, first + i * size) * scale + least) }),
    };
  });
  if (at !== bytes.length) throw formatError(where, `the shards have ${bytes.length} bytes, and its arrays take ${at}`);
  return arrays;
}

function shardsOf(manifest: Json | undefined, files: ReadonlyMap<string, Uint8Array>): NamedArray[] {
  const others = [...files.values()].filter((bytes) => !looksLikeJson(bytes));
  return asList(where, "weightsManifest", manifest).flatMap((json) => {
    const group = asObject(where, "a group of weightsManifest", json);
    const paths = asList(where, "paths", get(group, "paths")).map((path) => asText(where, "a path", path));
    const shards = paths.map((path) => {
      const found = [...files].find(([name]) => baseName(name) === baseName(path))?.[1];
      // One shard needs no name.
      const shard = found ?? (paths.length === 1 && others.length === 1 ? others[0] : undefined);
      if (!shard)
        throw formatError(
          where,
          `model.json names the shard ${show(clip(path, 80))}, which was not given; give all files, { "model.json": …, ${show(clip(path, 80))}: … }`,
        );
      return shard;
    });
    const bytes = new Uint8Array(shards.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const shard of shards) {
      bytes.set(shard, at);
      at += shard.length;
    }
    return arraysOf(asList(where, "weights", get(group, "weights")), bytes);
  });
}

/** @throws RnnError `format` */
export function readTfjs(files: ReadonlyMap<string, Uint8Array>): ImportedModel {
  const json = [...files].filter(([, bytes]) => looksLikeJson(bytes)).map(([name, bytes]) => jsonOf(name || where, bytes));
  const model = json.find((one) => isObject(one) && (get(one, "modelTopology") !== undefined || get(one, "weightsManifest") !== undefined));
  const file = asObject(where, "model.json", model);
  const topology = asObject(where, "modelTopology", get(file, "modelTopology"));
  if (get(file, "format") === "graph-model" || get(topology, "node") !== undefined) {
    const nodes = get(topology, "node");
    const operators = Array.isArray(nodes)
      ? [...new Set((nodes as readonly Json[]).map((node) => (isObject(node) ? asText(where, "op of a node", get(node, "op")) : "?")))]
      : [];
    throw formatError(
      where,
      `this is a graph model, whose layers are no longer there: only operators (${listed(operators, 8)}); give the Keras file that it was converted from, or convert that to a layers model`,
    );
  }
  const config = get(topology, "model_config") ?? topology;
  const version = get(topology, "keras_version");
  const era = typeof version === "string" && /^[3-9]/.test(version) ? 3 : 2;
  return { ...networkOf(config, era, new ListedArrays(shardsOf(get(file, "weightsManifest"), files))), format: "tfjs" };
}
