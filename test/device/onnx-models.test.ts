// ONNX files of other software, and what onnxruntime or PyTorch computes with them.
import { describe, expect, it } from "vitest";
import { adam, crossEntropy, forward, RnnError, Trainer, verify, type ModelInputs, type ModelOutputs, type Tensor } from "webgpu-rnn";
import { importModel, type ImportedModel } from "webgpu-rnn/formats";
import { readTensorFile } from "../../src/formats/onnx/read.ts";
import { backend, expectClose, fixture, kinds } from "./support.ts";
import { hasSharedModels, sharedFile, sharedJson, sharedNames } from "./shared-models.ts";

interface Values {
  shape: number[];
  dtype: string;
  data: number[];
}

interface Case {
  inputs: Record<string, Values>;
  outputs: Record<string, Values>;
}

/** A model's inputs from values by the file's names. */
function inputsOf({ inputs }: ImportedModel, values: Readonly<Record<string, Tensor>>): ModelInputs {
  const parts = { input: values[inputs[0].name], state: {} as Record<string, Tensor>, further: {} as Record<string, Tensor> };
  for (const { name, path } of inputs.slice(1)) {
    if (path.startsWith("state.")) parts.state[path.slice(6)] = values[name];
    else parts.further[path] = values[name];
  }
  return parts;
}

/** A result by where `forward` gives it. */
const resultAt = ({ output, state, further }: ModelOutputs, path: string): Tensor =>
  path === "output" ? output : path.startsWith("state.") ? state[path.slice(6)] : further[path];

const folders = ["onnx-ort", "onnx-pytorch"];
const cases = folders.flatMap((folder) => sharedNames(folder, ".onnx").map((name) => `${folder}/${name.slice(0, -5)}`));

describe.runIf(hasSharedModels).each(kinds)("an ONNX file on %s", (kind) => {
  it.each(cases)("gives what other software computes: %s", async (name) => {
    const { inputs, outputs } = sharedJson<Case>(`${name}.json`);
    const imported = await importModel(sharedFile(`${name}.onnx`));
    const tensors = Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, fixture(value)]));
    const result = await forward(imported.model, inputsOf(imported, tensors), { backend: await backend(kind) });
    expect(imported.outputs.map((output) => output.name)).toEqual(Object.keys(outputs));
    for (const { name: output, path } of imported.outputs) {
      const got = resultAt(result, path);
      expect(got.shape).toEqual(outputs[output].shape);
      expectClose(output, got.data, outputs[output].data);
    }
  });
});

const nodes = sharedNames("onnx-nodes");

describe.runIf(hasSharedModels).each(kinds)("a test of ONNX' own on %s", (kind) => {
  it.each(nodes)("passes: %s", async (name) => {
    const folder = `onnx-nodes/${name}`;
    const tensorsOf = (what: string): Tensor[] =>
      sharedNames(`${folder}/test_data_set_0`)
        .filter((file) => file.startsWith(what))
        .map((_, i) => readTensorFile(sharedFile(`${folder}/test_data_set_0/${what}_${i}.pb`)));
    const imported = await importModel(sharedFile(`${folder}/model.onnx`));
    const given = tensorsOf("input");
    const values = Object.fromEntries(imported.inputs.map((input, i) => [input.name, given[i]]));
    const result = await forward(imported.model, inputsOf(imported, values), { backend: await backend(kind) });
    const outputs = tensorsOf("output");
    expect(imported.outputs.length).toBe(outputs.length);
    imported.outputs.forEach(({ path }, i) => {
      const got = resultAt(result, path);
      expect(got.shape).toEqual(outputs[i].shape);
      expectClose(path, got.data, outputs[i].data);
    });
  });
});

interface Calls {
  calls: readonly { input: number[]; outputs: Record<string, Values> }[];
}

describe.runIf(hasSharedModels).each(kinds)("a model whose states are inputs and outputs, on %s", (kind) => {
  it.each<[string, number[], string, Record<string, number>]>([
    ["dtln/model_1", [1, 1, 257], "input_3", {}],
    ["silero/silero_vad_16k_op15", [1, 576], "state", { sr: 16000 }],
  ])("goes on with its own states from call to call: %s", async (name, shape, stateName, constants) => {
    const { model, inputs, outputs } = await importModel(sharedFile(`${name}.onnx`), { constants });
    expect(inputs.map(({ path }) => path)).toEqual(["input", `state.${stateName}`]);
    expect(outputs.map(({ path }) => path)).toEqual(["output", `state.${stateName}`]);
    const { calls } = sharedJson<Calls>(`${name}.json`);
    let state: Record<string, Tensor> | undefined;
    for (const [at, call] of calls.entries()) {
      const input = { shape, data: Float32Array.from(call.input) };
      const result = await forward(model, { input, ...(state && { state }) }, { backend: await backend(kind) });
      for (const { name: output, path } of outputs) {
        const got = resultAt(result, path);
        expect(got.shape).toEqual(call.outputs[output].shape);
        expectClose(`${output} of call ${at}`, got.data, call.outputs[output].data);
      }
      ({ state } = result);
    }
  });
});

describe.runIf(hasSharedModels)("an imported ONNX model", () => {
  it("says what each node became, and which parameters it has", async () => {
    const { report, model, inputs, outputs, format } = await importModel(sharedFile("onnx-pytorch/lstm_charlm.onnx"));
    expect(format).toBe("onnx");
    expect(inputs).toEqual([{ name: "x", shape: [null, null], ids: 11, path: "input" }]);
    expect(outputs).toEqual([{ name: "y", shape: [null, null, 11], path: "output" }]);
    expect(report.filter(({ parameters }) => parameters > 0)).toEqual([
      { name: "/embedding/Gather", kind: "Gather", became: 'a lookup with "embedding.weight"', parameters: 55 },
      { name: "/rnn/LSTM", kind: "LSTM", became: 'LSTM "rnn.LSTM"', parameters: 480 },
      { name: "/rnn/LSTM_1", kind: "LSTM", became: 'LSTM "rnn.LSTM_1"', parameters: 576 },
      { name: "/fc/MatMul", kind: "MatMul", became: '1 command with "onnx::MatMul_218"', parameters: 88 },
      { name: "/fc/Add", kind: "Add", became: '1 command with "fc.bias"', parameters: 11 },
    ]);
    expect(model.parameterCount).toBe(55 + 480 + 576 + 88 + 11);
    expect(model.batchFirst).toBe(true);
  });

  it("is fine-tuned, and its loss falls", async () => {
    const { model } = await importModel(sharedFile("onnx-pytorch/lstm_charlm.onnx"));
    const input = { shape: [2, 7], data: Uint32Array.of(3, 7, 10, 3, 1, 7, 0, 7, 10, 7, 6, 10, 0, 0) };
    const targets = { shape: [2, 7], data: Uint32Array.of(7, 10, 3, 1, 7, 0, 7, 10, 7, 6, 10, 0, 0, 1) };
    const data = { batches: 1, batch: () => ({ input, targets }) };
    const parts = { backend: await backend("cpu"), data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.05 }) };
    const { losses } = await new Trainer(model, parts).train({ steps: 50 });
    expect(losses[49]).toBeLessThan(losses[0] / 2);
  });

  it("has the states of its layers, so that a sequence can come in pieces", async () => {
    const { model } = await importModel(sharedFile("onnx-pytorch/gru_seq.onnx"));
    const { inputs, outputs } = sharedJson<Case>("onnx-pytorch/gru_seq.json");
    const { shape, data } = inputs.x;
    const [T, B, I] = shape;
    const piece = (first: number, end: number): Tensor => ({
      shape: [end - first, B, I],
      data: Float32Array.from(data.slice(first * B * I, end * B * I)),
    });
    const options = { backend: await backend("cpu") };
    const first = await forward(model, piece(0, 3), options);
    const second = await forward(model, { input: piece(3, T), state: first.state }, options);
    expect(Object.keys(first.state)).toEqual(["rnn.GRU.h"]);
    expectClose("y", [...first.output.data, ...second.output.data], outputs.y.data);
  });

  it("gives every number as its twins do", async () => {
    const { model } = await importModel(sharedFile("onnx-pytorch/gru_classifier_last_bi.onnx"));
    const input = { shape: [2, 5], data: Uint32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10) };
    const checked = await verify(model, { input }, { backend: await backend("cpu") });
    expect(checked.passed, String(checked)).toBe(true);
  });

  it("refuses lengths of the input where a node has an input for them", async () => {
    const imported = await importModel(sharedFile("onnx-ort/rnn_lens.onnx"));
    const { inputs } = sharedJson<Case>("onnx-ort/rnn_lens.json");
    const tensors = Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, fixture(value)]));
    const given = { ...inputsOf(imported, tensors), lengths: [5, 4, 3] };
    const error = await forward(imported.model, given, { backend: await backend("cpu") }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).message).toBe(
      'onnx: node "rnn" (RNN): lengths: this node has lengths as an input of its own; give that one',
    );
  });
});
