// Files of other programs give what those programs compute, on both backends, and learn. The files are those of
// ../shared/models where that folder is, and models of Keras 3 and tensorflow.js in test/fixtures.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  adam,
  createStream,
  Embedding,
  forward,
  GRU,
  Linear,
  LSTM,
  RNN,
  saveModel,
  Sequential,
  squaredError,
  Trainer,
  type Module,
} from "webgpu-rnn";
import { encodeSafetensors, importModel, type ImportedModel, type ModelFiles } from "webgpu-rnn/formats";
import { root } from "../../scripts/bundle.mjs";
import { backend, expectClose, kinds } from "../device/support.ts";
import { setup } from "../device/vulkan-setup.mjs";
import { sampledOn } from "../thorough.ts";

interface Values {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** A file with inputs and what another program computes from them. */
interface Case {
  readonly name: string;
  readonly read: () => Promise<ImportedModel>;
  readonly inputs: readonly Values[];
  readonly outputs: readonly Values[];
}

const folder = join(root, "../shared/models");
const isThere = existsSync(folder);
const json = (...path: string[]): unknown => JSON.parse(readFileSync(join(...path), "utf8"));
const bytes = (...path: string[]): Uint8Array => readFileSync(join(folder, ...path));
const names = (kind: string, end: string): string[] =>
  isThere
    ? readdirSync(join(folder, kind))
        .filter((name) => name.endsWith(end))
        .map((name) => basename(name, end))
    : [];
const encoded = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** The same model as `.keras`, `.h5` and weights with a description. */
const kerasCases = names("keras", ".json").flatMap((name): Case[] => {
  const { config, x, outputs } = json(folder, "keras", `${name}.json`) as { config: unknown; x: Values; outputs: Values[] };
  const files: Record<string, () => ModelFiles> = {
    ".keras": () => bytes("keras", `${name}.keras`),
    ".h5": () => bytes("keras", `${name}.h5`),
    ".weights.h5": () => ({ "config.json": encoded(config), [`${name}.weights.h5`]: bytes("keras", `${name}.weights.h5`) }),
  };
  return Object.entries(files).map(([end, read]) => ({ name: name + end, read: () => importModel(read()), inputs: [x], outputs }));
});

const torchKinds = { gru: GRU, lstm: LSTM, rnn: RNN };
const pytorchCases = names("pytorch-pt", ".json").map((name): Case => {
  const { ids, logits } = json(folder, "pytorch-pt", `${name}.json`) as { ids: Values; logits: Values };
  const rnn = new torchKinds[name.split("_")[0] as keyof typeof torchKinds](5, 8, { numLayers: 2 });
  const model = new Sequential({ embedding: new Embedding(11, 5), rnn, fc: new Linear(8, 11) });
  return { name: `${name}.pt`, read: () => importModel(bytes("pytorch-pt", `${name}.pt`), { model }), inputs: [ids], outputs: [logits] };
});

const column = (name: string): Values => {
  const data = new TextDecoder().decode(bytes("rtneural", name)).trim().split("\n").map(Number);
  return { shape: [1, data.length, 1], data };
};
const rtneuralCases = names("rtneural", ".json").map((name): Case => ({
  name: `rtneural/${name}.json`,
  read: () => importModel(bytes("rtneural", `${name}.json`)),
  inputs: [column(`${name}_x_python.csv`)],
  outputs: [column(`${name}_y_python.csv`)],
}));

const namCases = names("nam", ".nam").map((name): Case => {
  const { x, y } = json(folder, "nam", `${name}.json`) as { x: number[]; y: number[] };
  const values = (data: number[]): Values => ({ shape: [1, data.length, 1], data });
  return { name: `${name}.nam`, read: () => importModel(bytes("nam", `${name}.nam`)), inputs: [values(x)], outputs: [values(y)] };
});

interface TfjsModel {
  readonly topology: unknown;
  readonly weights: unknown;
  readonly data: string;
  readonly inputs: Values[];
  readonly outputs: Values[];
}
const { models: tfjsModels } = json(root, "test/fixtures/tfjs/models.json") as { models: Record<string, TfjsModel> };
const tfjsFiles = ({ topology, weights, data }: TfjsModel): Record<string, Uint8Array> => ({
  "model.json": encoded({ modelTopology: topology, weightsManifest: [{ paths: ["weights.bin"], weights }] }),
  "weights.bin": Buffer.from(data, "base64"),
});
const tfjsCases = Object.entries(tfjsModels).map(([name, model]): Case => ({
  name: `tfjs ${name}`,
  read: () => importModel(tfjsFiles(model)),
  inputs: model.inputs,
  outputs: model.outputs,
}));

const { cases: keras3 } = json(root, "test/fixtures/keras3/cases.json") as { cases: Record<string, Pick<Case, "inputs" | "outputs">> };
const keras3Cases = Object.entries(keras3).map(([name, values]): Case => ({
  name: `Keras 3 ${name}`,
  read: () => importModel(readFileSync(join(root, `test/fixtures/keras3/${name}.keras`))),
  ...values,
}));

const cases = [...keras3Cases, ...kerasCases, ...pytorchCases, ...rtneuralCases, ...namCases, ...tfjsCases];

const tensorOf = ({ shape, data }: Values, isIds: boolean) => ({ shape, data: isIds ? Uint32Array.from(data) : Float32Array.from(data) });
const inputsOf = ({ furtherInputs, idCount }: Module, [first, ...others]: readonly Values[]) => ({
  input: tensorOf(first, idCount !== undefined),
  further: Object.fromEntries(Object.entries(furtherInputs).map(([path, ids], i) => [path, tensorOf(others[i], ids !== undefined)])),
});

beforeAll(setup);

it.skipIf(isThere)("has no ../shared/models, so only the models of test/fixtures are read", () => undefined);

describe.each(kinds)("on the backend %s", (kind) => {
  it.each(sampledOn(kind, cases, 14).map((one) => [one.name, one] as const))(
    "%s gives what its program gave",
    async (_, { read, inputs, outputs }) => {
      const imported = await read();
      const { output, further } = await forward(imported.model, inputsOf(imported.model, inputs), { backend: await backend(kind) });
      const found = [output, ...imported.outputs.slice(1).map(({ path }) => further[path])];
      expect(found.map(({ shape }) => shape)).toEqual(outputs.map(({ shape }) => shape));
      outputs.forEach(({ data }, i) => expectClose(`output ${i}`, found[i].data, data));
    },
  );
});

/** TensorFlow 1's variables lie in a file each. */
const importFolder = (path: string): Promise<ImportedModel> =>
  importModel(Object.fromEntries(readdirSync(path).map((name) => [name, readFileSync(join(path, name))])));
const charactersCase: Pick<Case, "name" | "read" | "inputs"> = {
  name: "characters of TensorFlow 1",
  read: () => importFolder(join(root, "test/fixtures/models/characters")),
  inputs: [{ shape: [1, 4], data: [0, 1, 2, 1] }],
};

/** Weights alone, which a model of other first weights gets. */
const safetensorsCase: Pick<Case, "name" | "read" | "inputs"> = {
  name: "GRU of safetensors",
  read: async () => {
    const [saved, model] = [1, 2].map((seed) => new Sequential({ rnn: new GRU(3, 6), fc: new Linear(6, 2) }, { seed }));
    const imported = await importModel(encodeSafetensors(await saved.stateDict()), { model });
    expect(await imported.model.stateDict()).toEqual(await saved.stateDict());
    return imported;
  },
  inputs: [{ shape: [4, 2, 3], data: Array.from({ length: 24 }, (_, i) => Math.sin(i)) }],
};

/** At least one of each format; onnx-models.test.ts has ONNX. None ends in a softmax, whose outputs cannot be what is asked for. */
const learning = [
  "simplernn_dense.keras",
  "lstm_go_backwards.h5",
  "gru_reset_after.weights.h5",
  "gru_legacy_pickle.pt",
  "rtneural/gru.json",
  "rtneural/lstm_torch.json",
  "lstm.nam",
  "tfjs embedding_masked",
];
const learningCases = [...cases.filter(({ name }) => learning.includes(name)), charactersCase, safetensorsCase];

it.each(learningCases.map((one) => [one.name, one] as const))(
  "%s learns to give half of its output plus 0.1: 50 steps halve its loss at least",
  async (_, { read, inputs }) => {
    const { model } = await read();
    const parts = { backend: await backend("cpu") };
    const given = inputsOf(model, inputs);
    const { output } = await forward(model, given, parts);
    const targets = { shape: output.shape, data: output.data.map((y) => 0.5 * y + 0.1) };
    const trainer = new Trainer(model, {
      ...parts,
      data: { batches: 1, batch: () => ({ ...given, targets, startsSequence: true }) },
      loss: squaredError(),
      optimizer: adam({ learningRate: 0.01 }),
    });
    const { losses } = await trainer.train({ steps: 50 });
    expect(losses).toHaveLength(50);
    expect(losses[49]).toBeLessThan(losses[0] / 2);
  },
);

it.skipIf(!isThere)("a character model of TensorFlow 1 writes English", async () => {
  const { model, tokens } = await importFolder(join(folder, "charrnn/charlotte_bronte"));
  const text = Array.from("She was ");
  for (let i = 0; i < 40; i++) {
    const ids = Uint32Array.from(text, (letter) => tokens!.indexOf(letter));
    const { output } = await forward(model, { shape: [1, ids.length], data: ids }, { backend: await backend("cpu") });
    const scores = output.data.subarray(-tokens!.length);
    text.push(tokens![scores.indexOf(Math.max(...scores))]);
  }
  expect(text.join("")).toBe("She was answered to the present sense of the stairs of t".slice(0, 48));
});

it("an option that a format does not have is refused, and not left without effect", async () => {
  const file = readFileSync(join(root, "test/fixtures/models/simplernn_dense.keras"));
  await expect(importModel(file, { model: new Linear(1, 1) })).rejects.toThrow("model is for files that hold weights alone");
  await expect(importModel(file, { constants: { sr: 16000 } })).rejects.toThrow("constants are for ONNX");
});

it("An amplifier's stream begins with the states of its file, also after a reset and from a saved file", async () => {
  const { model } = await importModel(readFileSync(join(root, "test/fixtures/models/amp.nam")));
  const { model: again } = await importModel(await saveModel(model));
  const frames = Float32Array.from({ length: 40 }, (_, i) => Math.sin(i));
  const cpu = await backend("cpu");
  const { output } = await forward(model, { shape: [1, 40, 1], data: frames }, { backend: cpu });
  for (const one of [model, again]) {
    using stream = await createStream(one);
    expect(Object.values(stream.state.read()).some(({ data }) => data.some((x) => x !== 0))).toBe(true);
    for (let round = 0; round < 2; round++, stream.reset())
      expect(Float32Array.from({ length: 40 }, (_, t) => stream.step([frames[t]])[0])).toEqual(output.data);
  }
  using stream = await createStream(model, { backend: await backend("webgpu") });
  const found = await stream.steps(frames);
  expectClose("on WebGPU", found, output.data);
});
