// Models of other programs, imported and saved: they come back with what they compute, bit for bit, and with all they learnt.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import {
  createBackend,
  decodeSafetensors,
  encodeSafetensors,
  forward,
  RnnError,
  importModel,
  Linear,
  saveModel,
  type Backend,
  type ImportedModel,
  type ModelFiles,
  type Tensor,
} from "webgpu-rnn/static";
import { root } from "../../scripts/bundle.mjs";
import { sampled } from "../thorough.ts";
import { tryModel } from "./imported-inputs.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("cpu", { wasm: false });
});

const fixtures = join(root, "test/fixtures");
const shared = join(root, "../shared/models");
const listed = (folder: string, end: RegExp): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => end.test(name))
        .map((name) => join(folder, name))
    : [];
const file = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
const folderFiles = (path: string): ModelFiles => Object.fromEntries(readdirSync(path).map((name) => [name, file(join(path, name))]));

const single = [
  ...listed(join(fixtures, "models"), /\.(onnx|keras|h5|nam)$/),
  join(fixtures, "models/plugin.json"),
  ...listed(join(fixtures, "keras3"), /\.keras$/),
  ...sampled(listed(join(shared, "onnx-pytorch"), /\.onnx$/), 4),
  ...sampled(listed(join(shared, "onnx-ort"), /\.onnx$/), 4),
  ...sampled(listed(join(shared, "dtln"), /\.onnx$/), 1),
  ...sampled(
    listed(join(shared, "keras"), /\.(keras|h5)$/).filter((name) => !name.endsWith(".weights.h5")),
    6,
  ),
  ...sampled(listed(join(shared, "rtneural"), /\.json$/), 3),
];
const cases: (readonly [string, () => Promise<ImportedModel>])[] = [
  ...single.map((path) => [path.split("/").slice(-2).join("/"), () => importModel(file(path))] as const),
  ["TensorFlow 1's characters", () => importModel(folderFiles(join(fixtures, "models/characters")))],
  [
    "tfjs",
    () =>
      importModel({
        "model.json": file(join(fixtures, "models/model.json")),
        "group1-shard1of1.bin": file(join(fixtures, "models/group1-shard1of1.bin")),
      }),
  ],
  ...listed(join(shared, "silero"), /16k.*\.onnx$/).map(
    (path) => [path, () => importModel(file(path), { constants: { sr: 16000 } })] as const,
  ),
];

const bits = (tensors: Readonly<Record<string, Tensor>>): unknown =>
  Object.entries(tensors).map(([name, { shape, data }]) => [name, [...shape], [...data]]);

it.each(cases)("%s", async (_, read) => {
  const imported = await read();
  const { model } = imported;
  // What it has learnt since is in the file too.
  const learnt = Object.entries(await model.stateDict()).map(
    ([name, { shape, data }]) => [name, { shape, data: data.map((x) => x * 0.5) }] as const,
  );
  model.loadStateDict(Object.fromEntries(learnt));
  const again = (await importModel(await saveModel(model))).model;
  expect(bits(await again.stateDict())).toEqual(bits(await model.stateDict()));
  const { given, run } = await tryModel(imported, backend);
  const other = await forward(again, given, { backend });
  expect(bits({ output: other.output, ...other.state, ...other.further })).toEqual(
    bits({ output: run.output, ...run.state, ...run.further }),
  );
});

it("is read or refused in words, wherever the description of an imported graph or network is damaged", async () => {
  const words = ["{", "}", "[", "]", "-1", "1e9", "null", '"LSTM"', "true", "[]", "{}", ",", ":", "3", '"@"'];
  for (const name of ["lstm_charlm.onnx", "gru_classifier_last_bi.onnx", "simplernn_dense.keras", "amp.nam"]) {
    const { model } = await importModel(file(join(fixtures, "models", name)));
    const { tensors, metadata } = decodeSafetensors(await saveModel(model));
    for (let i = 0; i < 150; i++) {
      const at = (i * 7919) % metadata.model.length;
      // Every second change replaces a whole value, so that the text stays JSON.
      const end = i % 2 === 0 ? at + (i % 5) : at + /^[^[\]{},:"]*/.exec(metadata.model.slice(at))![0].length;
      const text = metadata.model.slice(0, at) + words[i % words.length] + metadata.model.slice(end);
      await importModel(encodeSafetensors(tensors, { ...metadata, model: text })).catch((error: unknown) => {
        expect(error, `${name}, change ${i}`).toBeInstanceOf(RnnError);
        expect((error as RnnError).kind).toBe("format");
      });
    }
  }
});

it("a saved model is found as one, whatever the length of its description", async () => {
  const model = new Linear(1, 1, { seed: 1 });
  for (let length = 0; length < 1500; length += 8) {
    const { format } = await importModel(await saveModel(model, { metadata: { text: "x".repeat(length) } }));
    expect(format, `${length} more bytes`).toBe("safetensors");
  }
});
