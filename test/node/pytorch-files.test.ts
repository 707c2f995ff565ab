// Files that PyTorch's users have: weights saved with safetensors, and what PyTorch computes with them
// (test/fixtures/pytorch-files). The modules of the files are those printed in the .json files.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { createBackend, Embedding, forward, GRU, Linear, LSTM, RNN, Sequential, type Backend, type Module } from "webgpu-rnn";
import { decodeSafetensors, encodeSafetensors } from "webgpu-rnn/formats";
import { expectClose, fixture } from "../device/support.ts";

const folder = join(import.meta.dirname, "../fixtures/pytorch-files");

interface Values {
  shape: number[];
  dtype: string;
  data: number[];
}

interface Case {
  inputs: { x: Values };
  outputs: { y: Values };
  stateDict: Record<string, Values>;
}

const models: Record<string, () => Module> = {
  rnn_seq: () => new Sequential({ rnn: new RNN(4, 6), fc: new Linear(6, 3) }),
  gru_seq: () => new Sequential({ rnn: new GRU(4, 6), fc: new Linear(6, 3) }),
  lstm_charlm: () =>
    new Sequential({ embedding: new Embedding(11, 5), rnn: new LSTM(5, 8, { numLayers: 2, batchFirst: true }), fc: new Linear(8, 11) }),
};

describe.each(Object.keys(models))("%s.safetensors", (name) => {
  const bytes = readFileSync(join(folder, `${name}.safetensors`));
  const { inputs, outputs, stateDict } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Case;
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend("cpu");
  });

  it("holds what PyTorch had", () => {
    const { tensors } = decodeSafetensors(bytes);
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(stateDict).sort());
    for (const [path, value] of Object.entries(stateDict)) expect(tensors[path]).toEqual(fixture(value));
  });

  it("computes what PyTorch computes", async () => {
    const model = models[name]();
    model.loadStateDict(decodeSafetensors(bytes).tensors);
    const { output } = await forward(model, fixture(inputs.x), { backend });
    expect(output.shape).toEqual(outputs.y.shape);
    expectClose("y", output.data, outputs.y.data);
  });

  it("is written again with the same tensors", async () => {
    const model = models[name]();
    model.loadStateDict(decodeSafetensors(bytes).tensors);
    expect(decodeSafetensors(encodeSafetensors(await model.stateDict())).tensors).toEqual(decodeSafetensors(bytes).tensors);
  });

  it("is refused by a model with other sizes, which stays as it was", async () => {
    const other =
      name === "lstm_charlm"
        ? new Sequential({
            embedding: new Embedding(11, 5),
            rnn: new LSTM(5, 9, { numLayers: 2, batchFirst: true }),
            fc: new Linear(9, 11),
          })
        : new Sequential({ rnn: name === "rnn_seq" ? new RNN(4, 7) : new GRU(4, 7), fc: new Linear(7, 3) });
    const before = await other.stateDict();
    expect(() => other.loadStateDict(decodeSafetensors(bytes).tensors)).toThrow(
      /^loadStateDict: "rnn\.weight_ih_l0" must be \[\d+, \d+\], got \[\d+, \d+\]$/,
    );
    expect(await other.stateDict()).toEqual(before);
  });
});

describe("a state dictionary that does not fit", () => {
  const model = (): Module => new Sequential({ rnn: new RNN(2, 3), fc: new Linear(3, 1) });

  it("is refused with the names that are missing and those that are too many", async () => {
    const { "fc.bias": bias, ...rest } = await model().stateDict();
    const other = model();
    const before = await other.stateDict();
    expect(() => other.loadStateDict({ ...rest, "linear.bias": bias })).toThrow(
      'loadStateDict: the state dictionary lacks "fc.bias" and has unknown "linear.bias"',
    );
    expect(await other.stateDict()).toEqual(before);
  });

  it("is refused with NaN in it, and nothing before that is taken over", async () => {
    const dict = await model().stateDict();
    dict["fc.bias"].data[0] = NaN;
    const other = model();
    const before = await other.stateDict();
    expect(() => other.loadStateDict(dict)).toThrow('loadStateDict: "fc.bias" must be finite numbers, got NaN at index 0');
    expect(await other.stateDict()).toEqual(before);
  });
});
