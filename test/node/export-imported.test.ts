// Models of other programs, after 50 steps of training, as ONNX files: onnxruntime and importModel compute from them what
// the package does.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-web";
import { beforeAll, describe, expect, it } from "vitest";
import {
  adam,
  createBackend,
  exportOnnx,
  forward,
  importModel,
  RnnError,
  saveModel,
  squaredError,
  Trainer,
  type Backend,
  type ImportedModel,
  type ImportOptions,
  type Module,
  type ModelOutputs,
  type Tensor,
} from "webgpu-rnn/static";
import { root } from "../../scripts/bundle.mjs";
import { expectClose, sizeOf } from "../device/support.ts";
import { sampled } from "../thorough.ts";
import { tryModel } from "./imported-inputs.ts";
import { onnxFile, type NodeParts, type TensorParts } from "./onnx-builder.ts";

let backend: Backend;
beforeAll(async () => {
  ort.env.wasm.numThreads = 1;
  backend = await createBackend("cpu");
});

const fixtures = join(root, "test/fixtures/models");
const shared = join(root, "../shared/models");
const bytes = (path: string): Uint8Array => new Uint8Array(readFileSync(path));
const listed = (folder: string, end: RegExp): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => end.test(name))
        .map((name) => join(folder, name))
    : [];

const fed = ({ shape, data }: Tensor, type: string): ort.Tensor => {
  if (type === "int64") return new ort.Tensor("int64", BigInt64Array.from(data, BigInt), shape);
  if (type === "int32") return new ort.Tensor("int32", Int32Array.from(data), shape);
  return new ort.Tensor("float32", Float32Array.from(data), shape);
};

type Given = Awaited<ReturnType<typeof tryModel>>["given"];

/** The tensor that a path of a model names: an input, a state or a further input or output. */
const at = (
  path: string,
  first: Tensor,
  { state, further }: { state: Readonly<Record<string, Tensor>>; further: Readonly<Record<string, Tensor>> },
): Tensor => (path === "input" || path === "output" ? first : path.startsWith("state.") ? state[path.slice(6)] : further[path]);

/** 50 steps towards other outputs, with whatever inputs the model has. */
async function fineTune(model: Module, given: Given, output: Tensor): Promise<void> {
  const targets = { shape: output.shape, data: output.data.map((y) => 0.5 * y + 0.1) };
  const { input, further } = given;
  const data = { batches: 1, carriesState: false, batch: () => ({ input, further, targets, startsSequence: true }) };
  const trainer = new Trainer(model, { backend, data, loss: squaredError(), optimizer: adam({ learningRate: 0.001 }) });
  const before = JSON.stringify(await model.stateDict());
  await trainer.train({ steps: 50 });
  expect(JSON.stringify(await model.stateDict()) === before).toBe(false);
}

function expectSame(what: string, actual: Tensor, expected: Tensor): void {
  expect([...actual.shape], what).toEqual([...expected.shape]);
  expectClose(what, actual.data, expected.data, { atol: 1e-5, rtol: 1e-5 });
}

/** Trains a model, writes it, and runs the file in onnxruntime, if that can, and read back. */
async function expectRoundTrip(imported: ImportedModel, runs = true): Promise<void> {
  const { model } = imported;
  const { given, run } = await tryModel(imported, backend);
  if (model.parameterCount > 0) await fineTune(model, given, run.output);
  const expected = await forward(model, given, { backend });
  const file = await exportOnnx(model);

  if (runs) await expectInOnnxruntime(file, imported, given, expected);
  const again = await importModel(file);
  expect(again.inputs).toEqual(imported.inputs);
  expect(again.outputs).toEqual(imported.outputs);
  const other = await forward(again.model, given, { backend });
  for (const { name, path } of imported.outputs)
    expectSame(`${name} read back`, at(path, other.output, other), at(path, expected.output, expected));
}

async function expectInOnnxruntime(file: Uint8Array, imported: ImportedModel, given: Given, expected: ModelOutputs): Promise<void> {
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  expect(session.inputNames).toEqual(imported.inputs.map(({ name }) => name));
  expect(session.outputNames).toEqual(imported.outputs.map(({ name }) => name));
  const feeds = Object.fromEntries(
    session.inputMetadata.map((meta, i) => {
      const tensor = at(imported.inputs[i].path, given.input, given);
      return [meta.name, fed(tensor, meta.isTensor ? meta.type : "")];
    }),
  );
  const results = await session.run(feeds);
  for (const { name, path } of imported.outputs) {
    const { dims, data } = results[name];
    expectSame(`${name} in onnxruntime`, { shape: dims, data: data as Float32Array }, at(path, expected.output, expected));
  }
  await session.release();
}

/** Silero tells by the rate of its audio which network runs. */
const optionsOf = (path: string): ImportOptions => (path.includes("silero") ? { constants: { sr: 16000 } } : {});

const graphs = [
  ...listed(fixtures, /\.onnx$/),
  ...sampled(listed(join(shared, "onnx-pytorch"), /\.onnx$/), 2),
  ...sampled(listed(join(shared, "onnx-ort"), /\.onnx$/), 5),
  ...sampled(
    listed(join(shared, "onnx-nodes"), /^test/).map((folder) => join(folder, "model.onnx")),
    3,
  ),
  ...sampled([...listed(join(shared, "silero"), /16k.*\.onnx$/), ...listed(join(shared, "dtln"), /\.onnx$/)], 0),
];

describe("a graph of ONNX goes out as it came in, with what it has learnt", () => {
  it.each(graphs.map((path) => [path.split("/").slice(-2).join("/"), path]))("%s", async (_, path) => {
    // onnxruntime has no layout 1.
    await expectRoundTrip(await importModel(bytes(path), optionsOf(path)), !path.includes("batchwise"));
  });

  it("as a saved model too", async () => {
    const { model } = await importModel(bytes(join(fixtures, "lstm_charlm.onnx")));
    const { model: again } = await importModel(await saveModel(model));
    expect(Buffer.from(await exportOnnx(again)).equals(await exportOnnx(model))).toBe(true);
  });

  it("with all kinds of nodes: integers of several types, bounds of old slices, branches, weights that are read twice", async () => {
    const numbered = (...dims: number[]): TensorParts => ({ dims, data: Array.from({ length: sizeOf(dims) }, (_, i) => Math.sin(i + 1)) });
    const ints = (type: number, ...data: number[]): TensorParts => ({ dims: [data.length], type, data });
    const nodes: NodeParts[] = [
      // The transposed weight is a parameter, and so is the weight itself; the slice of it is a constant.
      { operator: "Transpose", inputs: ["w"], outputs: ["turned"], attributes: { perm: [1, 0] } },
      { operator: "MatMul", inputs: ["x", "turned"], outputs: ["a"] },
      { operator: "MatMul", inputs: ["a", "w"], outputs: ["b"] },
      { operator: "Slice", inputs: ["b"], outputs: ["c"], attributes: { axes: [0], starts: [0], ends: [2 ** 62] } },
      { operator: "Shape", inputs: ["x"], outputs: ["shape"] },
      { operator: "Cast", inputs: ["shape"], outputs: ["small"], attributes: { to: 6 } },
      { operator: "Add", inputs: ["small", "none"], outputs: ["same"] },
      { operator: "Cast", inputs: ["same"], outputs: ["sizes"], attributes: { to: 7 } },
      { operator: "Reshape", inputs: ["c", "sizes"], outputs: ["d"] },
      { operator: "Gather", inputs: ["shape", "first"], outputs: ["rows"], attributes: { axis: 0 } },
      { operator: "Equal", inputs: ["rows", "two"], outputs: ["isTwo"] },
      { operator: "LeakyRelu", inputs: ["d"], outputs: ["e"], attributes: { alpha: 0.5 } },
      {
        operator: "If",
        inputs: ["isTwo"],
        outputs: ["y"],
        attributes: {
          then_branch: { nodes: [{ operator: "MatMul", inputs: ["e", "v"], outputs: ["p"] }], outputs: ["p"] },
          else_branch: { nodes: [{ operator: "Add", inputs: ["e", "u"], outputs: ["q"] }], tensors: { u: numbered(3) }, outputs: ["q"] },
        },
      },
    ];
    const tensors = {
      w: numbered(4, 3),
      v: numbered(3, 3),
      none: ints(6, 0, 0),
      first: { dims: [], type: 7, data: [0] },
      two: { dims: [], type: 7, data: [2] },
    };
    const file = onnxFile({ nodes, tensors, inputs: { x: ["rows", 3] }, outputs: ["y"] }, 9);
    const { model } = await importModel(file);
    model.loadStateDict(
      Object.fromEntries(
        Object.entries(await model.stateDict()).map(([name, { shape, data }]) => [name, { shape, data: data.map((one) => one + 0.1) }]),
      ),
    );
    const written = await exportOnnx(model);
    const session = await ort.InferenceSession.create(written, { executionProviders: ["wasm"], logSeverityLevel: 3 });
    const { model: again } = await importModel(written);
    expect(Object.keys(await again.stateDict())).toEqual(Object.keys(await model.stateDict()));
    for (const rows of [2, 3]) {
      const x = { shape: [rows, 3], data: Float32Array.from({ length: 3 * rows }, (_, i) => Math.cos(i)) };
      const { output } = await forward(model, x, { backend });
      const { y } = await session.run({ x: fed(x, "float32") });
      expectSame("in onnxruntime", { shape: y.dims, data: y.data as Float32Array }, output);
      expectSame("read back", (await forward(again, x, { backend })).output, output);
    }
    await session.release();
  });

  it("what would change the graph is refused", async () => {
    const { model } = await importModel(bytes(join(fixtures, "lstm_charlm.onnx")));
    for (const options of [{ opset: 22 }, { input: ["batch", 3] }, { lengths: true }, { states: false }] as const) {
      const error: unknown = await exportOnnx(model, options).catch((problem: unknown) => problem);
      expect(error).toBeInstanceOf(RnnError);
      expect((error as RnnError).message).toContain(`leave out ${Object.keys(options)[0]}`);
    }
  });
});

/** Trains a model of layers, writes it, and runs the file in onnxruntime and read back, with states from outside or none. */
async function expectLayersAgree(imported: ImportedModel, states: boolean): Promise<void> {
  const { model } = imported;
  const { given, run } = await tryModel(imported, backend);
  await fineTune(model, given, run.output);
  // Convolutions begin with their padding in each call of a graph.
  const carried = Object.fromEntries(
    Object.entries(states && !model.readsBackwards ? run.state : {}).filter(([path]) => !/\bpast$/.test(path)),
  );
  const all = { ...given, state: carried };
  const expected = await forward(model, all, { backend });
  const file = await exportOnnx(model, { states });
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  const feeds = { input: given.input, ...given.further, ...carried };
  expect(session.inputNames.toSorted()).toEqual(Object.keys(feeds).toSorted());
  const results = await session.run(
    Object.fromEntries(
      session.inputMetadata.map((meta) => [meta.name, fed(feeds[meta.name as "input"], meta.isTensor ? meta.type : "")] as const),
    ),
  );
  const { model: again } = await importModel(file);
  const other = await forward(again, all, { backend });
  const named = { output: expected.output, ...expected.further };
  const read = { output: other.output, ...other.further };
  for (const [name, value] of Object.entries(named)) {
    const { dims, data } = results[name];
    expectSame(`${name} in onnxruntime`, { shape: dims, data: data as Float32Array }, value);
    expectSame(`${name} read back`, read[name as "output"], value);
  }
  for (const name of Object.keys(carried)) {
    const { dims, data } = results[`${name}.next`];
    expectSame(`${name} in onnxruntime`, { shape: dims, data: data as Float32Array }, expected.state[name]);
    expectSame(`${name} read back`, other.state[name], expected.state[name]);
  }
  await session.release();
}

const layered = [
  ...listed(fixtures, /\.(keras|nam)$/),
  join(fixtures, "plugin.json"),
  ...listed(join(root, "test/fixtures/keras3"), /^(?!.*mask).*\.keras$/),
  ...sampled(
    listed(join(shared, "keras"), /\.(keras|h5)$/).filter((name) => !name.endsWith(".weights.h5")),
    2,
  ),
  ...sampled(listed(join(shared, "rtneural"), /\.json$/), 1),
  ...sampled([...listed(join(shared, "nam"), /\.nam$/)], 0),
];

describe("a model of layers of another program becomes a graph", () => {
  it.each(layered.map((path) => [path.split("/").slice(-2).join("/"), path]))("%s", async (_, path) => {
    for (const states of [false, true]) await expectLayersAgree(await importModel(bytes(path)), states);
  });

  it("and tensorflow.js' layers", async () => {
    const files = ["model.json", "group1-shard1of1.bin"].map((name) => [name, bytes(join(fixtures, name))] as const);
    await expectLayersAgree(await importModel(Object.fromEntries(files)), true);
  });

  it("but for masks, which are refused by the layer", async () => {
    const { model } = await importModel(bytes(join(root, "test/fixtures/keras3/bi_lstm_sum_mask.keras")));
    await expect(exportOnnx(model)).rejects.toThrow('"embedding" (Embedding): steps that do not count (mask_zero) are not written');
  });
});
