// Damaged and hostile files of other programs: each is read, or refused with an error in words, of the kind "format".
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { strFromU8, strToU8, unzipSync, zipSync, zlibSync } from "fflate";
import { describe, expect, it } from "vitest";
import { createBackend, Embedding, forward, Linear, RNN, RnnError, Sequential, type Backend } from "webgpu-rnn";
import { importModel, readTensors, type ImportedModel, type ModelFiles } from "webgpu-rnn/formats";
import { sampled } from "../thorough.ts";

const folder = join(import.meta.dirname, "../fixtures");
const bytes = (name: string): Uint8Array => Uint8Array.from(readFileSync(join(folder, name)));
const text = (value: unknown): Uint8Array => strToU8(JSON.stringify(value));

type Draw = (count: number) => number;
function drawer(seed: number): Draw {
  let state = seed;
  return (count) => Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * count);
}

const nam = {
  version: "0.5.4",
  architecture: "LSTM",
  config: { input_size: 1, hidden_size: 2, num_layers: 1 },
  weights: Array.from({ length: 39 }, (_, i) => Math.sin(i)),
};
const rtneural = {
  in_shape: [null, null, 1],
  layers: [
    {
      type: "lstm",
      activation: "tanh",
      shape: [null, null, 1],
      weights: [[[0.1, 0.2, 0.3, 0.4]], [[0.1, 0.2, 0.3, 0.4]], [0.1, 0.2, 0.3, 0.4]],
    },
    { type: "dense", activation: "tanh", shape: [null, null, 1], weights: [[[0.5]], [0.1]] },
  ],
};
const { models } = JSON.parse(readFileSync(join(folder, "tfjs/models.json"), "utf8")) as {
  models: Record<string, { topology: unknown; weights: unknown; data: string }>;
};
const { topology, weights, data } = models.embedding_masked;
const shard = Uint8Array.from(Buffer.from(data, "base64"));
const modelJson = { modelTopology: topology, weightsManifest: [{ paths: ["a.bin"], weights }] };
const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const variables = {
  embedding: [2, 1],
  "cell_0/basic_lstm_cell/kernel": [2, 4],
  "cell_0/basic_lstm_cell/bias": [4],
  softmax_w: [1, 2],
  softmax_b: [2],
};
const manifest = Object.fromEntries(Object.entries(variables).map(([name, shape], i) => [name, { filename: String(i), shape }]));
const variableFiles = Object.fromEntries(
  Object.values(variables).map((shape, i) => [
    String(i),
    floats(...Array.from({ length: shape.reduce((all, size) => all * size, 1) }, (_, n) => Math.sin(n))),
  ]),
);
const pytorch = (): Sequential =>
  new Sequential({ embedding: new Embedding(11, 5), rnn: new RNN(5, 8, { numLayers: 2 }), fc: new Linear(8, 11) });

/** One file of each kind, and how it is read; each changed copy takes the place of the file. */
const kinds: Readonly<Record<string, { readonly file: Uint8Array; readonly read: (changed: Uint8Array) => Promise<unknown> }>> = {
  ".keras": { file: bytes("models/simplernn_dense.keras"), read: (file) => importModel(file) },
  ".h5": { file: bytes("models/simplernn_dense.h5"), read: (file) => importModel(file) },
  ".pt": { file: bytes("models/rnn_half.pt"), read: (file) => importModel(file, { model: pytorch() }) },
  "legacy .pt": { file: bytes("models/gru_legacy_pickle.pt"), read: (file) => readTensors(file) },
  NAM: { file: text(nam), read: (file) => importModel(file) },
  RTNeural: { file: text(rtneural), read: (file) => importModel(file) },
  "model.json": { file: text(modelJson), read: (file) => importModel({ "model.json": file, "a.bin": shard }) },
  "manifest.json": { file: text(manifest), read: (file) => importModel({ "manifest.json": file, ...variableFiles }) },
};

/** Changes of a file: bits, bytes that are limits, places that are copied, and ends that are missing. */
function changed(draw: Draw, file: Uint8Array): Uint8Array {
  const copy = file.slice();
  for (let times = 1 + draw(4); times > 0; times--) {
    const at = draw(copy.length);
    const change = draw(5);
    if (change === 0) copy[at] ^= 1 << draw(8);
    else if (change === 1) copy[at] = [0, 1, 0x7f, 0x80, 0xff][draw(5)];
    else if (change === 2) copy.fill([0, 0xff][draw(2)], at, at + 8);
    else if (change === 3) copy.copyWithin(at, draw(copy.length), draw(copy.length));
    else if (times === 1) return copy.slice(0, at);
  }
  return copy;
}

/** Whether it was read. @throws if it failed in any way but the one that is promised */
async function isRead(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof RnnError && ["format", "data"].includes(error.kind) && error.message.length > 20) return false;
    throw error;
  }
}

describe.each(Object.entries(kinds))("%s", (name, { file, read }) => {
  it("is read as it is", async () => {
    expect(await isRead(() => read(file))).toBe(true);
  });

  it("is read or refused in words, however it is changed", async () => {
    const seeds = sampled(
      Array.from({ length: 1000 }, (_, seed) => seed + 1),
      80,
    );
    let refused = 0;
    for (const seed of seeds) if (!(await isRead(() => read(changed(drawer(seed * 7919 + name.length), file))))) refused++;
    expect(refused).toBeGreaterThan(seeds.length / 10);
  });

  it("is refused wherever it ends too early", async () => {
    const ends = sampled(
      Array.from({ length: 100 }, (_, i) => Math.floor((i * (file.length - 1)) / 100)),
      10,
    );
    for (const end of ends) expect(await isRead(() => read(file.slice(0, end)))).toBe(false);
  });
});

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const others: readonly Json[] = [
  ...[null, true, "", "x", "__proto__", [], {}, [[]], [null], { name: "x" }],
  ...[-1, 0, 1, 2, 1.5, 2 ** 31, 2 ** 53, -(2 ** 53), 1e308],
];

/** The same with one to three of its values, at any depth, gone (null in a list) or of another kind. Bytes changed at random seldom leave JSON. */
function withOtherValues(draw: Draw, value: Json): Json {
  const root = structuredClone([value]);
  for (let times = 1 + draw(3); times > 0; times--) {
    const places: (readonly [Record<string, Json>, string])[] = [];
    const collect = (one: Json): void => {
      if (one === null || typeof one !== "object") return;
      for (const name of Object.keys(one)) {
        places.push([one as Record<string, Json>, name]);
        collect((one as Record<string, Json>)[name]);
      }
    };
    collect(root);
    if (places.length === 0) break;
    const [inside, name] = places[draw(places.length)];
    const change = draw(8);
    if (change === 0) Reflect.deleteProperty(inside, name);
    else if (change === 1) {
      const [from, at] = places[draw(places.length)];
      inside[name] = structuredClone(from[at]);
    } else if (change === 2 && typeof inside[name] === "number")
      inside[name] = [-inside[name], inside[name] + 1, String(inside[name])][draw(3)];
    else inside[name] = structuredClone(others[draw(others.length)]);
  }
  return root[0] ?? null;
}

const archive = unzipSync(bytes("models/simplernn_dense.keras"));
const described: Readonly<Record<string, readonly [Json, (changed: Uint8Array) => Promise<ImportedModel>]>> = {
  "config.json of .keras": [
    JSON.parse(strFromU8(archive["config.json"])) as Json,
    (file) => importModel(zipSync({ ...archive, "config.json": file }, { level: 0 })),
  ],
  NAM: [nam, importModel],
  RTNeural: [rtneural, importModel],
  "model.json": [modelJson as Json, (file) => importModel({ "model.json": file, "a.bin": shard })],
  "manifest.json": [manifest, (file) => importModel({ "manifest.json": file, ...variableFiles })],
};

/** Runs what was read on three steps, or on ids, of the sizes that it says. */
async function runs({ model, inputs }: ImportedModel, backend: Backend): Promise<void> {
  const sizes = inputs[0]?.shape?.map((size) => size ?? 3) ?? [3];
  if (sizes.reduce((all, size) => all * size, 1) > 1e5) return;
  const zeros = new Float32Array(sizes.reduce((all, size) => all * size, 1));
  await forward(model, { shape: sizes, data: model.idCount === undefined ? zeros : Uint32Array.from(zeros) }, { backend });
}

it.each(Object.entries(described))("%s is read and runs or is refused in words, whatever values it has", async (name, [value, read]) => {
  const seeds = sampled(
    Array.from({ length: 2000 }, (_, seed) => seed + 1),
    40,
  );
  const backend = await createBackend("cpu");
  let refused = 0;
  let ran = 0;
  for (const seed of seeds) {
    const file = text(withOtherValues(drawer(seed * 6007 + name.length), value));
    let imported: ImportedModel | undefined;
    if (!(await isRead(async () => (imported = await read(file))))) refused++;
    else
      try {
        await runs(imported!, backend);
        ran++;
      } catch (error) {
        if (!(error instanceof RnnError)) throw new Error(`seed ${seed} is read, but does not run`, { cause: error });
      }
  }
  expect(refused).toBeGreaterThan(seeds.length / 4);
  expect(ran).toBeGreaterThan(0);
});

/** A pickle of these opcodes in the archive that torch.save writes. */
const pickled = (...parts: (string | number[])[]): Uint8Array =>
  zipSync({
    "a/data.pkl": Uint8Array.from([0x80, 2, ...parts.flatMap((part) => (typeof part === "string" ? [...strToU8(part)] : part)), 0x2e]),
    "a/version": strToU8("3"),
  });

const layersIn = (count: number): unknown =>
  Array.from({ length: count }).reduce((inner: unknown) => ({ class_name: "TimeDistributed", config: { name: "t", layer: inner } }), {
    class_name: "Dense",
    config: { units: 1 },
  });

/** An archive of which one file says that it has 2 GB, in both of its headers. */
function bomb(): Uint8Array {
  const file = zipSync({ "config.json": strToU8("{}".padEnd(1000)) });
  const view = new DataView(file.buffer);
  for (let at = 0; at + 4 < file.length; at++) {
    const signature = view.getUint32(at, true);
    if (signature === 0x04034b50) view.setUint32(at + 22, 2 ** 31 - 1, true);
    if (signature === 0x02014b50) view.setUint32(at + 24, 2 ** 31 - 1, true);
  }
  return file;
}

/** An archive of one file that says, as archives of more than 65,535 do, that it lists 2^32 - 16 of them. */
function endlessArchive(): Uint8Array {
  const file = zipSync({ "a/data.pkl": new Uint8Array(8) }, { level: 0 });
  const [record, locator, end] = [new DataView(new ArrayBuffer(56)), new DataView(new ArrayBuffer(20)), file.slice(-22)];
  const at = file.length - 22;
  record.setUint32(0, 0x06064b50, true);
  record.setUint32(32, 2 ** 32 - 16, true);
  record.setUint32(48, new DataView(end.buffer).getUint32(16, true), true);
  locator.setUint32(0, 0x07064b50, true);
  locator.setUint32(8, at, true);
  new DataView(end.buffer).setUint16(10, 65535, true);
  return new Uint8Array([...file.subarray(0, at), ...new Uint8Array(record.buffer), ...new Uint8Array(locator.buffer), ...end]);
}

const sized = (shape: number[]): ModelFiles => ({
  "model.json": text({
    modelTopology: topology,
    weightsManifest: [{ paths: ["a.bin"], weights: [{ name: "x/y", dtype: "float32", shape }] }],
  }),
  "a.bin": shard,
});

const hostile: Readonly<Record<string, readonly [() => ModelFiles, RegExp]>> = {
  "a pickle that calls a command": [
    () => pickled("cos\nsystem\n", "X", [7, 0, 0, 0], "echo hi", [0x85], "R"),
    /names os\.system, .* nothing was run/,
  ],
  "a pickle that evaluates text": [() => pickled("cbuiltins\neval\n", "X", [1, 0, 0, 0], "1", [0x85], "R"), /names builtins\.eval/],
  "a pickle that makes a class by its name": [
    () => pickled("X", [8, 0, 0, 0], "__main__", "X", [3, 0, 0, 0], "Net", [0x93]),
    /names __main__\.Net/,
  ],
  "a pickle with an opcode that makes instances": [() => pickled("ios\nsystem\n"), /opcode 0x69/],
  "a pickle with a text of 2^53 bytes": [() => pickled([0x8d, 0, 0, 0, 0, 0, 0, 0x20, 0]), /truncated/],
  "a pickle that is a list in itself": [() => pickled("]", [0x71, 0], "h", [0], "a"), /no dictionary of tensors/],
  "an archive that unpacks to far more": [() => ({ "a.keras": bomb() }), /would unpack to more than/],
  "an archive that lists four thousand million files": [endlessArchive, /lists more files than it has room for/],
  "JSON that is nested a hundred thousand deep": [() => strToU8(`{"class_name":${"[".repeat(100_000)}`), /nested more than 200 deep/],
  "layers within layers": [
    () => ({
      "config.json": text({ class_name: "Sequential", config: { layers: [layersIn(150)] } }),
      "w.h5": bytes("models/simplernn_dense.h5"),
    }),
    /deep|needs|arrays/,
  ],
  "an array of 2^53 numbers": [() => sized([2 ** 31, 2 ** 22]), /the shards end before/],
  "an array with a negative size": [() => sized([-1, 4]), /must be an integer of at least 0/],
  "an input of a negative size": [
    () => text({ ...rtneural, in_shape: [null, null, -(2 ** 53)] }),
    /a size of the input of .* must be an integer of at least 0, got -9007199254740992/,
  ],
  "a NAM with 2^31 units": [
    () => text({ ...nam, config: { input_size: 1, hidden_size: 2 ** 31, num_layers: 1000 } }),
    /another number of weights/,
  ],
  "an array that is no model": [() => zlibSync(new Uint8Array(100)), /begins with/],
};

describe("hostile files", () => {
  it.each(Object.entries(hostile))("%s is refused", async (_, [files, problem]) => {
    const given = files();
    await expect(importModel(given)).rejects.toThrow(problem);
    await expect(importModel(given)).rejects.toMatchObject({ name: "RnnError", kind: "format" });
  });
});
