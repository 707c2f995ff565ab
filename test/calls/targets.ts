// Everything public, with arguments that are right.
import * as rnn from "webgpu-rnn/static";
import type { Context, Variable } from "webgpu-rnn";
import { profileVersion } from "../../src/kernels/device-profile.ts";

const wrong = (value: unknown): never => value as never;

const on = await rnn.createBackend("cpu");

/** A call with arguments that are right; `options` of an argument are changed one by one, besides those that are given. */
export interface Target {
  readonly name: string;
  readonly args: () => unknown[];
  readonly call: (...args: never[]) => unknown;
  readonly keys: Readonly<Record<number, readonly string[]>>;
}
export const targets: Target[] = [];
/** `keys`: the options of an argument, by its place. */
function add(name: string, args: () => unknown[], call: (...args: never[]) => unknown, keys: Readonly<Record<number, string>> = {}): void {
  targets.push({ name, args, call, keys: Object.fromEntries(Object.entries(keys).map(([at, names]) => [at, names.split(" ")])) });
}
const some = (...shape: number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, (_, i) => Math.sin(i)),
});
const ids = (...shape: number[]) => ({ shape, data: Int32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, (_, i) => i % 5) });
const gru = () => new rnn.GRU(2, 3, { seed: 1 });
const characters = () =>
  new rnn.Sequential({ embedding: new rnn.Embedding(5, 2), rnn: new rnn.LSTM(2, 3), out: new rnn.Linear(3, 5) }, { seed: 1 });
const seq2seq = () =>
  new rnn.Seq2Seq({
    encoder: new rnn.Sequential([new rnn.Embedding(5, 2), new rnn.GRU(2, 3)]),
    decoder: new rnn.Decoder({ vocabulary: 5, memorySize: 3, rnn: new rnn.GRU(2, 3) }),
    seed: 1,
  });
const text = () => rnn.TextData.from("abcdeabcdeabcdeabcdeabcde", { batch: 2, steps: 3 });
const batch = () => ({
  input: some(3, 2, 2),
  targets: some(3, 2, 3),
  mask: { shape: [3, 2, 3], data: new Float32Array(18).fill(1) },
  lengths: [3, 2],
  startsSequence: true,
});
const data = (change: object = {}) => ({ batches: 2, batch: () => ({ ...batch(), ...change }) });
const trainer = (change: object = {}) =>
  new rnn.Trainer(gru(), { backend: on, data: data(), loss: rnn.squaredError(), optimizer: rnn.sgd(), carryState: false, ...change });
const layer =
  "numLayers bias batchFirst dropout variational bidirectional merge recurrentInit inputInit seed normalization normalizedSteps zoneout recurrentDropout";
const running = "backend training seed strategy recompute storage";
const cell = () => ({
  name: "leak",
  gateNames: ["a"],
  wgsl: "fn forward() {} fn backward() {}",
  states: [],
  usesC: false,
  splitsRecurrentGradient: false,
  forward: ([x]: number[], [r]: number[]) => ({ gates: [x + r], h: x + r, c: 0 }),
  backward: (_g: unknown, _p: unknown, _h: unknown, _q: unknown, _c: unknown, dh: number) => ({
    dGates: [dh],
    dRecurrent: [dh],
    dhPrevious: 0,
    dcPrevious: 0,
  }),
});
/** Up to three pieces of a result that may be long. */
async function few(pieces: AsyncIterable<unknown>): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const piece of pieces) if (piece === undefined || found.push(piece) >= 3) break;
  return found;
}
/** What an app may have stored of a device. */
const profile = () => ({
  version: profileVersion,
  adapter: "a GPU",
  units: [16],
  rows: [1],
  fixed: { forward: { loop: 1, step: 1 }, backward: { loop: 1, step: 1 } },
  forward: { loop: [[1]], step: [[1]] },
  backward: { loop: [[1]], step: [[1]] },
  products: { blocks: [1], whole: [1], split: [1] },
});
const selfTest = () => ({ version: "1", adapter: "a GPU", tested: 1, failures: [{ kernel: "adam", problem: "wrong" }] });

add(
  "createBackend",
  () => ["cpu", { shaders: { adam: "" }, profile: profile(), selfTest: selfTest() }],
  async (kind, options) => {
    const made = await rnn.createBackend(kind === "auto" || kind === "webgpu" ? wrong("cpu") : kind, options);
    made.destroy();
    return made.adapter;
  },
  { 1: "precision wasm threads shaders device profile selfTest" },
);
add(
  "tensor",
  () => [[1, 2], [2]],
  (v, s) => rnn.tensor(v, s),
);
add(
  "Vocabulary",
  () => [["a", "b"]],
  (v) => new rnn.Vocabulary(v),
);
add(
  "Vocabulary.of",
  () => ["abc"],
  (v) => rnn.Vocabulary.of(v),
);
add(
  "encode",
  () => ["abc"],
  (v) => rnn.Vocabulary.of("abc").encode(v),
);
add(
  "decode",
  () => [[0]],
  (v) => rnn.Vocabulary.of("abc").decode(v),
);
add(
  "TextData",
  () => ["abcabcabc", { batch: 1, steps: 2 }],
  (t, o) => rnn.TextData.from(t, o),
  { 1: "batch steps vocabulary" },
);
add(
  "split",
  () => [0.5],
  (f) => text().split(f),
);
add(
  "batch",
  () => [0, false],
  (s, f) => text().batch(s, f),
);
for (const kind of ["RNN", "GRU", "LSTM", "SLSTM"] as const)
  add(
    kind,
    () => [2, 3, kind === "GRU" ? { activations: { gates: { name: "HardSigmoid", alpha: 0.1 } }, zoneout: { h: 0.1 } } : {}],
    (i, h, o) => new rnn[kind](i, h, o).describe(),
    {
      2: `${layer} ${{ RNN: "nonlinearity activations clip", GRU: "reset updateGate activations clip", LSTM: "forgetBias projSize forgetGate outputActivation peepholes activations clip", SLSTM: "forgetGate forgetBias heads" }[kind]}`,
    },
  );
for (const kind of ["MinGRU", "MinLSTM"] as const)
  add(
    kind,
    () => [2, 3, {}],
    (i, h, o) => new rnn[kind](i, h, o).describe(),
    { 2: `${layer} candidate` },
  );
add(
  "Linear",
  () => [2, 3, {}],
  (i, h, o) => new rnn.Linear(i, h, o),
  { 2: "bias seed" },
);
add(
  "Embedding",
  () => [2, 3, {}],
  (i, h, o) => new rnn.Embedding(i, h, o),
  { 2: "seed" },
);
add(
  "Dropout",
  () => [0.5, {}],
  (p, o) => new rnn.Dropout(p, o),
  { 1: "variational batchFirst" },
);
/** Runs a module after what made it may have changed. */
const later = async (module: rnn.Module, ...shape: number[]) => {
  await Promise.resolve();
  return rnn.forward(module, some(...shape), { backend: on });
};
add(
  "Conv1d",
  () => [2, 3, 2, { padding: [1, 1], seed: 1 }],
  (i, o, size, options) => later(new rnn.Conv1d(i, o, size, options), 1, 2, 4),
  { 3: "stride padding dilation layout groups bias seed" },
);
add(
  "MaxPool1d",
  () => [2, { padding: [1, 1] }],
  (size, options) => later(new rnn.MaxPool1d(size, options), 1, 2, 4),
  { 1: "stride padding dilation layout" },
);
add(
  "AvgPool1d",
  () => [2, { padding: [1, 1] }],
  (size, options) => later(new rnn.AvgPool1d(size, options), 1, 2, 4),
  { 1: "stride padding dilation layout countPadding" },
);
add(
  "LayerNorm",
  () => [[2, 4], {}],
  (shape, options) => later(new rnn.LayerNorm(shape, options), 1, 2, 4),
  { 1: "eps affine bias" },
);
add(
  "BatchNorm1d",
  () => [2, {}],
  (features, options) => later(new rnn.BatchNorm1d(features, options), 1, 2, 4),
  { 1: "eps momentum affine" },
);
add(
  "Residual",
  () => [new rnn.Linear(4, 4, { seed: 1 })],
  (block) => later(new rnn.Residual(block), 1, 2, 4),
);
add(
  "Sequential",
  () => [[new rnn.Linear(1, 1)], {}],
  (m, o) => new rnn.Sequential(m, o),
  { 1: "seed" },
);
add(
  "Sequential of an object",
  () => [{ a: new rnn.Linear(1, 1), b: new rnn.Tanh() }],
  (m) => new rnn.Sequential(m),
  { 0: "a b" },
);
add(
  "compose",
  () => [{ a: new rnn.Linear(2, 2, { seed: 1 }) }, ({ a }: { a: (x: Variable) => Variable }, x: Variable) => a(x), {}],
  (m, c, o) => rnn.forward(rnn.compose(m, c, o), some(1, 2), { backend: on }),
  { 2: "seed idCount" },
);
add(
  "what compose's function gives",
  () => [],
  (v) =>
    rnn.forward(
      rnn.compose({ a: new rnn.Linear(2, 2) }, () => v),
      some(1, 2),
      { backend: on },
    ),
);
add(
  "LastStep",
  () => [gru(), {}],
  (m, o) => new rnn.LastStep(m, o),
  { 1: "of" },
);
add(
  "freeze",
  () => ["weight*"],
  (pattern) => gru().freeze(pattern),
);
add(
  "unfreeze",
  () => ["weight*"],
  (pattern) => gru().unfreeze(pattern),
);
add(
  "Attention",
  () => [2, 3, {}],
  (q, m, o) => new rnn.Attention(q, m, o),
  { 2: "score features seed" },
);
add(
  "Decoder",
  () => [{ vocabulary: 3, memorySize: 2, rnn: gru() }],
  (o) => new rnn.Decoder(o),
  { 0: "vocabulary memorySize rnn score dropout seed" },
);
add(
  "Seq2Seq",
  () => [{ encoder: gru(), decoder: new rnn.Decoder({ vocabulary: 3, memorySize: 3, rnn: gru() }) }],
  (o) => new rnn.Seq2Seq(o),
  { 0: "encoder decoder scheduledSampling seed" },
);
add(
  "defineCell",
  () => [cell()],
  (c) => rnn.defineCell(c),
  { 0: Object.keys(cell()).join(" ") },
);
add(
  "what a cell gives",
  () => [0, 0],
  (f, b) => rnn.defineCell({ ...cell(), ...(f === 0 ? {} : { forward: () => f }), ...(b === 0 ? {} : { backward: () => b }) }),
);
add(
  "CustomRNN",
  () => [rnn.defineCell(cell()), 2, 3, {}],
  (c, i, h, o) => new rnn.CustomRNN(c, i, h, o),
  { 3: layer },
);
add(
  "Parameter",
  () => [[2, 2], rnn.normal(), 1],
  (s, i, g) => new rnn.Parameter(s, i, g),
);
add(
  "normal",
  () => [1],
  (d) => rnn.normal(d),
);
add(
  "uniform",
  () => [1],
  (d) => rnn.uniform(d),
);
add(
  "orthogonal",
  () => [1],
  (d) => rnn.orthogonal(d),
);
add(
  "an initializer's shape",
  () => [[2, 2]],
  (s) => new Holder(new rnn.Parameter(s, rnn.orthogonal(1))).initialize(1),
);
add(
  "what an initializer gives",
  () => [new Float32Array(4)],
  (v) => new Holder(new rnn.Parameter([2, 2], () => v)).initialize(1),
);
add(
  "a module's parameter",
  () => [new rnn.Parameter([1], rnn.normal()), "a"],
  (p, n) => new Holder(p, n),
);
add(
  "a module's part",
  () => [new rnn.Linear(1, 1), "a"],
  (p, n) => new Holder(undefined, "a", p, n),
);
add(
  "initialize",
  () => [1],
  (s) => gru().initialize(s),
);
add(
  "namedParameters",
  () => ["a."],
  (p) => gru().namedParameters(p),
);
add(
  "loadStateDict",
  () => [{ weight: some(1, 1), bias: some(1) }],
  (d) => new rnn.Linear(1, 1).loadStateDict(d),
  { 0: "weight bias" },
);
add(
  "RnnError",
  () => ["data", "where", "what"],
  (k, w, p) => new rnn.RnnError(k, w, p),
);
add(
  "forward",
  () => [gru(), { input: some(3, 2, 2) }, { backend: on }],
  (m, i, o) => rnn.forward(m, i, o),
  { 1: "input state lengths further", 2: running },
);
add(
  "forward of ids",
  () => [ids(3, 2)],
  (i) => rnn.forward(characters(), i, { backend: on }),
);
add(
  "a state",
  () => [some(1, 2, 3)],
  (h) => rnn.forward(gru(), { input: some(3, 2, 2), state: { h } }, { backend: on }),
);
add(
  "a shape and its data",
  () => [[3, 2, 2], new Float32Array(12)],
  (shape, values) => rnn.forward(gru(), { shape, data: values }, { backend: on }),
);
add(
  "gradients",
  () => [gru(), { input: some(3, 2, 2) }, { output: some(3, 2, 3) }, { backend: on }],
  (m, i, c, o) => rnn.gradients(m, i, c, o),
  { 1: "input state lengths further", 2: "output state", 3: running },
);
add(
  "plannedMemory",
  () => [gru(), { input: some(3, 2, 2) }, { backend: on }],
  (m, i, o) => rnn.plannedMemory(m, i, o),
  { 1: "input state lengths further", 2: `${running} gradients` },
);
add(
  "verify",
  () => [gru(), { input: some(2, 1, 2) }, { backend: on }],
  (m, i, o) => rnn.verify(m, i, o),
  { 1: "input lengths", 2: "backend atol rtol training strategy recompute storage" },
);
add(
  "jacobian",
  () => [new rnn.Tanh(), some(2), { backend: on }],
  (m, i, o) => rnn.jacobian(m, i, o),
  { 2: running },
);
add(
  "generate",
  () => [characters(), { backend: on, vocabulary: new rnn.Vocabulary(Array.from("abcde")), prompt: "ab", length: 3 }],
  (m, o) => rnn.generate(m, o),
  { 1: "backend length temperature topK seed stop signal vocabulary prompt onText" },
);
add(
  "generateTokens",
  () => [characters(), [1, 2], { backend: on, length: 3 }],
  (m, p, o) => few(rnn.generateTokens(m, p, o)),
  { 2: "backend temperature topK seed stop signal" },
);
add(
  "generate from several prompts",
  () => [characters(), { backend: on, vocabulary: new rnn.Vocabulary(Array.from("abcde")), prompt: ["ab", "c"], seed: [1, 2], length: 3 }],
  (m, o) => rnn.generate(m, o),
  { 1: "seed prompt" },
);
add(
  "generateTokens from several prompts",
  () => [characters(), [[1, 2], [3]], { backend: on, length: 3 }],
  (m, p, o) => few(rnn.generateTokens(m, p, o)),
  {},
);
add(
  "how much is generated",
  () => [3],
  (length) =>
    rnn.generate(characters(), { backend: on, vocabulary: new rnn.Vocabulary(Array.from("abcde")), length, signal: AbortSignal.abort() }),
);
add(
  "lossAndGradient",
  () => [rnn.crossEntropy(), { prediction: some(2, 3), targets: ids(2), mask: [1, 1] }, { backend: on }],
  (l, i, o) => rnn.lossAndGradient(l, i, o),
  { 1: "prediction targets mask", 2: "backend" },
);
add(
  "squaredError",
  () => [{ prediction: some(2), targets: some(2), mask: [1, 1] }],
  (i) => rnn.lossAndGradient(rnn.squaredError(), i, { backend: on }),
  { 0: "prediction targets mask" },
);
add(
  "binaryCrossEntropy",
  () => [{ prediction: some(2), targets: [0, 1], mask: [1, 1] }],
  (i) => rnn.lossAndGradient(rnn.binaryCrossEntropy(), i, { backend: on }),
  { 0: "prediction targets mask" },
);
add(
  "optimizerSteps",
  () => [rnn.adam(), { a: some(2) }, [{ a: some(2) }], { backend: on }],
  (op, p, g, o) => rnn.optimizerSteps(op, p, g, o),
  { 1: "a b", 3: "backend clipNorm clipValue" },
);
add(
  "gradients of optimizerSteps",
  () => [{ a: some(2) }],
  (g) => rnn.optimizerSteps(rnn.sgd(), { a: some(2) }, [g], { backend: on }),
  { 0: "a b" },
);
add(
  "gradientFlow",
  () => [gru(), batch(), { backend: on, loss: rnn.squaredError() }],
  (m, b, o) => rnn.gradientFlow(m, b, o),
  { 1: "input further lengths targets mask startsSequence state", 2: "backend loss at" },
);
add(
  "logProbability",
  () => [characters(), rnn.sentenceBatch([[1, 2]], { end: 0 }), { backend: on }],
  (m, b, o) => rnn.logProbability(m, b, o),
  { 1: "input further lengths targets mask startsSequence", 2: "backend" },
);
add(
  "beamSearch",
  () => [seq2seq(), [[1, 2], [3]], { backend: on, end: 0, beams: 2, maxLength: 2 }],
  (m, s, o) => rnn.beamSearch(m, s, o),
  { 2: "backend end beams lengthPenalty" },
);
add(
  "sentenceBatch",
  () => [[[1, 2], [3]], { end: 0 }],
  (s, o) => rnn.sentenceBatch(s, o),
  { 1: "end batchFirst" },
);
add(
  "SentenceData",
  () => [[[1, 2], [3]], { end: 0 }, 0, false],
  (s, o, step, first) => new rnn.SentenceData(s, o).batch(step, first),
  { 1: "end batch" },
);
add(
  "PairData",
  () => [[[1, 2], [3]], [[1], [2]], { end: 0 }, 0, false],
  (s, t, o, step, first) => new rnn.PairData(s, t, o).batch(step, first),
  { 2: "end batch" },
);
add(
  "a sentence",
  () => [[1, 2]],
  (s) => rnn.sentenceBatch([s], { end: 0 }),
);
add(
  "encodeSafetensors",
  () => [{ a: some(2) }, { b: "c" }],
  (t, m) => rnn.encodeSafetensors(t, m),
  { 0: "a", 1: "b" },
);
add(
  "decodeSafetensors",
  () => [rnn.encodeSafetensors({ a: some(2) })],
  (f) => rnn.decodeSafetensors(f),
);
add(
  "saveModel",
  () => [gru(), { dtype: "F16", metadata: { a: "b" }, modules: { GRU: rnn.GRU }, cells: {} }],
  async (m, o) => (await rnn.saveModel(m, o)).length,
  { 1: "dtype metadata modules cells" },
);
add(
  "saveStream",
  () => [gru(), { batch: 2, features: 2, dtype: "F16", metadata: { a: "b" }, modules: { GRU: rnn.GRU }, cells: {} }],
  async (m, o) => (await rnn.saveStream(m, o)).length,
  { 1: "batch features inputShape dtype metadata modules cells" },
);
add(
  "createStream",
  () => [gru(), { batch: 2, features: 2, backend: on }],
  async (m, o) => {
    using stream = await rnn.createStream(m, o);
    return stream.step(new Float32Array(stream.batch * stream.inputSize)).length;
  },
  { 1: "batch features backend inputShape" },
);
/** It has no states, so that it answers the same to each call. */
const stateless = await rnn.createStream(new rnn.Linear(2, 1, { seed: 1 }), { batch: 2, backend: on });
add(
  "a stream's step",
  () => [[1, 2, 3, 4]],
  (frame) => stateless.step(frame).slice(),
);
add(
  "a stream's steps",
  () => [[1, 2, 3, 4], new Float32Array(2)],
  (frames, into) => stateless.steps(frames, into).slice(),
);
add(
  "a stream's stepRows",
  () => [[1], [1, 2]],
  (rows, frames) => stateless.stepRows(rows, frames).slice(),
);
const stateful = await rnn.createStream(gru(), { batch: 2, backend: on });
add(
  "a stream's states",
  () => [{ h: some(1, 2, 3) }, 1, new Float32Array(3)],
  (states, row, values) => {
    stateful.state.write(states);
    stateful.reset(row);
    stateful.state.writeRow(row, values);
    return stateful.state.readRow(row);
  },
);
const batcherOptions = { maxBatch: 2, maxWaitMs: 0, maxStreams: 3, maxWaiting: 2, idleMs: 1000, onIdle: () => undefined };
add(
  "createBatcher",
  () => [gru(), { ...batcherOptions, backend: on }],
  async (m, o) => {
    using batcher = await rnn.createBatcher(m, o);
    const result = batcher.step("a", new Float32Array(batcher.inputSize));
    result.catch(() => undefined);
    // A frame alone waits for `maxWaitMs`, which may be days.
    return (await Promise.race([result, new Promise<void>((done) => setTimeout(done, 5000))]))?.length;
  },
  { 1: "maxBatch maxWaitMs maxStreams maxWaiting idleMs onIdle backend features" },
);
/** It has no states, so that it answers the same to each call. */
const linear = await rnn.createBatcher(new rnn.Linear(2, 1, { seed: 1 }), { ...batcherOptions, maxStreams: 2 ** 10, backend: on });
add(
  "a batcher's step",
  () => ["a", [1, 2]],
  (id, frame) => linear.step(id, frame),
);
const batcher = await rnn.createBatcher(gru(), { ...batcherOptions, backend: on });
add(
  "a batcher's states",
  () => ["a", rnn.encodeSafetensors({ h: some(1, 1, 3) }, { frames: "3" })],
  (id, state) => [batcher.restore(id, state), batcher.state(id), batcher.frames(id), batcher.close(id)],
);
add(
  "exportOnnx",
  () => [gru(), { opset: 18, input: ["steps", "batch", 2], lengths: true, states: false }],
  async (m, o) => (await rnn.exportOnnx(m, o)).length,
  { 1: "opset input lengths states" },
);
const gruFile = await rnn.saveModel(gru());
add(
  "loadModel",
  () => [gruFile.slice(), { modules: { GRU: rnn.GRU }, cells: {} }],
  async (f, o) => (await rnn.loadModel(f, o)).parameterCount,
  { 1: "modules cells" },
);
const linearFile = () => rnn.encodeSafetensors({ weight: some(1, 2), bias: some(1) });
add(
  "importModel",
  () => [linearFile(), { model: new rnn.Linear(2, 1, { seed: 1 }) }],
  async (f, o) => (await rnn.importModel(f, o)).report,
  { 1: "model constants format" },
);
add(
  "importModel of files by name",
  () => [{ "a.safetensors": linearFile() }],
  async (f) => (await rnn.importModel(f, { model: new rnn.Linear(2, 1) })).report,
  { 0: "a.safetensors" },
);
add(
  "readTensors",
  () => [linearFile()],
  (f) => rnn.readTensors(f),
);
add(
  "stackWeights",
  () => ["gru", { weight_ih_l0: some(6, 2), weight_hh_l0: some(6, 2), bias_ih_l0: some(6) }, "l0"],
  (c, d, s) => rnn.stackWeights(c, d, s),
  { 1: "weight_ih_l0 weight_hh_l0 bias_ih_l0" },
);
add(
  "unstackWeights",
  () => ["rnn", { W_a: some(2, 5), b_a: some(2) }, "l0"],
  (c, d, s) => rnn.unstackWeights(c, d, s),
  { 1: "W_a b_a" },
);
for (const kind of ["crossEntropy", "binaryCrossEntropy", "squaredError"] as const)
  add(
    kind,
    () => [{}],
    (o) => rnn[kind](o),
    { 0: "reduction ignoreIndex" },
  );
for (const kind of ["sgd", "rmsprop", "adam", "adamw", "nadam"] as const)
  add(
    kind,
    () => [{}],
    (o) => rnn[kind](o),
    { 0: "learningRate weightDecay momentum dampening nesterov alpha eps centered beta1 beta2 momentumDecay pytorch" },
  );
add(
  "constant",
  () => [0.1],
  (r) => rnn.constant(r),
);
add(
  "stepDecay",
  () => [{ learningRate: 1, stepSize: 2 }],
  (o) => rnn.stepDecay(o)(3),
  { 0: "learningRate stepSize gamma" },
);
add(
  "cosine",
  () => [{ learningRate: 1, totalSteps: 20 }],
  (o) => rnn.cosine(o)(3),
  { 0: "learningRate totalSteps warmupSteps minimum" },
);
for (const kind of ["chooseStrategy", "explainStrategy"] as const)
  add(
    kind,
    () => [{ T: 1, B: 1, H: 1, G: 1, training: true }],
    (s, p) => rnn[kind](s, p),
    { 0: "T B H G phases lanes training" },
  );
add(
  "a self-test's result",
  () => [undefined],
  (p) => rnn.explainStrategy({ T: 1, B: 1, H: 1, G: 1, training: true }, undefined, p),
);
add(
  "the threads of a workgroup",
  () => [1024],
  (n) => rnn.explainStrategy({ T: 1, B: 1, H: 1, G: 1, training: true }, undefined, undefined, n),
);
add(
  "a profile",
  () => [undefined],
  (p) => rnn.explainStrategy({ T: 1, B: 1, H: 1, G: 1, training: true }, p),
);
add(
  "calibrate",
  () => [on],
  (b) => rnn.calibrate(b),
);
add(
  "Trainer",
  () => [gru(), { backend: on, data: data(), loss: rnn.squaredError(), optimizer: rnn.sgd() }],
  (m, o) => few(new rnn.Trainer(m, o).run({ steps: 2 })),
  { 1: "backend data loss optimizer clipNorm clipValue carryState seed strategy recompute storage" },
);
add(
  "run",
  () => [{ steps: 2 }],
  (o) => few(trainer().run(o)),
  { 0: "steps signal" },
);
/** Data that comes to an end, whatever number of steps is asked for. */
const shortData = () => {
  let left = 4;
  return {
    batches: 2,
    batch: () => {
      if (left-- === 0) throw new rnn.RnnError("data", "data", "there is no more");
      return batch();
    },
  };
};
add(
  "train",
  () => [{ steps: 2 }],
  (o) => trainer({ data: shortData() }).train(o),
  { 0: "steps signal onProgress" },
);
add(
  "evaluate",
  () => [data(), { batches: 1 }],
  (d, o) => trainer().evaluate(d, o),
  { 1: "batches" },
);
add(
  "the number of batches",
  () => [2],
  (batches) => trainer().evaluate({ ...data(), batches }, { batches: 1 }),
);
add(
  "a batch",
  () => [batch()],
  (b) => few(trainer({ data: { batches: 2, batch: () => b } }).run({ steps: 2 })),
  { 0: "input further lengths targets mask startsSequence" },
);
add(
  "a batch to be evaluated",
  () => [batch()],
  (b) => trainer().evaluate({ batches: 1, batch: () => b }),
  { 0: "input further lengths targets mask startsSequence" },
);
add(
  "a learning rate",
  () => [0.1],
  (r) => few(trainer({ optimizer: rnn.sgd({ learningRate: () => r }) }).run({ steps: 2 })),
);
add(
  "checkpoint",
  () => [{ a: "b" }],
  (m) => trainer().checkpoint(m),
  { 0: "a step format" },
);
add(
  "restore",
  () => [],
  async (f) => trainer().restore(f === undefined ? await trainer().checkpoint() : f),
);
add(
  "a trainer's plannedMemory",
  () => [batch()],
  (b) => trainer({ data: { batches: 1, batch: () => b } }).plannedMemory(),
);
add(
  "createBuffer",
  () => ["a", "f32", 3, [1, 2]],
  (l, t, n, d) => on.free(on.createBuffer(l, t, n, d)),
);
add(
  "write",
  () => [undefined, [1, 2], 0],
  (b, d, o) => on.write(b === undefined ? on.createBuffer("a", "f32", 3) : b, d, o),
);
add(
  "read",
  () => [undefined, 0, 2],
  (b, o, n) => on.read(b === undefined ? on.createBuffer("a", "f32", 3) : b, o, n),
);
add(
  "copy",
  () => [undefined, undefined, 0],
  (from, to, offset) =>
    on.copy(from === undefined ? on.createBuffer("a", "f32", 3) : from, to === undefined ? on.createBuffer("b", "f32", 2) : to, offset),
);
add(
  "free",
  () => [undefined],
  (b) => on.free(b === undefined ? on.createBuffer("a", "f32", 3) : b),
);
add(
  "floats",
  () => [2],
  (n) => on.floats(n),
);
add(
  "prepare",
  () => [],
  (r, e, o) => on.prepare(r, e, o),
);
for (const Kind of [rnn.Tanh, rnn.Softmax, rnn.LogSoftmax])
  add(
    `${Kind.name}'s forward`,
    () => [],
    (c, x) => new Kind().forward(c, x),
  );
for (const [name, module] of Object.entries({
  Linear: new rnn.Linear(1, 1),
  Conv1d: new rnn.Conv1d(1, 1, 1),
  LayerNorm: new rnn.LayerNorm(1),
  BatchNorm1d: new rnn.BatchNorm1d(1),
  MaxPool1d: new rnn.MaxPool1d(1),
  AvgPool1d: new rnn.AvgPool1d(1),
  Residual: new rnn.Residual(new rnn.Linear(1, 1)),
  Embedding: new rnn.Embedding(1, 1),
  Dropout: new rnn.Dropout(),
  GRU: gru(),
  Sequential: characters(),
  LastStep: new rnn.LastStep(gru()),
  Attention: new rnn.Attention(1, 1),
  Seq2Seq: seq2seq(),
}))
  add(
    `${name}'s forward`,
    () => [],
    (c, x) => module.forward(c, x),
  );

/** A module of an app. */
class Holder extends rnn.Module {
  constructor(parameter?: unknown, name: unknown = "p", child?: unknown, childName: unknown = "c") {
    super();
    if (parameter !== undefined) this.addParameter(wrong(name), wrong(parameter));
    if (child !== undefined) this.addChild(wrong(childName), wrong(child));
  }

  forward(_: Context, x: Variable): Variable {
    return x;
  }
}

/** Records one operation on the input, a variable [2, 2]. */
class Op extends rnn.Module {
  constructor(private readonly op: (context: Context, x: Variable) => Variable) {
    super();
  }

  forward(context: Context, x: Variable): Variable {
    return this.op(context, x);
  }
}
add(
  "ops.embedding",
  () => [],
  (ids, weight) =>
    rnn.forward(new Op((context, x) => rnn.ops.embedding(context, wrong(ids ?? x), wrong(weight ?? x))), some(2, 2), { backend: on }),
);
/** What stands for something made of the input when the operation is recorded. */
const [variable, twoVariables] = [Symbol("the input"), Symbol("a list of it")];
const [sequence, taps, frames] = [Symbol("[1, 2, 2]"), Symbol("[2, 2, 1]"), Symbol("[1, 4, 1]")];
const [vector, statistics] = [Symbol("[2]"), Symbol("a mean and a variance")];
const made = (context: Context, x: Variable, what: unknown): unknown => {
  const shaped = (...shape: number[]) => rnn.ops.reshape(context, x, shape);
  const numbers = () => rnn.ops.reshape(context, rnn.ops.slice(context, x, 0, 0, 1), [2]);
  const makers = new Map<unknown, () => unknown>([
    [variable, () => x],
    [twoVariables, () => [x, x]],
    [sequence, () => shaped(1, 2, 2)],
    [taps, () => shaped(2, 2, 1)],
    [frames, () => shaped(1, 4, 1)],
    [vector, numbers],
    [statistics, () => ({ mean: numbers(), variance: numbers() })],
  ]);
  return makers.has(what) ? makers.get(what)!() : what;
};
const windows = "stride padding dilation layout";
const operations: Readonly<Record<string, readonly [args: readonly unknown[], keys?: string]>> = {
  add: [[variable, variable]],
  multiply: [[variable, variable]],
  scale: [[variable, 2]],
  matmul: [[variable, variable, {}], "transposeA transposeB"],
  concat: [[twoVariables, 0]],
  permute: [[variable, [1, 0]]],
  reshape: [[variable, [4]]],
  sigmoid: [[variable]],
  tanh: [[variable]],
  relu: [[variable]],
  softmax: [[variable, {}], "mask"],
  lengthMask: [[2]],
  dropout: [[variable, 0.5]],
  linear: [[variable, variable, undefined]],
  constant: [[[1, 2]]],
  ...Object.fromEntries(
    ["subtract", "divide", "power", "maximum", "minimum", "equal", "less", "lessOrEqual", "greater", "greaterOrEqual", "and", "or"].map(
      (name) => [name, [[variable, 2]]] as const,
    ),
  ),
  ...Object.fromEntries(
    "sqrt exp log abs negate reciprocal erf sign floor ceil round not silu softplus softsign hardSwish"
      .split(" ")
      .map((name) => [name, [[variable]]] as const),
  ),
  where: [[variable, variable, 0]],
  ...Object.fromEntries(["sum", "mean", "max", "min", "norm"].map((name) => [name, [[variable, [0, 1], {}], "keepAxes"]] as const)),
  ...Object.fromEntries(["argMax", "argMin"].map((name) => [name, [[variable, 0, {}], "keepAxes"]] as const)),
  cumulativeSum: [[variable, 0, {}], "reverse exclusive"],
  slice: [[variable, 0, 0, 2, {}], "step"],
  flip: [[variable, 0]],
  gather: [[variable, 0, [1, 0]]],
  pad: [[variable, 0, [1, 1], {}], "mode value"],
  split: [[variable, 0, 2]],
  stack: [[twoVariables, 0]],
  tile: [[variable, [2, 1]]],
  expand: [[variable, [3, 2, 2]]],
  flatten: [[variable, 0, 1]],
  squeeze: [[variable, []]],
  unsqueeze: [[variable, 0]],
  stft: [[variable, { size: 2 }], "size hop window center"],
  istft: [[frames, { size: 2, window: "rectangular", center: false }], "size hop window center length"],
  conv1d: [[sequence, taps, vector, {}], `${windows} groups`],
  convTranspose1d: [[sequence, taps, vector, {}], `${windows} groups outputPadding`],
  maxPool1d: [[sequence, 2, {}], windows],
  avgPool1d: [[sequence, 2, {}], `${windows} countPadding`],
  layerNorm: [[variable, [2, 2], variable, variable, {}], "eps"],
  instanceNorm: [[sequence, vector, vector, {}], "eps"],
  batchNorm: [[sequence, statistics, vector, vector, {}], "eps"],
  clip: [[variable, {}], "minimum maximum"],
  gelu: [[variable, {}], "approximate"],
  elu: [[variable, {}], "alpha"],
  leakyRelu: [[variable, {}], "alpha"],
  selu: [[variable, {}], "alpha gamma"],
  hardSigmoid: [[variable, {}], "alpha beta"],
};
for (const [name, [args, keys]] of Object.entries(operations)) {
  const op = (rnn.ops as unknown as Record<string, (...args: unknown[]) => Variable | Variable[] | undefined>)[name];
  const keysOf: Record<number, string> = keys === undefined ? {} : { [args.length - 1]: keys };
  add(
    `ops.${name}`,
    () => args.map((one) => (Array.isArray(one) ? [...(one as unknown[])] : typeof one === "object" ? { ...one } : one)),
    (...given: unknown[]) =>
      rnn.forward(
        new Op((context, x) => {
          const result = op(context, ...given.map((one) => made(context, x, one))) ?? x;
          return Array.isArray(result) ? rnn.ops.concat(context, result, 0) : result;
        }),
        some(2, 2),
        { backend: on },
      ),
    keysOf,
  );
  add(
    `ops.${name} without a context`,
    () => [],
    (context, x) => op(context, x, x, x),
  );
}
add(
  "ops.batchNorm's statistics",
  () => [vector, vector],
  (mean, variance) =>
    rnn.forward(
      new Op((context, x) => {
        const of = (one: unknown) => made(context, x, one);
        return rnn.ops.batchNorm(context, x, { mean: wrong(of(mean)), variance: wrong(of(variance)) });
      }),
      some(2, 2),
      { backend: on },
    ),
);
