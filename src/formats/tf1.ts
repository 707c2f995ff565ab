/** Reads TensorFlow 1's variables with a manifest, as ml5's character models have them: BasicLSTMCells and a softmax. */
import { clip, listed, show } from "../errors.ts";
import { Embedding } from "../nn/embedding.ts";
import { Linear } from "../nn/linear.ts";
import { Sequential } from "../nn/sequential.ts";
import { LSTM } from "../recurrent/layer/lstm.ts";
import { sizeOf } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { jsonOf } from "./detect.ts";
import { asCount, asList, asObject, asText, formatError, isObject, type ImportedModel, type Json } from "./imported.ts";
import { reordered, transposed } from "./layouts.ts";

const where = "TensorFlow 1 variables";

const baseName = (path: string): string => path.replace(/^.*[\\/]/, "");

function readVariables(manifest: Json, files: ReadonlyMap<string, Uint8Array>): Map<string, Tensor> {
  const byName = new Map([...files].map(([path, bytes]) => [baseName(path), bytes]));
  return new Map(
    Object.entries(asObject(where, "manifest.json", manifest)).map(([name, entry]) => {
      const { filename, shape } = asObject(where, name, entry);
      const sizes = asList(where, `shape of ${name}`, shape).map((size) => asCount(where, `shape of ${name}`, size));
      const file = asText(where, `filename of ${name}`, filename);
      const bytes = byName.get(baseName(file));
      if (!bytes) throw formatError(where, `manifest.json names the file ${show(clip(file, 80))}, which was not given`);
      if (bytes.length !== 4 * sizeOf(sizes))
        throw formatError(
          where,
          `${show(clip(file, 80))} of shape ${show(sizes)} must have ${4 * sizeOf(sizes)} bytes, got ${bytes.length}`,
        );
      return [name, { shape: sizes, data: new Float32Array(bytes.slice().buffer) }];
    }),
  );
}

/** Variables by what they are. */
function sorted(variables: ReadonlyMap<string, Tensor>) {
  const cells: { kernel?: Tensor; bias?: Tensor }[] = [];
  const found: Record<string, Tensor> = {};
  const unknown: string[] = [];
  for (const [name, value] of variables) {
    const cell = /(?:cell_(\d{1,3})\/)?basic_lstm_cell\/(kernel|bias|weights|biases)$/.exec(name);
    const other = /(?:^|\/)(embedding|softmax_w|softmax_b)$/.exec(name)?.[1];
    if (cell) (cells[Number(cell[1] ?? 0)] ??= {})[/^(kernel|weights)$/.test(cell[2]) ? "kernel" : "bias"] = value;
    else if (other !== undefined) found[other] = value;
    // The count of training steps.
    else if (value.shape.length > 0) unknown.push(name);
  }
  if (unknown.length > 0)
    throw formatError(
      where,
      `the variables ${listed(unknown)} are not read; known are embedding, basic_lstm_cell/kernel and bias, softmax_w, softmax_b`,
    );
  return { cells, ...found } as { cells: typeof cells; embedding?: Tensor; softmax_w?: Tensor; softmax_b?: Tensor };
}

function checkShape(name: string, value: Tensor | undefined, shape: readonly number[]): Tensor {
  if (value?.shape.length === shape.length && value.shape.every((size, i) => size === shape[i])) return value;
  throw formatError(where, `${name} must be [${shape.join(", ")}], got ${value ? show([...value.shape]) : "nothing"}`);
}

/** PyTorch's gates i f g o by their places in i j f o. */
const order = [0, 2, 1, 3];

/** One matrix [inputs + units, 4·units] for x and h, and a bias to which 1 is added for f when it runs. */
function cellWeights(
  layer: number,
  inputs: number,
  { kernel, bias }: { kernel?: Tensor; bias?: Tensor },
  H: number,
): Record<string, Tensor> {
  const { data } = checkShape(`kernel of cell ${layer}`, kernel, [inputs + H, 4 * H]);
  const b = reordered(checkShape(`bias of cell ${layer}`, bias, [4 * H]), order);
  return {
    [`lstm.weight_ih_l${layer}`]: transposed({ shape: [inputs, 4 * H], data: data.subarray(0, inputs * 4 * H) }, order),
    [`lstm.weight_hh_l${layer}`]: transposed({ shape: [H, 4 * H], data: data.subarray(inputs * 4 * H) }, order),
    [`lstm.bias_ih_l${layer}`]: { shape: [4 * H], data: b.data.map((value, i) => (i >= H && i < 2 * H ? value + 1 : value)) },
  };
}

/** The texts that ids stand for. */
function tokensOf(vocabulary: Json, count: number): string[] {
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(asObject(where, "vocab.json", vocabulary)))
    tokens[asCount(where, `the id of ${show(clip(token, 40))}`, id)] = token;
  if (tokens.length > count) throw formatError(where, `vocab.json has ids up to ${tokens.length - 1}, and the embedding ${count} rows`);
  return Array.from({ length: count }, (_, id) => tokens[id] ?? "");
}

/** @throws RnnError `format` */
export function readTf1(files: ReadonlyMap<string, Uint8Array>): ImportedModel {
  const json = (name: string): Json | undefined => {
    const found = [...files].find(([path]) => baseName(path) === name);
    return found && jsonOf(name, found[1]);
  };
  const { cells, embedding, softmax_w, softmax_b } = sorted(readVariables(json("manifest.json") ?? null, files));
  const [V, E] = embedding?.shape ?? [];
  if (!embedding || embedding.shape.length !== 2) throw formatError(where, "needs a variable embedding [ids, features]");
  const H = (cells[0]?.bias?.shape[0] ?? NaN) / 4;
  if (!Number.isInteger(H) || cells.includes(undefined as never))
    throw formatError(where, "needs basic_lstm_cell/kernel and bias for each cell");
  const outputs = softmax_b?.shape[0] ?? NaN;
  const dict: Record<string, Tensor> = {
    "embedding.weight": embedding,
    ...Object.fromEntries(cells.flatMap((cell, layer) => Object.entries(cellWeights(layer, layer === 0 ? E : H, cell, H)))),
    "softmax.weight": transposed(checkShape("softmax_w", softmax_w, [H, outputs])),
    "softmax.bias": checkShape("softmax_b", softmax_b, [outputs]),
  };
  const model = new Sequential({
    embedding: new Embedding(V, E, { seed: 0 }),
    lstm: new LSTM(E, H, { numLayers: cells.length, batchFirst: true, bias: "input", seed: 0 }),
    softmax: new Linear(H, outputs, { seed: 0 }),
  });
  model.loadStateDict(dict);
  const vocabulary = json("vocab.json");
  const count = (part: string): number =>
    Object.entries(dict).reduce((sum, [name, { data }]) => (name.startsWith(part) ? sum + data.length : sum), 0);
  return {
    model,
    format: "tf1",
    inputs: [{ name: "ids", shape: [null, null], ids: V, path: "input" }],
    outputs: [{ name: "logits", shape: [null, null, outputs], path: "output" }],
    report: [
      { name: "embedding", kind: "embedding", became: `Embedding(${V}, ${E})`, parameters: count("embedding") },
      {
        name: "lstm",
        kind: "BasicLSTMCell",
        became: `LSTM(${E}, ${H}), ${cells.length} ${cells.length === 1 ? "layer" : "layers"}; 1 added to the bias of f`,
        parameters: count("lstm"),
      },
      { name: "softmax", kind: "softmax", became: `Linear(${H}, ${outputs}), whose output are logits`, parameters: count("softmax") },
    ],
    ...(isObject(vocabulary) && { tokens: tokensOf(vocabulary, V) }),
  };
}
