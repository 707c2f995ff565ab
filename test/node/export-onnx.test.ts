// Models as ONNX files: onnxruntime computes from them what the package does, and importModel reads them back.
import * as ort from "onnxruntime-web";
import { beforeAll, describe, expect, it } from "vitest";
import {
  AvgPool1d,
  BatchNorm1d,
  compose,
  Conv1d,
  createBackend,
  CustomRNN,
  defineCell,
  Dropout,
  Embedding,
  exportOnnx,
  forward,
  GRU,
  importModel,
  LastStep,
  LayerNorm,
  Linear,
  LogSoftmax,
  LSTM,
  MaxPool1d,
  MinGRU,
  MinLSTM,
  ReLU,
  Residual,
  RNN,
  RnnError,
  Sequential,
  Sigmoid,
  SLSTM,
  Softmax,
  Tanh,
  type Backend,
  type ExportOptions,
  type Module,
  type Tensor,
} from "webgpu-rnn/static";
import { expectClose, leaky, numbers, sizeOf } from "../device/support.ts";

let backend: Backend;
beforeAll(async () => {
  ort.env.wasm.numThreads = 1;
  backend = await createBackend("cpu", { wasm: false });
});

const some = (...shape: number[]): Tensor => ({ shape, data: numbers(sizeOf(shape), shape.length + 3) });
const ids = (...shape: number[]): Tensor => ({ shape, data: Int32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 3) % 5) });

const fed = ({ shape, data }: Tensor): ort.Tensor =>
  data instanceof Int32Array
    ? new ort.Tensor("int64", BigInt64Array.from(data, BigInt), shape)
    : new ort.Tensor("float32", Float32Array.from(data), shape);

function expectSame(what: string, actual: Tensor, expected: Tensor): void {
  expect([...actual.shape], what).toEqual([...expected.shape]);
  expectClose(what, actual.data, expected.data, { atol: 1e-5, rtol: 1e-5 });
}

interface Run {
  readonly lengths?: readonly number[];
  readonly states?: boolean;
  readonly options?: ExportOptions;
  /** Whether importModel reads the file back (default true). */
  readonly reads?: boolean;
}

/** Runs a model here, in onnxruntime, and read back from its file, with states of any numbers; all must agree. */
async function expectAgreement(model: Module, input: Tensor, { lengths, states = true, options, reads = true }: Run = {}): Promise<void> {
  const first = await forward(model, input, { backend });
  const carries = states && !model.readsBackwards;
  const state: Record<string, Tensor> = Object.fromEntries(
    // Convolutions begin with their padding in each call of a graph.
    Object.entries(carries ? first.state : {})
      .filter(([path]) => !/\bpast$/.test(path))
      .map(([path, { shape }], i) => [
        path,
        { shape, data: numbers(sizeOf(shape), i + 9, 0.5).map((x) => (/\bn$/.test(path) ? Math.abs(x) : x)) },
      ]),
  );
  const expected = await forward(model, { input, state, ...(lengths && { lengths: [...lengths] }) }, { backend });
  const file = await exportOnnx(model, { ...options, states, ...(lengths && { lengths: true }) });
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  const feeds = Object.fromEntries([["input", fed(input)], ...Object.entries(state).map(([path, value]) => [path, fed(value)] as const)]);
  if (lengths) feeds.lengths = new ort.Tensor("int32", Int32Array.from(lengths), [lengths.length]);
  const results = await session.run(feeds);
  const tensorOf = (name: string): Tensor => ({ shape: [...results[name].dims], data: results[name].data as Float32Array });
  expectSame("output", tensorOf("output"), expected.output);
  expect(Object.keys(results)).toEqual(["output", ...Object.keys(state).map((path) => `${path}.next`)]);
  for (const path of Object.keys(state)) expectSame(path, tensorOf(`${path}.next`), expected.state[path]);
  await session.release();
  if (!reads) return;
  const { model: again, outputs } = await importModel(file);
  expect(outputs.map(({ path }) => path)).toEqual(["output", ...Object.keys(state).map((path) => `state.${path}`)]);
  const further = lengths && { lengths: { shape: [lengths.length], data: Int32Array.from(lengths) } };
  const other = await forward(again, { input, state, ...(further && { further }) }, { backend });
  expectSame("read back", other.output, expected.output);
  for (const path of Object.keys(state)) expectSame(`${path}, read back`, other.state[path], expected.state[path]);
}

const functions = [
  { name: "HardSigmoid", alpha: 0.3, beta: 0.4 },
  "Relu",
  "Softsign",
  { name: "ScaledTanh", alpha: 0.8, beta: 1.1 },
  { name: "Affine", alpha: 0.4, beta: 0.1 },
  { name: "LeakyRelu", alpha: 0.2 },
  { name: "Elu", alpha: 0.7 },
] as const;

const common = [
  {},
  { numLayers: 3, dropout: 0.3 },
  { bias: false },
  { bias: "input", batchFirst: true },
  { reverse: true, numLayers: 2 },
  { bidirectional: true },
  ...(["concat", "sum", "mul", "average", "none"] as const).map((merge) => ({
    bidirectional: true,
    merge,
    numLayers: 2,
    batchFirst: merge === "none",
  })),
  { clip: 0.4 },
  { recurrentDropout: 0.4 },
] as const;
const [T, B, I, H] = [4, 3, 3, 5];
const sequence = (options: object): Tensor => ("batchFirst" in options && options.batchFirst === true ? some(B, T, I) : some(T, B, I));

describe("an exported model computes in onnxruntime what it computes here, and so does the file read back", () => {
  it("RNN, with every option", async () => {
    for (const options of [...common, { nonlinearity: "relu" }, ...functions.map((candidate) => ({ activations: { candidate } }))] as const)
      await expectAgreement(new RNN(I, H, { seed: 1, ...options }), sequence(options));
  });

  it("GRU, with every option", async () => {
    const own = [
      ...(["after", "before", "none"] as const).flatMap((reset) =>
        (["keeps", "writes"] as const).map((updateGate) => ({ reset, updateGate, bias: reset !== "none" })),
      ),
      { reset: "none", bidirectional: true, activations: [{}, { candidate: "Relu" }] },
      { updateGate: "writes", activations: { gates: "HardSigmoid" }, clip: 0.5 },
      ...functions.map((candidate, i) => ({ activations: { gates: functions[(i + 1) % functions.length], candidate } })),
    ] as const;
    for (const options of [...common, ...own] as const) await expectAgreement(new GRU(I, H, { seed: 2, ...options }), sequence(options));
  });

  it("LSTM, with every option", async () => {
    const own = [
      ...(["gate", "coupled", "none"] as const).flatMap((forgetGate) => [false, true].map((peepholes) => ({ forgetGate, peepholes }))),
      { forgetGate: "coupled", peepholes: true, bidirectional: true, bias: false, numLayers: 2 },
      { forgetGate: "none", bias: false },
      { forgetBias: 1, outputActivation: "identity" },
      ...functions.map((output, i) => ({ activations: { output, candidate: functions[(i + 2) % functions.length] } })),
    ] as const;
    for (const options of [...common, ...own] as const) await expectAgreement(new LSTM(I, H, { seed: 3, ...options }), sequence(options));
  });

  it("rows of different lengths", async () => {
    for (const options of [{}, { bidirectional: true, numLayers: 2 }, { reverse: true }])
      for (const make of [RNN, GRU, LSTM])
        await expectAgreement(new make(I, H, { seed: 4, ...options }), some(T, B, I), { lengths: [4, 1, 2] });
    for (const make of [MinGRU, SLSTM])
      await expectAgreement(new make(I, H, { seed: 4, bidirectional: true }), some(T, B, I), { lengths: [4, 1, 2], reads: false });
  });

  it("as Scan: MinGRU, MinLSTM, SLSTM, projections", async () => {
    for (const candidate of ["positive", "linear"] as const)
      for (const options of [
        {},
        { numLayers: 2, bias: false },
        { bidirectional: true, merge: "sum" },
        { reverse: true, batchFirst: true },
      ] as const)
        for (const make of [MinGRU, MinLSTM])
          await expectAgreement(new make(I, H, { seed: 5, candidate, ...options }), sequence(options), { reads: false });
    for (const forgetGate of ["sigmoid", "exponential"] as const)
      for (const options of [{}, { numLayers: 2, heads: 2 }, { bidirectional: true, bias: "input" }] as const)
        await expectAgreement(new SLSTM(I, 4, { seed: 6, forgetGate, ...options }), some(T, B, I), { reads: false });
    for (const options of [{}, { numLayers: 2 }, { bidirectional: true, bias: false, numLayers: 2 }])
      await expectAgreement(new LSTM(I, H, { seed: 7, projSize: 2, ...options }), some(T, B, I), { reads: false });
  });

  it("as Scan: layer normalization, zoneout, projections with other options", async () => {
    const regularized = [
      { normalization: "layer" },
      { normalization: "layer", bidirectional: true, zoneout: 0.2, numLayers: 2 },
      { normalization: "layer", bias: false, zoneout: { h: 0.3 } },
      { zoneout: { h: 0.25 }, reverse: true, bias: "input", clip: 0.4 },
    ] as const;
    // Gains begin as ones, which would hide their order.
    const varied = async <M extends Module>(layer: M): Promise<M> => {
      const values = Object.entries(await layer.stateDict()).map(
        ([name, { shape, data }]) =>
          [name, { shape, data: data.map((x, i) => x * (1 + 0.4 * Math.sin(i + 1)) + 0.1 * Math.cos(i)) }] as const,
      );
      layer.loadStateDict(Object.fromEntries(values));
      return layer;
    };
    for (const options of regularized) {
      await expectAgreement(await varied(new RNN(I, H, { seed: 9, ...options })), some(T, B, I), { reads: false });
      for (const reset of ["after", "none"] as const)
        for (const updateGate of ["keeps", "writes"] as const)
          await expectAgreement(await varied(new GRU(I, H, { seed: 9, reset, updateGate, ...options })), some(T, B, I), { reads: false });
      for (const forgetGate of ["gate", "coupled", "none"] as const)
        await expectAgreement(await varied(new LSTM(I, H, { seed: 9, forgetGate, ...options })), some(T, B, I), { reads: false });
    }
    await expectAgreement(await varied(new GRU(I, H, { seed: 9, normalization: "layer", zoneout: 0.1 })), some(T, B, I), {
      lengths: [4, 1, 2],
      reads: false,
    });
    await expectAgreement(new LSTM(I, H, { seed: 9, peepholes: true, zoneout: { h: 0.2 } }), some(T, B, I), { reads: false });
    for (const options of [
      { peepholes: true },
      { forgetGate: "coupled", peepholes: true },
      { clip: 0.3 },
      ...functions.map((gates, i) => ({
        activations: { gates, candidate: functions[(i + 1) % functions.length], output: functions[(i + 2) % functions.length] },
      })),
    ] as const)
      await expectAgreement(await varied(new LSTM(I, H, { seed: 9, projSize: 2, ...options })), some(T, B, I), { reads: false });
  });

  it("modules around recurrent layers", async () => {
    const characters = new Sequential(
      {
        embedding: new Embedding(5, 3),
        rnn: new LSTM(3, 6, { numLayers: 2 }),
        drop: new Dropout(0.5),
        norm: new LayerNorm(6),
        out: new Linear(6, 5),
        y: new LogSoftmax(),
      },
      { seed: 1 },
    );
    await expectAgreement(characters, ids(4, 2));
    await expectAgreement(characters, ids(4, 2), { states: false });
    for (const opset of [18, 19, 20, 21, 22]) await expectAgreement(characters, ids(4, 2), { options: { opset } });
    for (const module of [
      new ReLU(),
      new Sigmoid(),
      new Tanh(),
      new Softmax(),
      new LayerNorm(4, { bias: false }),
      new LayerNorm(4, { affine: false }),
    ])
      await expectAgreement(new Sequential([new Linear(3, 4, { bias: false, seed: 1 }), module]), some(5, 3));
    await expectAgreement(new Residual(new Sequential([new Linear(3, 3), new Tanh()], { seed: 2 })), some(2, 3));
    await expectAgreement(new LayerNorm([2, 3]), some(4, 2, 3), { options: { input: ["batch", 2, 3] } });
  });

  it("what a recurrent layer read in the end", async () => {
    for (const of of ["ends", "lastStep"] as const)
      for (const options of [
        {},
        { numLayers: 2 },
        { bidirectional: true, batchFirst: true },
        ...(["sum", "mul", "average", "none"] as const).map((merge) => ({ bidirectional: true, merge })),
      ])
        await expectAgreement(new LastStep(new GRU(I, H, { seed: 8, ...options }), { of }), sequence(options));
    await expectAgreement(new Sequential([new LastStep(new LSTM(I, H, { seed: 8 })), new Linear(H, 2)]), some(T, B, I), {
      lengths: [2, 4, 1],
    });
  });

  it("convolutions, pooling and normalization", async () => {
    const windows = [
      {},
      { stride: 2, padding: 1 },
      { padding: "causal" },
      { padding: "same" },
      { padding: "same", stride: 2 },
      { padding: [0, 1], layout: "channelsLast" },
    ] as const;
    for (const options of windows) {
      const isLast = "layout" in options;
      const input = isLast ? some(2, 7, 4) : some(2, 4, 7);
      const run = { options: { input: isLast ? ["batch", "steps", 4] : ["batch", 4, "steps"] } };
      const strides = "stride" in options && "padding" in options && options.padding === "same";
      await expectAgreement(
        new Conv1d(4, 6, 3, { groups: 2, dilation: strides ? 1 : 2, seed: 1, bias: "padding" in options, ...options }),
        input,
        run,
      );
      const fixed = { options: { input: ["batch", 4, 7] } };
      if (strides) await expectAgreement(new Conv1d(4, 6, 3, { dilation: 2, seed: 1, ...options }), input, fixed);
      await expectAgreement(new MaxPool1d(3, { stride: 1, ...options }), input, run);
      for (const countPadding of [true, false])
        await expectAgreement(new AvgPool1d(3, { stride: 1, countPadding, ...options }), input, run);
    }
    const norm = new BatchNorm1d(4);
    norm.loadStateDict({
      weight: some(4),
      bias: some(4),
      running_mean: some(4),
      running_var: { shape: [4], data: Float32Array.of(0.5, 1, 2, 3) },
    });
    for (const module of [norm, new BatchNorm1d(4, { affine: false, eps: 0.1 })])
      await expectAgreement(new Sequential([new Conv1d(2, 4, 3, { seed: 1 }), module]), some(3, 2, 6), {
        options: { input: ["batch", 2, 6] },
      });
  });
});

describe("what ONNX cannot hold is refused by the module's path and the option", () => {
  const tried: [Module, ExportOptions, RegExp][] = [
    [
      new Sequential({ a: new Tanh(), rnn: new LSTM(2, 3, { normalization: "batch", normalizedSteps: 1 }) }),
      { input: ["steps", "batch", 2] },
      /"rnn" \(LSTM\): normalization: "batch"/,
    ],
    [new LSTM(2, 3, { forgetGate: "none", clip: 1 }), {}, /always open/],
    [new GRU(2, 3, { reset: "none", activations: { gates: "Softsign" } }), {}, /always open only for Sigmoid without clip, got Softsign/],
    [new CustomRNN(defineCell(leaky), 2, 3), {}, /the model \(CustomRNN\): this class is not written/],
    [compose({ a: new Linear(2, 2) }, ({ a }, x) => a(x)), {}, /this class is not written/],
    [new Tanh(), {}, /sizes of the input are not known; give them/],
    [new AvgPool1d(2, { dilation: 2 }), { input: ["batch", 2, "steps"] }, /dilation needs \{ opset: 19 \}/],
    [new Conv1d(2, 3, 3, { padding: "same", stride: 2, dilation: 2 }), { input: ["batch", 2, "steps"] }, /needs a fixed number of steps/],
    [new GRU(2, 3), { opset: 16 }, /opset must be an integer of at least 17 and at most 22/],
    [new GRU(2, 3), { input: ["steps", "batch", "a b"] }, /input must be/],
    [new LastStep(new GRU(2, 3), { of: "lastStep" }), { lengths: true }, /needs whole rows/],
  ];
  it.each(tried)("%#", async (model, options, message) => {
    const error: unknown = await exportOnnx(model, options).catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(RnnError);
    expect((error as RnnError).kind).toBe("option");
    expect((error as RnnError).message).toMatch(message);
  });
});
