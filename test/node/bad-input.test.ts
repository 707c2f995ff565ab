// Whatever is wrong with an argument, the answer is an RnnError that names it, says what was expected and what came,
// and comes before anything is recorded. (Training and checkpoints: trainer-bad-input.test.ts.)
import { beforeAll, describe, expect, it } from "vitest";
import * as rnn from "webgpu-rnn/static";
import type { Backend, Module } from "webgpu-rnn";

let backend: Backend;
beforeAll(async () => {
  backend = await rnn.createBackend("cpu");
});

/** For values that the types forbid: callers may be JavaScript. */
const wrong = (value: unknown): never => value as never;

type Case = readonly [name: string, call: () => unknown, kind: rnn.ErrorKind, message: string | RegExp];

/** Fails unless the call is refused like that. */
async function expectRefusal(call: () => unknown, kind: rnn.ErrorKind, message: string | RegExp): Promise<void> {
  let error: unknown;
  try {
    await call();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(rnn.RnnError);
  const found = error as rnn.RnnError;
  if (typeof message === "string") expect(found.message).toBe(message);
  else expect(found.message).toMatch(message);
  expect(found.kind).toBe(kind);
}

const refuses = (cases: readonly Case[]): void => {
  it.each(cases)("%s", (_, call, kind, message) => expectRefusal(call, kind, message));
};

const numbers = (...shape: number[]): rnn.Tensor => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((p, n) => p * n, 1) }, (_, i) => Math.sin(i)),
});
const ids = (shape: number[], ...data: number[]): rnn.Tensor => ({ shape, data: Int32Array.from(data) });
const characterModel = (): Module =>
  new rnn.Sequential({ embedding: new rnn.Embedding(5, 3), rnn: new rnn.LSTM(3, 4), linear: new rnn.Linear(4, 5) });

it('createBackend takes options alone, as for "auto"', async () => {
  expect(await rnn.createBackend({ precision: "float64" })).toMatchObject({
    kind: "cpu",
    precision: "float64",
    reason: "float64 exists on the CPU only",
  });
});

describe("createBackend refuses", () => {
  refuses([
    [
      "an unknown kind",
      () => rnn.createBackend(wrong("gpu")),
      "option",
      'createBackend: kind must be "auto" or "cpu" or "webgpu", got "gpu"',
    ],
    [
      "options in the place of both",
      () => rnn.createBackend(wrong({}), {}),
      "option",
      'createBackend: kind must be "auto" or "cpu" or "webgpu", got an Object',
    ],
    [
      "an unknown option alone",
      () => rnn.createBackend(wrong({ selftest: true })),
      "option",
      'createBackend: unknown option "selftest"; did you mean "selfTest"?',
    ],
    [
      "an unknown option",
      () => rnn.createBackend("cpu", wrong({ precison: "float64" })),
      "option",
      'createBackend: unknown option "precison"; did you mean "precision"?',
    ],
    [
      "an unknown precision",
      () => rnn.createBackend("cpu", { precision: wrong("float16") }),
      "option",
      'createBackend: precision must be "float32" or "float64", got "float16"',
    ],
    [
      "half a thread",
      () => rnn.createBackend("cpu", { threads: 1.5 }),
      "option",
      "createBackend: threads must be an integer of at least 1, got 1.5",
    ],
    [
      "threads without WebAssembly",
      () => rnn.createBackend("cpu", { threads: 2, wasm: false }),
      "option",
      "createBackend: threads must be 1 with wasm: false, got 2; only the WebAssembly kernels have threads",
    ],
    [
      "threads in float64",
      () => rnn.createBackend("cpu", { threads: 2, precision: "float64" }),
      "option",
      'createBackend: threads must be 1 with precision: "float64", got 2; only the WebAssembly kernels have threads',
    ],
    [
      "float64 on WebGPU",
      () => rnn.createBackend("webgpu", { precision: "float64" }),
      "option",
      /^createBackend: precision must be "float32" on WebGPU/,
    ],
    ["options that are none", () => rnn.createBackend("cpu", wrong(3)), "option", "createBackend: options must be an object, got 3"],
    [
      "shaders that are no object",
      () => rnn.createBackend("cpu", { shaders: wrong("adam") }),
      "option",
      'createBackend: shaders must be an object of WGSL by path, got "adam"',
    ],
    [
      "a shader that is no text",
      () => rnn.createBackend("cpu", { shaders: { adam: wrong(5) } }),
      "option",
      'createBackend: shaders must be WGSL by path, got 5 for "adam"',
    ],
    [
      "a profile without an end",
      () => rnn.createBackend("cpu", { profile: wrong(cyclic()) }),
      "format",
      "createBackend: profile must have at most 20 lists and objects within each other",
    ],
  ]);
});

describe("layers refuse", () => {
  const { LSTM, GRU, RNN, Linear, Embedding, Dropout, Sequential } = rnn;
  refuses([
    [
      "no sizes",
      () => new LSTM(wrong(undefined), wrong(undefined)),
      "option",
      "LSTM: inputSize must be an integer of at least 1, got undefined",
    ],
    ["a size of 0", () => new GRU(3, 0), "option", "GRU: hiddenSize must be an integer of at least 1, got 0"],
    ["half a unit", () => new RNN(3, 2.5), "option", "RNN: hiddenSize must be an integer of at least 1, got 2.5"],
    ["text for a size", () => new Linear(wrong("3"), 2), "option", 'Linear: inFeatures must be an integer of at least 1, got "3"'],
    ["NaN for a size", () => new Linear(3, NaN), "option", "Linear: outFeatures must be an integer of at least 1, got NaN"],
    ["negative ids", () => new Embedding(-1, 2), "option", "Embedding: numEmbeddings must be an integer of at least 1, got -1"],
    [
      "infinite width",
      () => new Embedding(1, Infinity),
      "option",
      "Embedding: embeddingDim must be an integer of at least 1, got Infinity",
    ],
    [
      "an unknown option",
      () => new LSTM(3, 4, wrong({ layers: 2 })),
      "option",
      /^LSTM: unknown option "layers"; did you mean "numLayers"\?/,
    ],
    ["an option of another cell", () => new RNN(3, 4, wrong({ reset: "after" })), "option", /^RNN: unknown option "reset"/],
    ["0 layers", () => new LSTM(3, 4, { numLayers: 0 }), "option", "LSTM: numLayers must be an integer of at least 1, got 0"],
    ["text for a switch", () => new LSTM(3, 4, { bias: wrong("yes") }), "option", 'LSTM: bias must be true, false or "input", got "yes"'],
    ["1 for a switch", () => new GRU(3, 4, { batchFirst: wrong(1) }), "option", "GRU: batchFirst must be true or false, got 1"],
    [
      "null for a switch",
      () => new GRU(3, 4, { bidirectional: wrong("no") }),
      "option",
      'GRU: bidirectional must be true or false, got "no"',
    ],
    [
      "dropout above 1",
      () => new LSTM(3, 4, { numLayers: 2, dropout: 1.5 }),
      "option",
      "LSTM: dropout must be a finite number of at least 0 and at most 1, got 1.5",
    ],
    [
      "dropout with nothing to act between",
      () => new LSTM(3, 4, { dropout: 0.5 }),
      "option",
      /^LSTM: dropout acts between layers and needs numLayers of at least 2/,
    ],
    [
      "an unknown reset",
      () => new GRU(3, 4, { reset: wrong("during") }),
      "option",
      'GRU: reset must be "after" or "before" or "none", got "during"',
    ],
    [
      "an unknown update gate",
      () => new GRU(3, 4, { updateGate: wrong("forgets") }),
      "option",
      'GRU: updateGate must be "keeps" or "writes", got "forgets"',
    ],
    [
      "an unknown nonlinearity",
      () => new RNN(3, 4, { nonlinearity: wrong("sigmoid") }),
      "option",
      'RNN: nonlinearity must be "tanh" or "relu", got "sigmoid"',
    ],
    [
      "a bias that is not there",
      () => new LSTM(3, 4, { forgetBias: 1, bias: false }),
      "option",
      "LSTM: forgetBias needs a bias, which bias: false leaves out",
    ],
    [
      "a bias of a gate that is not there",
      () => new LSTM(3, 4, { forgetBias: 1, forgetGate: "coupled" }),
      "option",
      'LSTM: forgetBias needs forgetGate: "gate", got "coupled", which has no bias of its own',
    ],
    [
      "unknown first recurrent weights",
      () => new RNN(3, 4, { recurrentInit: wrong("zeros") }),
      "option",
      'RNN: recurrentInit must be "uniform" or "orthogonal" or "identity", got "zeros"',
    ],
    [
      "unknown first input weights",
      () => new RNN(3, 4, { inputInit: wrong("xavier") }),
      "option",
      'RNN: inputInit must be "uniform" or "glorotUniform" or "glorotNormal", got "xavier"',
    ],
    [
      "an unknown forget gate",
      () => new LSTM(3, 4, { forgetGate: wrong("off") }),
      "option",
      'LSTM: forgetGate must be "gate" or "coupled" or "none", got "off"',
    ],
    [
      "an unknown output activation",
      () => new LSTM(3, 4, { outputActivation: wrong("relu") }),
      "option",
      'LSTM: outputActivation must be "tanh" or "identity", got "relu"',
    ],
    [
      "an activation of another name, with the one that is meant",
      () => new LSTM(3, 4, { activations: { gates: wrong("hard_sigmoid") } }),
      "option",
      'LSTM.activations.gates: must be the name of a function or { name, alpha, beta }, got "hard_sigmoid"; did you mean "HardSigmoid"?',
    ],
    [
      "an activation that no name is near to",
      () => new GRU(3, 4, { activations: { candidate: wrong("gelu2000") } }),
      "option",
      /^GRU\.activations\.candidate: must be .*, got "gelu2000"; known are Sigmoid, Tanh, Relu, HardSigmoid, /,
    ],
    [
      "an activation that is no function's name",
      () => new LSTM(3, 4, { activations: { output: wrong(7) } }),
      "option",
      /^LSTM\.activations\.output: .*got 7/,
    ],
    [
      "a role that the cell has not",
      () => new RNN(3, 4, { activations: wrong({ gates: "Tanh" }) }),
      "option",
      /^RNN\.activations: unknown option "gates"/,
    ],
    [
      "a list of activations",
      () => new LSTM(3, 4, { activations: wrong(["Sigmoid"]) }),
      "option",
      /^LSTM\.activations\[0\]: options must be an object/,
    ],
    [
      "activations for a direction that is missing",
      () => new GRU(3, 4, { activations: wrong([{ gates: "Tanh" }, {}]) }),
      "option",
      "GRU: a pair of activations needs two directions and bidirectional: true, got 2 entries and bidirectional: false",
    ],
    [
      "activations for three directions",
      () => new GRU(3, 4, { bidirectional: true, activations: wrong([{}, {}, {}]) }),
      "option",
      "GRU: a pair of activations needs two directions and bidirectional: true, got 3 entries and bidirectional: true",
    ],
    [
      "an unknown activation of the second direction",
      () => new LSTM(3, 4, { bidirectional: true, activations: [{}, { gates: wrong("Swish") }] }),
      "option",
      /^LSTM\.activations\[1\]\.gates: must be the name of a function .*, got "Swish"/,
    ],
    [
      "a parameter that an activation has not",
      () => new GRU(3, 4, { activations: { gates: wrong({ name: "Tanh", alpha: 1 }) } }),
      "option",
      "GRU.activations.gates: Tanh has no alpha, got 1",
    ],
    [
      "an activation without a parameter that it needs",
      () => new GRU(3, 4, { activations: { candidate: wrong({ name: "Affine", alpha: 1 }) } }),
      "option",
      /^GRU\.activations\.candidate: beta of Affine must be a finite number/,
    ],
    [
      "an activation whose value does not tell its slope",
      () => new RNN(3, 4, { activations: { candidate: { name: "LeakyRelu", alpha: -0.1 } } }),
      "option",
      "RNN.activations.candidate: alpha of LeakyRelu must be a finite number of at least 0, got -0.1",
    ],
    [
      "an activation that is always 0",
      () => new LSTM(3, 4, { activations: { output: { name: "ScaledTanh", alpha: 0, beta: 1 } } }),
      "option",
      "LSTM.activations.output: alpha of ScaledTanh must not be 0, which makes every value 0",
    ],
    [
      "two spellings of one activation",
      () => new RNN(3, 4, { nonlinearity: "relu", activations: { candidate: "Tanh" } }),
      "option",
      "RNN: nonlinearity is short for activations.candidate; give one of them",
    ],
    [
      "an update gate that writes by a function that does not say what it keeps",
      () => new GRU(3, 4, { updateGate: "writes", activations: { gates: "Softsign" } }),
      "option",
      /^GRU: updateGate: "writes" needs activations\.gates with 1 - f\(a\) = f\(-a\).*got Softsign$/,
    ],
    ["a clip of 0", () => new LSTM(3, 4, { clip: 0 }), "option", "LSTM: clip must be a finite number above 0, got 0"],
    [
      "a clip at which a function is infinite in float32",
      () => new RNN(3, 4, { clip: 3e38, activations: { candidate: { name: "Affine", alpha: 10, beta: 0 } } }),
      "option",
      /^RNN: activations\.candidate at the ends of clip must be a finite number/,
    ],
    ["a number for peepholes", () => new LSTM(3, 4, { peepholes: wrong(1) }), "option", "LSTM: peepholes must be true or false, got 1"],
    ["NaN for a bias", () => new LSTM(3, 4, { forgetBias: NaN }), "option", "LSTM: forgetBias must be a finite number, got NaN"],
    ["a negative seed", () => new LSTM(3, 4, { seed: -1 }), "option", "LSTM: seed must be an integer of at least 0, got -1"],
    [
      "a fraction of a seed",
      () => new Embedding(3, 4, { seed: 0.5 }),
      "option",
      "Embedding: seed must be an integer of at least 0, got 0.5",
    ],
    [
      "a probability below 0",
      () => new Dropout(-0.1),
      "option",
      "Dropout: p must be a finite number of at least 0 and at most 1, got -0.1",
    ],
    [
      "a probability as text",
      () => new Dropout(wrong("0.5")),
      "option",
      'Dropout: p must be a finite number of at least 0 and at most 1, got "0.5"',
    ],
    [
      "more than any memory holds",
      () => new Linear(1e9, 1e9),
      "limit",
      "Linear: weight [1000000000, 1000000000] would have 1.00e+18 numbers, and 268435456 is the limit",
    ],
    ["an empty list of modules", () => new Sequential([]), "option", "Sequential: needs at least one module"],
    [
      "no modules",
      () => new Sequential(wrong(undefined)),
      "option",
      "Sequential: modules must be an object of modules, or a list, got undefined",
    ],
    ["what is no module", () => new Sequential({ rnn: wrong(3) }), "option", 'Sequential: "rnn" must be a module, got 3'],
    [
      "one module twice",
      () => {
        const layer = new Linear(3, 3);
        return new Sequential([layer, layer]);
      },
      "option",
      'Sequential: "1" is in this model already; use another module, or compose() to call one twice',
    ],
    [
      "one module twice, further down",
      () => {
        const layer = new Linear(3, 3);
        return new Sequential({ a: new Sequential([layer]), b: new Sequential([new Linear(3, 3), layer]) });
      },
      "option",
      /^Sequential: "b" is in this model already/,
    ],
    [
      "an unknown option of a list",
      () => new Sequential([new Linear(1, 1)], wrong({ sead: 1 })),
      "option",
      'Sequential: unknown option "sead"; did you mean "seed"?',
    ],
    [
      "two modules without a list",
      () => new Sequential(wrong(new Linear(1, 1)), wrong(new Linear(1, 1))),
      "option",
      "Sequential: modules must be a list or an object of modules, got a Linear; write new Sequential([first, second])",
    ],
    [
      "names that JavaScript reorders",
      () => new Sequential({ 0: new Linear(1, 2), act: new rnn.Tanh(), 1: new Linear(2, 1) }),
      "option",
      "Sequential: names in an object must be words, since JavaScript puts numbers first and in their order; a list names its modules 0, 1, …",
    ],
    [
      "numbers that JavaScript reorders",
      () => new Sequential({ 2: new Linear(1, 2), 1: new Linear(2, 1) }),
      "option",
      "Sequential: names in an object must be words, since JavaScript puts numbers first and in their order; a list names its modules 0, 1, …",
    ],
    [
      "a name with a dot",
      () => new Sequential({ "a.b": new Linear(1, 2) }),
      "option",
      'Sequential: names of parts must be words without dots, got "a.b"',
    ],
    [
      "layers that disagree about the batch's axis",
      () => new Sequential([new LSTM(3, 4, { batchFirst: true }), new Linear(4, 4), new GRU(4, 4)]),
      "option",
      'Sequential: "2" has batchFirst: false, but the layers before it have true; in one model all must agree',
    ],
    [
      "layers that disagree, further inside",
      () =>
        rnn.compose(
          { a: new Sequential([new Linear(3, 3), new GRU(3, 3)]), b: new rnn.LastStep(new GRU(3, 3, { batchFirst: true })) },
          ({ a, b }, x) => b(a(x)),
        ),
      "option",
      /^compose: "b" has batchFirst: true, but the layers before it have false/,
    ],
    [
      "a dropout that disagrees with its layer",
      () => new Sequential([new GRU(3, 4), new Dropout(0.5, { variational: true, batchFirst: true })]),
      "option",
      /^Sequential: "1" has batchFirst: true/,
    ],
    ["a billion layers", () => new LSTM(1, 1, { numLayers: 1e9 }), "limit", "LSTM: numLayers must be at most 1024, got 1000000000"],
    [
      "a layer of a billion units",
      () => new RNN(1, 1e9),
      "limit",
      /^RNN: all its parameters together would have 1\.00e\+18 numbers, and 268435456 is the limit$/,
    ],
    [
      "statistics of many steps",
      () => new GRU(1, 1, { normalization: "batch", normalizedSteps: 3e8 }),
      "limit",
      /^GRU: all its parameters together would have 3600000018 numbers/,
    ],
    [
      "more ids than fit",
      () => new Embedding(2 ** 31, 2),
      "limit",
      "Embedding: weight [2147483648, 2] would have 4294967296 numbers, and 268435456 is the limit",
    ],
    [
      "orthogonal weights that would take hours",
      () => new RNN(1, 8000, { recurrentInit: "orthogonal" }),
      "limit",
      "orthogonal: the smaller side of a block must be at most 2048, got 8000",
    ],
    ["no units, of an LSTM", () => new LSTM(3, 0), "option", "LSTM: hiddenSize must be an integer of at least 1, got 0"],
    [
      "null for an option",
      () => new LSTM(3, 4, { seed: wrong(null) }),
      "option",
      "LSTM: seed must not be null; leave out what is not wanted",
    ],
    ["a Map for options", () => new LSTM(3, 4, wrong(new Map([["numLayers", 2]]))), "option", "LSTM: options must be an object, got a Map"],
    [
      "a composition of what is no module",
      () => rnn.compose({ a: wrong(null) }, (_, x) => x),
      "option",
      'compose: "a" must be a module, got null',
    ],
    [
      "a composition without a function",
      () => rnn.compose({ a: new Linear(1, 1) }, wrong("a")),
      "option",
      'compose: connect must be a function, got "a"',
    ],
  ]);
});

describe("names of other libraries are recognised", () => {
  const { LSTM, adam, sgd, rmsprop, adamw } = rnn;
  it.each<[string, () => unknown, string]>([
    ["lr", () => adam(wrong({ lr: 1 })), "learningRate"],
    ["learning_rate", () => sgd(wrong({ learning_rate: 1 })), "learningRate"],
    ["weight_decay", () => adamw(wrong({ weight_decay: 1 })), "weightDecay"],
    ["betas", () => adam(wrong({ betas: [0.9, 0.99] })), "beta1"],
    ["beta_1", () => adam(wrong({ beta_1: 0.9 })), "beta1"],
    ["epsilon", () => adam(wrong({ epsilon: 1 })), "eps"],
    ["rho", () => rmsprop(wrong({ rho: 1 })), "alpha"],
    ["momentun", () => sgd(wrong({ momentun: 1 })), "momentum"],
    ["num_layers", () => new LSTM(1, 1, wrong({ num_layers: 2 })), "numLayers"],
    ["batch_first", () => new LSTM(1, 1, wrong({ batch_first: true })), "batchFirst"],
    ["BatchFirst", () => new LSTM(1, 1, wrong({ BatchFirst: true })), "batchFirst"],
    ["use_bias", () => new LSTM(1, 1, wrong({ use_bias: true })), "bias"],
    ["proj_size", () => new LSTM(1, 1, wrong({ proj_size: 1 })), "projSize"],
    ["recurrent_dropout", () => new LSTM(1, 1, wrong({ recurrent_dropout: 1 })), "recurrentDropout"],
    ["unit_forget_bias", () => new LSTM(1, 1, wrong({ unit_forget_bias: 1 })), "forgetBias"],
    ["batch_size", () => rnn.TextData.from("abc", wrong({ batch_size: 1 })), "batch"],
    ["T_max", () => rnn.cosine(wrong({ T_max: 1 })), "totalSteps"],
  ])("%s", (_, call, meant) => {
    expect(call).toThrow(`; did you mean "${meant}"?`);
  });

  it("in words where there is no such option", () => {
    expect(() => new LSTM(1, 1, wrong({ return_sequences: true }))).toThrow(
      'LSTM: unknown option "return_sequences"; all steps are the output, and LastStep gives the last one; known options are',
    );
    expect(() => new LSTM(1, 1, wrong({ hidden_size: 2 }))).toThrow("sizes are the first arguments");
    expect(() => new LSTM(1, 1, wrong({ qqqq: 2 }))).toThrow('unknown option "qqqq"; known options are numLayers, ');
  });
});

describe("messages stay short", () => {
  it.each<[string, () => unknown]>([
    ["a text of a million characters", () => rnn.tensor(wrong("x".repeat(1e6)))],
    ["one as an option", () => rnn.adam({ learningRate: wrong("x".repeat(1e6)) })],
    ["one as a name", () => rnn.adam(wrong({ ["x".repeat(1e6)]: 1 }))],
    ["one as a file", () => rnn.decodeSafetensors(wrong("x".repeat(1e6)))],
    [
      "ten thousand unknown names",
      () => new rnn.Linear(1, 1).loadStateDict(Object.fromEntries(Array.from({ length: 1e4 }, (_, i) => [`n${i}`, rnn.tensor([1])]))),
    ],
    ["a huge bigint", () => new rnn.Linear(wrong(10n ** 5000n), 1)],
    [
      "nested lists",
      () =>
        new rnn.Linear(
          wrong(Array.from({ length: 12 }, () => Array.from({ length: 12 }, () => Array.from({ length: 12 }, () => "xxxxxxxxxxxx")))),
          1,
        ),
    ],
  ])("that quote %s", (_, call) => {
    let message = "";
    try {
      call();
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/^\w+: /);
    expect(message.length).toBeLessThan(600);
  });
});

describe("layers refuse options that do not go together", () => {
  const { LSTM, GRU, RNN, Dropout, CustomRNN, LastStep, Linear } = rnn;
  const own = rnn.defineCell({
    name: "leak",
    gateNames: ["h"],
    wgsl: "fn forward(x: Gates, recurrent: Gates, hPrevious: f32, cPrevious: f32) -> CellForward { return CellForward(x, x.h, 0.0); } fn backward(gates: Gates, hPrevious: f32, h: f32, cPrevious: f32, c: f32, dh: f32, dc: f32) -> CellBackward { return CellBackward(Gates(dh), Gates(dh), 0.0, 0.0); }",
    forward: ([x], [r]) => ({ gates: [x + r], h: x + r, c: 0 }),
    backward: (_g, _p, _h, _q, _c, dh) => ({ dGates: [dh], dRecurrent: [dh], dhPrevious: 0, dcPrevious: 0 }),
  });
  const batch = { normalization: "batch", normalizedSteps: 10 } as const;
  refuses([
    [
      "merge with one direction",
      () => new GRU(3, 4, { merge: "sum" }),
      "option",
      "GRU: merge says what becomes of two directions and needs bidirectional: true",
    ],
    [
      "an unknown merge",
      () => new GRU(3, 4, { bidirectional: true, merge: wrong("max") }),
      "option",
      'GRU: merge must be "concat" or "sum" or "mul" or "average" or "none", got "max"',
    ],
    ["peepholes of a cell without memory", () => new GRU(3, 4, wrong({ peepholes: true })), "option", /^GRU: unknown option "peepholes"/],
    ["a projection of a cell without memory", () => new RNN(3, 4, wrong({ projSize: 2 })), "option", /^RNN: unknown option "projSize"/],
    ["a projection that is none", () => new LSTM(3, 4, { projSize: 4 }), "option", "LSTM: projSize must be below hiddenSize, 4, got 4"],
    [
      "a projection to less than nothing",
      () => new LSTM(3, 4, { projSize: -1 }),
      "option",
      "LSTM: projSize must be an integer of at least 0, got -1",
    ],
    [
      "an unknown normalization",
      () => new LSTM(3, 4, { normalization: wrong("group") }),
      "option",
      'LSTM: normalization must be "none" or "layer" or "batch", got "group"',
    ],
    [
      "batch normalization of unknown length",
      () => new LSTM(3, 4, { normalization: "batch" }),
      "option",
      'LSTM: normalization "batch" needs normalizedSteps, the number of steps with running statistics of their own',
    ],
    [
      "steps of no batch normalization",
      () => new LSTM(3, 4, { normalization: "layer", normalizedSteps: 9 }),
      "option",
      'LSTM: normalizedSteps needs normalization "batch", got "layer"',
    ],
    [
      "statistics of half a step",
      () => new LSTM(3, 4, { normalization: "batch", normalizedSteps: 0.5 }),
      "option",
      "LSTM: normalizedSteps must be an integer of at least 1, got 0.5",
    ],
    [
      "normalization between two products",
      () => new GRU(3, 4, { reset: "before", normalization: "layer" }),
      "option",
      'GRU: normalization needs reset: "after" or "none"; with "before" the gates stand between two products',
    ],
    [
      "zoneout between two products",
      () => new GRU(3, 4, { reset: "before", zoneout: 0.1 }),
      "option",
      /^GRU: zoneout needs reset: "after" or "none"/,
    ],
    [
      "recurrent dropout between two products",
      () => new GRU(3, 4, { reset: "before", recurrentDropout: 0.1 }),
      "option",
      /^GRU: recurrentDropout needs reset: "after" or "none"/,
    ],
    [
      "normalization and peepholes",
      () => new LSTM(3, 4, { peepholes: true, normalization: "layer" }),
      "option",
      "LSTM: normalization and peepholes do not go together: gates would see the memory before and after its norm",
    ],
    [
      "normalization and a projection",
      () => new LSTM(3, 4, { projSize: 2, ...batch }),
      "option",
      "LSTM: normalization and projSize do not go together",
    ],
    [
      "zoneout and a projection",
      () => new LSTM(3, 4, { projSize: 2, zoneout: 0.1 }),
      "option",
      "LSTM: zoneout and projSize do not go together",
    ],
    [
      "recurrent dropout and a projection",
      () => new LSTM(3, 4, { projSize: 2, recurrentDropout: 0.1 }),
      "option",
      "LSTM: recurrentDropout and projSize do not go together",
    ],
    [
      "zoneout of c and peepholes",
      () => new LSTM(3, 4, { peepholes: true, zoneout: 0.1 }),
      "option",
      "LSTM: zoneout of c and peepholes do not go together: o would see a c that is not the state; use zoneout: { h }",
    ],
    [
      "zoneout of a memory that is not there",
      () => new GRU(3, 4, { zoneout: { c: 0.1 } }),
      "option",
      "GRU: zoneout of c needs a cell with a memory, which is the LSTM's",
    ],
    [
      "zoneout of what is no state",
      () => new LSTM(3, 4, { zoneout: wrong({ o: 0.1 }) }),
      "option",
      'LSTM.zoneout: unknown option "o"; known options are h, c',
    ],
    [
      "zoneout above 1",
      () => new LSTM(3, 4, { zoneout: 1.1 }),
      "option",
      "LSTM: zoneout of h must be a finite number of at least 0 and at most 1, got 1.1",
    ],
    ["zoneout as text", () => new LSTM(3, 4, { zoneout: wrong("0.1") }), "option", /^LSTM.zoneout: options must be an object/],
    [
      "zoneout of a cell of one's own",
      () => new CustomRNN(own, 3, 4, { zoneout: 0.1 }),
      "option",
      /^CustomRNN: zoneout needs stateOf in what defineCell was given/,
    ],
    [
      "recurrent dropout below 0",
      () => new RNN(3, 4, { recurrentDropout: -0.1 }),
      "option",
      "RNN: recurrentDropout must be a finite number of at least 0 and at most 1, got -0.1",
    ],
    [
      "a variational dropout of nothing",
      () => new LSTM(3, 4, { numLayers: 2, variational: true }),
      "option",
      "LSTM: variational says how dropout between layers acts and needs dropout above 0",
    ],
    [
      "an axis of a dropout that has none",
      () => new Dropout(0.1, { batchFirst: true }),
      "option",
      "Dropout: batchFirst says which axis is time and needs variational: true",
    ],
    [
      "the last step of what has none",
      () => new LastStep(wrong(new Linear(1, 1))),
      "option",
      /^LastStep: takes a recurrent layer such as an LSTM, got /,
    ],
    [
      "lengths beyond the sequence",
      () => rnn.forward(new LSTM(1, 2), { input: numbers(3, 2, 1), lengths: [3, 4] }, { backend }),
      "data",
      /^inputs: lengths/,
    ],
    [
      "lengths of other rows",
      () => rnn.forward(new LSTM(1, 2), { input: numbers(3, 2, 1), lengths: [3] }, { backend }),
      "shape",
      /^inputs: lengths must hold one number per row of the batch, 2, got 1/,
    ],
    [
      "a variational dropout of a vector",
      () => rnn.forward(new Dropout(0.1, { variational: true }), numbers(3, 2), { backend }),
      "shape",
      "Dropout: a variational one takes [steps, batch, ·], got [3, 2]",
    ],
    [
      "batch normalization by the loop",
      () => rnn.forward(new LSTM(1, 2, batch), numbers(3, 2, 1), { backend, strategy: "loop" }),
      "limit",
      /^l0: strategy "loop" has a workgroup for each row, and batch normalization needs all rows at each step; use "step"/,
    ],
    [
      "normalization in half precision",
      () => rnn.forward(new LSTM(1, 2, { normalization: "layer" }), numbers(3, 2, 1), { backend, storage: "float16" }),
      "option",
      /^l0: storage "float16" is not for layers with normalization, zoneout or recurrentDropout/,
    ],
    [
      "batch normalization of one row in training",
      () => rnn.gradients(new LSTM(1, 2, batch), numbers(3, 1, 1), { output: numbers(3, 1, 2) }, { backend, training: true }),
      "shape",
      "l0: batch normalisation needs a batch of at least 2 rows in training, got 1, which has no variance",
    ],
    [
      "the gradient flow of a projection",
      () =>
        rnn.gradientFlow(
          new LSTM(1, 3, { projSize: 2 }),
          { input: numbers(3, 2, 1), targets: numbers(3, 2, 2) },
          { backend, loss: rnn.squaredError() },
        ),
      "option",
      "l0: a projected layer is computed as one whose state is m_t = o⊙tanh(c_t), so gradientFlow does not see its h_t",
    ],
    [
      "the gradient flow of batch normalization",
      () =>
        rnn.gradientFlow(
          new LSTM(1, 2, batch),
          { input: numbers(3, 2, 1), targets: numbers(3, 2, 2) },
          { backend, loss: rnn.squaredError() },
        ),
      "option",
      /^normalization: gradientFlow runs each step by itself, but "batch" has statistics of each step/,
    ],
  ]);
});

describe("losses refuse", () => {
  refuses([
    [
      "an unknown option",
      () => rnn.crossEntropy(wrong({ reductions: "mean" })),
      "option",
      'crossEntropy: unknown option "reductions"; did you mean "reduction"?',
    ],
    [
      "an unknown reduction",
      () => rnn.crossEntropy({ reduction: wrong("none") }),
      "option",
      'crossEntropy: reduction must be "mean" or "sum", got "none"',
    ],
    ["a fraction to ignore", () => rnn.crossEntropy({ ignoreIndex: 0.5 }), "option", /^crossEntropy: ignoreIndex must be an integer/],
    [
      "an index to ignore that is no integer of 32 bits",
      () => rnn.crossEntropy({ ignoreIndex: 2 ** 32 }),
      "option",
      "crossEntropy: ignoreIndex must be an integer of at least -2147483648 and at most 2147483647, got 4294967296",
    ],
    [
      "an unknown reduction of squares",
      () => rnn.squaredError({ reduction: wrong("none") }),
      "option",
      'squaredError: reduction must be "mean" or "sum" or "halfSum", got "none"',
    ],
    [
      "an unknown reduction of bits",
      () => rnn.binaryCrossEntropy({ reduction: wrong("halfSum") }),
      "option",
      'binaryCrossEntropy: reduction must be "mean" or "sum", got "halfSum"',
    ],
  ]);
});

describe("optimisers and schedules refuse", () => {
  const { sgd, adam, adamw, nadam, rmsprop, constant, stepDecay, cosine } = rnn;
  refuses([
    ["PyTorch's short name", () => adam(wrong({ lr: 0.1 })), "option", /^adam: unknown option "lr"; did you mean "learningRate"\?$/],
    [
      "a negative learning rate",
      () => sgd({ learningRate: -1 }),
      "option",
      "sgd: learningRate must be a finite number of at least 0, got -1",
    ],
    [
      "NaN for a learning rate",
      () => adamw({ learningRate: NaN }),
      "option",
      "adamw: learningRate must be a finite number of at least 0, got NaN",
    ],
    [
      "text for a learning rate",
      () => rmsprop({ learningRate: wrong("0.1") }),
      "option",
      'rmsprop: learningRate must be a finite number of at least 0, got "0.1"',
    ],
    ["a beta of 1", () => adam({ beta1: 1 }), "option", "adam: beta1 must be at least 0 and below 1, got 1"],
    ["a negative beta", () => adam({ beta2: -0.1 }), "option", "adam: beta2 must be a finite number of at least 0, got -0.1"],
    [
      "a negative momentum decay",
      () => nadam({ momentumDecay: -1 }),
      "option",
      "nadam: momentumDecay must be a finite number of at least 0, got -1",
    ],
    ["NAdam's option for Adam", () => adam(wrong({ momentumDecay: 0.004 })), "option", /^adam: unknown option "momentumDecay"/],
    ["an eps of 0", () => adam({ eps: 0 }), "option", "adam: eps must be a finite number above 0, got 0"],
    [
      "negative weight decay",
      () => adamw({ weightDecay: -1 }),
      "option",
      "adamw: weightDecay must be a finite number of at least 0, got -1",
    ],
    ["negative momentum", () => sgd({ momentum: -0.9 }), "option", "sgd: momentum must be a finite number of at least 0, got -0.9"],
    ["Nesterov without momentum", () => sgd({ nesterov: true }), "option", "sgd: nesterov needs a momentum above 0 and no dampening"],
    ["text for a switch", () => rmsprop({ centered: wrong("yes") }), "option", 'rmsprop: centered must be true or false, got "yes"'],
    [
      "an infinite constant",
      () => constant(Infinity),
      "option",
      "constant: learningRate must be a finite number of at least 0, got Infinity",
    ],
    [
      "steps of no length",
      () => stepDecay({ learningRate: 1, stepSize: 0 }),
      "option",
      "stepDecay: stepSize must be an integer of at least 1, got 0",
    ],
    ["no options", () => stepDecay(wrong(undefined)), "option", "stepDecay: options must be an object, got undefined"],
    ["no options for a cosine", () => cosine(wrong(undefined)), "option", "cosine: options must be an object, got undefined"],
    [
      "a warm-up longer than all",
      () => cosine({ learningRate: 1, warmupSteps: 10, totalSteps: 10 }),
      "option",
      "cosine: totalSteps must be an integer of at least 11, got 10",
    ],
    [
      "an unknown option",
      () => cosine(wrong({ learningRate: 1, totalSteps: 10, min: 0 })),
      "option",
      'cosine: unknown option "min"; did you mean "minimum"?',
    ],
  ]);
});

const cyclic = (): unknown[] => {
  const list: unknown[] = [];
  list.push(list);
  return list;
};
const shared = (): unknown => [1, 2, 3].reduce<unknown>((rows) => new Array<unknown>(1000).fill(rows), new Array<number>(1000).fill(0));

describe("tensor refuses", () => {
  refuses([
    [
      "rows of different lengths",
      () => rnn.tensor([[1, 2], [3]]),
      "shape",
      "tensor: values must have rows of equal lengths; the first one at depth 1 has 2, another 1",
    ],
    [
      "rows whose lengths only add up",
      () => rnn.tensor([[1, 2], [3], [4, 5, 6]]),
      "shape",
      "tensor: values must have rows of equal lengths; the first one at depth 1 has 2, another 1",
    ],
    [
      "numbers beside rows",
      () => rnn.tensor([[1, 2], 3]),
      "shape",
      "tensor: values must be numbers in rows of equal depth, got 3 at depth 1",
    ],
    [
      "rows beside numbers",
      () => rnn.tensor([1, [2]]),
      "shape",
      "tensor: values must be numbers in rows of equal depth, got [2] at depth 1",
    ],
    [
      "text",
      () => rnn.tensor(wrong("12")),
      "shape",
      'tensor: values must be a tensor { shape, data }, a typed array or nested lists of numbers, got "12"',
    ],
    ["text inside", () => rnn.tensor(wrong([1, "2"])), "data", 'tensor: values must be numbers, got "2" at index 1'],
    [
      "a shape that does not fit",
      () => rnn.tensor([1, 2, 3], [2, 2]),
      "shape",
      "tensor: values of shape [2, 2] must hold 4 numbers, got 3",
    ],
    [
      "a negative shape",
      () => rnn.tensor(Float32Array.of(1), [-1, -1]),
      "shape",
      "tensor: values of shape [-1, -1] must hold 1 numbers, got 1",
    ],
    [
      "bytes without a type",
      () => rnn.tensor(wrong(new ArrayBuffer(4))),
      "shape",
      "tensor: values must be a tensor { shape, data }, a typed array or nested lists of numbers, got an ArrayBuffer",
    ],
    [
      "a list in itself",
      () => rnn.tensor(wrong(cyclic())),
      "limit",
      "tensor: values must be nested at most 16 deep; does a list contain itself?",
    ],
    [
      "lists that share rows and would be 10^12 numbers",
      () => rnn.tensor(wrong(shared())),
      "limit",
      "tensor: values must be a typed array if it has more than 67108864 numbers, got lists of [1000, 1000, 1000, 1000]",
    ],
    [
      "a list with nothing in it but a length",
      () => rnn.tensor(new Array<number>(4e9)),
      "limit",
      /^tensor: values must be a typed array if it has more than 67108864 numbers/,
    ],
    [
      "what float32 makes infinite",
      () => rnn.tensor([1, 1e300]),
      "data",
      "tensor: values must be finite numbers up to 3.4e38, as float32 holds them, got 1e+300 at index 1",
    ],
    [
      "bigints",
      () => rnn.tensor(wrong([1n])),
      "data",
      "tensor: values must be numbers, got the bigint 1n at index 0; Number() makes a number of it",
    ],
  ]);
});

describe("forward refuses", () => {
  const lstm = (): Module => new rnn.LSTM(28, 4);
  const run =
    (input: unknown, options: object = {}, model = lstm()) =>
    () =>
      rnn.forward(model, wrong(input), { backend, ...options });
  refuses([
    ["a wrong size", run(numbers(35, 16, 27)), "shape", "LSTM: input must be [steps, batch, 28], got [35, 16, 27]"],
    ["a wrong rank", run(numbers(1, 2, 3, 28)), "shape", "LSTM: input must be [steps, batch, 28], got [1, 2, 3, 28]"],
    [
      "a wrong rank, batch first",
      run(numbers(28), {}, new rnn.GRU(28, 4, { batchFirst: true })),
      "shape",
      "GRU: input must be [batch, steps, 28], got [28]",
    ],
    ["a wrong width", run(numbers(2, 3), {}, new rnn.Linear(4, 1)), "shape", "Linear: input must be [any, 4], got [2, 3]"],
    ["no time steps", run(numbers(0, 16, 28)), "shape", "inputs: input must have no dimension of size 0, got [0, 16, 28]"],
    ["no rows", run(numbers(3, 0, 28)), "shape", "inputs: input must have no dimension of size 0, got [3, 0, 28]"],
    [
      "data that do not fill the shape",
      run({ shape: [2, 3, 28], data: new Float32Array(7) }),
      "shape",
      "inputs: input of shape [2, 3, 28] must hold 168 numbers, got 7",
    ],
    ["a row of plain numbers", run({ input: [1, 2, 3] }), "shape", "LSTM: input must be [steps, batch, 28], got [3]"],
    ["nothing", run(undefined), "shape", /^inputs: input must be a tensor .*, got undefined$/],
    ["null", run(null), "shape", /^inputs: input must be a tensor .*, got null$/],
    ["a number", run(3), "shape", /^inputs: input must be a tensor .*, got 3$/],
    [
      "NaN",
      run({ shape: [1, 1, 28], data: new Float32Array(28).fill(NaN, 5) }),
      "data",
      "inputs: input must be finite numbers, got NaN at index 5",
    ],
    [
      "infinity",
      run({ shape: [1, 1, 28], data: new Float32Array(28).fill(-Infinity, 27) }),
      "data",
      "inputs: input must be finite numbers, got -Infinity at index 27",
    ],
    [
      "an id out of range",
      run(ids([1, 2], 1, 5), {}, characterModel()),
      "data",
      "inputs: input must be integers from 0 to 4, got 5 at index 1",
    ],
    [
      "a negative id",
      run(ids([1, 2], -1, 0), {}, characterModel()),
      "data",
      "inputs: input must be integers from 0 to 4, got -1 at index 0",
    ],
    [
      "a fraction of an id",
      run({ shape: [1, 1], data: Float32Array.of(0.5) }, {}, characterModel()),
      "data",
      "inputs: input must be integers from 0 to 4, got 0.5 at index 0",
    ],
    [
      "NaN for an id",
      run({ shape: [1, 1], data: Float32Array.of(NaN) }, {}, characterModel()),
      "data",
      "inputs: input must be integers from 0 to 4, got NaN at index 0",
    ],
    [
      "ids of a wrong rank",
      run(ids([1, 1, 3], 1, 2, 3), {}, characterModel()),
      "shape",
      "LSTM: input must be [steps, batch, 3], got [1, 1, 3, 3]",
    ],
    [
      "an unknown input",
      run({ input: numbers(1, 1, 28), hidden: 1 }),
      "option",
      'inputs: unknown option "hidden"; known options are input, state, lengths, stepMask, further',
    ],
    [
      "an unknown state",
      run({ input: numbers(1, 2, 28), state: { h0: numbers(1, 2, 4) } }),
      "option",
      'state: this model has no state "h0"; its states are "h", "c"',
    ],
    [
      "a state of a wrong size",
      run({ input: numbers(1, 2, 28), state: { h: numbers(1, 3, 4) } }),
      "shape",
      'state: "h" must be [1, 2, 4], got [1, 3, 4]',
    ],
    [
      "a state of a wrong rank",
      run({ input: numbers(1, 2, 28), state: { c: numbers(2, 4) } }),
      "shape",
      'state: "c" must be [1, 2, 4], got [2, 4]',
    ],
    [
      "NaN in a state",
      run({ input: numbers(1, 1, 28), state: { h: { shape: [1, 1, 4], data: Float32Array.of(0, 0, NaN, 0) } } }),
      "data",
      'inputs: state "h" must be finite numbers, got NaN at index 2',
    ],
    ["a state that is none", run({ input: numbers(1, 1, 28), state: { h: 3 } }), "shape", /^inputs: state "h" must be a tensor/],
    [
      "too few lengths",
      run({ input: numbers(3, 2, 28), lengths: [1] }),
      "shape",
      "inputs: lengths must hold one number per row of the batch, 2, got 1",
    ],
    [
      "lengths beyond the steps",
      run({ input: numbers(3, 2, 28), lengths: [1, 4] }),
      "data",
      "inputs: lengths must be integers from 0 to 3, got 4 at index 1",
    ],
    ["lengths that are none", run({ input: numbers(3, 2, 28), lengths: 3 }), "data", "inputs: lengths must be a list of numbers, got 3"],
    ["an unknown option", run(numbers(1, 1, 28), { train: true }), "option", 'forward: unknown option "train"; did you mean "training"?'],
    ["text for a switch", run(numbers(1, 1, 28), { training: "yes" }), "option", 'forward: training must be true or false, got "yes"'],
    ["recompute that is no boolean", run(numbers(1, 1, 28), { recompute: 1 }), "option", "forward: recompute must be true or false, got 1"],
    [
      "an unknown storage",
      run(numbers(1, 1, 28), { storage: "float8" }),
      "option",
      'forward: storage must be "float32" or "float16", got "float8"',
    ],
    [
      "an unknown strategy",
      run(numbers(1, 1, 28), { strategy: "fused" }),
      "option",
      'forward: strategy must be "scan" or "loop" or "wavefront" or "step", got "fused"',
    ],
    ["a fraction of a seed", run(numbers(1, 1, 28), { seed: 0.5 }), "option", "forward: seed must be an integer of at least 0, got 0.5"],
    ["no backend", run(numbers(1, 1, 28), { backend: undefined }), "option", "backend: must come from createBackend, got undefined"],
    [
      "a promise of a backend",
      () => rnn.forward(lstm(), numbers(1, 1, 28), { backend: wrong(rnn.createBackend("cpu")) }),
      "option",
      "backend: must come from createBackend, got a Promise",
    ],
    [
      "no options for its memory",
      () => rnn.plannedMemory(lstm(), numbers(1, 1, 28), wrong(undefined)),
      "option",
      "plannedMemory: options must be an object, got undefined",
    ],
    [
      "null for the options of its memory",
      () => rnn.plannedMemory(lstm(), numbers(1, 1, 28), wrong(null)),
      "option",
      "plannedMemory: options must be an object, got null",
    ],
    [
      "an unknown option of its memory",
      () => rnn.plannedMemory(lstm(), numbers(1, 1, 28), wrong({ backend, gradient: true })),
      "option",
      'plannedMemory: unknown option "gradient"; did you mean "gradients"?',
    ],
    [
      "the memory of no model",
      () => rnn.plannedMemory(wrong(undefined), numbers(1, 1, 28), { backend }),
      "option",
      "model: must be a Module, got undefined",
    ],
    [
      "no options",
      () => rnn.forward(lstm(), numbers(1, 1, 28), wrong(undefined)),
      "option",
      "forward: options must be an object, got undefined",
    ],
    ["no model", () => rnn.forward(wrong(undefined), numbers(1, 1, 28), { backend }), "option", "model: must be a Module, got undefined"],
  ]);
});

describe("gradients refuses", () => {
  const run =
    (cotangents: unknown, options: object = {}) =>
    () =>
      rnn.gradients(new rnn.GRU(2, 3), numbers(4, 1, 2), wrong(cotangents), { backend, ...options });
  refuses([
    ["a wrong size", run({ output: numbers(4, 1, 2) }), "shape", "cotangents: output must be [4, 1, 3], got [4, 1, 2]"],
    [
      "NaN",
      run({ output: { shape: [4, 1, 3], data: new Float32Array(12).fill(NaN, 3, 4) } }),
      "data",
      "cotangents: output must be finite numbers, got NaN at index 3",
    ],
    ["an unknown state", run({ state: { c: numbers(1, 1, 3) } }), "option", 'cotangents: this model has no state "c"'],
    ["a state of a wrong size", run({ state: { h: numbers(1, 3) } }), "shape", 'cotangents: state "h" must be [1, 1, 3], got [1, 3]'],
    ["an unknown name", run({ outputs: numbers(4, 1, 3) }), "option", 'cotangents: unknown option "outputs"; did you mean "output"?'],
    ["nothing", run(undefined), "option", "cotangents: options must be an object, got undefined"],
    ["an unknown option", run({}, { sed: 1 }), "option", 'gradients: unknown option "sed"; did you mean "seed"?'],
  ]);
});

describe("verify refuses", () => {
  refuses([
    [
      "a wrong size",
      () => rnn.verify(new rnn.RNN(2, 3), { input: numbers(1, 1, 3) }, { backend }),
      "shape",
      "RNN: input must be [steps, batch, 2], got [1, 1, 3]",
    ],
    [
      "a negative tolerance",
      () => rnn.verify(new rnn.RNN(2, 3), { input: numbers(1, 1, 2) }, { backend, atol: -1 }),
      "option",
      "verify: atol must be a finite number of at least 0, got -1",
    ],
    [
      "an unknown option",
      () => rnn.verify(new rnn.RNN(2, 3), { input: numbers(1, 1, 2) }, wrong({ backend, tolerance: 1 })),
      "option",
      /^verify: unknown option "tolerance"/,
    ],
    [
      "no options",
      () => rnn.verify(new rnn.RNN(2, 3), { input: numbers(1, 1, 2) }, wrong(undefined)),
      "option",
      "verify: options must be an object, got undefined",
    ],
    [
      "no backend",
      () => rnn.verify(new rnn.RNN(2, 3), { input: numbers(1, 1, 2) }, wrong({})),
      "option",
      "backend: must come from createBackend, got undefined",
    ],
    [
      "no inputs",
      () => rnn.verify(new rnn.RNN(2, 3), wrong(undefined), { backend }),
      "shape",
      /^inputs: input must be a tensor .*, got undefined$/,
    ],
  ]);
});

describe("generate refuses", () => {
  const vocabulary = new rnn.Vocabulary(Array.from("abcde"));
  const run =
    (options: object, model = characterModel()) =>
    () =>
      rnn.generate(model, wrong({ backend, vocabulary, prompt: "ab", length: 1, ...options }));
  const tokens =
    (prompt: unknown, options: object = {}) =>
    async () => {
      for await (const piece of rnn.generateTokens(characterModel(), wrong(prompt), { backend, ...options }))
        expect.fail(`it drew ${piece.length} tokens`);
    };
  refuses([
    [
      "a character that the model does not know",
      run({ prompt: "abx" }),
      "data",
      'Vocabulary: "x" at position 2 is not among the 5 known characters',
    ],
    ["an empty prompt", run({ prompt: "" }), "data", "generate: prompt must have at least one token"],
    ["a prompt that is no text", run({ prompt: 3 }), "data", "Vocabulary: text must be a string, got 3"],
    [
      "another vocabulary",
      run({ vocabulary: new rnn.Vocabulary(["a"]) }),
      "option",
      "generate: vocabulary must have the model's 5 characters, got 1",
    ],
    ["no vocabulary", run({ vocabulary: undefined }), "option", "generate: vocabulary must be a Vocabulary, got undefined"],
    ["a listener that cannot be called", run({ onText: "log" }), "option", 'generate: onText must be a function, got "log"'],
    ["a negative length", run({ length: -1 }), "option", "generate: length must be an integer of at least 0, got -1"],
    ["a fraction of a length", run({ length: 1.5 }), "option", "generate: length must be an integer of at least 0, got 1.5"],
    ["a negative temperature", run({ temperature: -1 }), "option", "generate: temperature must be a finite number of at least 0, got -1"],
    ["NaN for a temperature", run({ temperature: NaN }), "option", "generate: temperature must be a finite number of at least 0, got NaN"],
    ["the likeliest 0", run({ topK: 0 }), "option", "generate: topK must be an integer of at least 1, got 0"],
    ["a negative seed", run({ seed: -5 }), "option", "generate: seed must be an integer of at least 0, got -5"],
    ["an unknown option", run({ maxLength: 3 }), "option", /^generate: unknown option "maxLength"/],
    ["no backend", run({ backend: undefined }), "option", "backend: must come from createBackend, got undefined"],
    ["no options", () => rnn.generate(characterModel(), wrong(undefined)), "option", "generate: options must be an object, got undefined"],
    ["no model", () => rnn.generate(wrong(null), { backend, vocabulary }), "option", "model: must be a Module, got null"],
    [
      "a model that reads numbers",
      run({}, new rnn.LSTM(3, 5)),
      "option",
      "generate: needs a model whose input is ids: one that starts with an Embedding",
    ],
    [
      "a model that gives something else than logits",
      run({}, new rnn.Sequential([new rnn.Embedding(5, 3), new rnn.Linear(3, 4)])),
      "shape",
      /^generate: the model must give one logit per id, 5, got \[1, 1, 4\]$/,
    ],
    ["ids out of range", tokens([1, 5]), "data", "generate: prompt must be integers from 0 to 4, got 5 at index 1"],
    ["a fraction of an id", tokens([0.5]), "data", "generate: prompt must be integers from 0 to 4, got 0.5 at index 0"],
    ["no ids", tokens([]), "data", "generate: prompt must have at least one token"],
    ["ids that are none", tokens(undefined), "data", "generate: prompt must be a list of ids, got undefined"],
  ]);
});

describe("a loss or an optimiser by itself refuses", () => {
  const parameters = { w: numbers(2, 3) };
  const steps =
    (gradients: unknown, options: object = {}) =>
    () =>
      rnn.optimizerSteps(rnn.sgd(), parameters, wrong(gradients), { backend, ...options });
  refuses([
    [
      "no loss",
      () => rnn.lossAndGradient(wrong(undefined), { prediction: numbers(1), targets: numbers(1) }, { backend }),
      "option",
      "lossAndGradient: loss must come from crossEntropy() or another loss function, got undefined",
    ],
    [
      "no inputs",
      () => rnn.lossAndGradient(rnn.squaredError(), wrong(undefined), { backend }),
      "option",
      "inputs: options must be an object, got undefined",
    ],
    [
      "no options for a loss",
      () => rnn.lossAndGradient(rnn.squaredError(), { prediction: numbers(1), targets: numbers(1) }, wrong(undefined)),
      "option",
      "lossAndGradient: options must be an object, got undefined",
    ],
    [
      "no backend for a loss",
      () => rnn.lossAndGradient(rnn.squaredError(), { prediction: numbers(1), targets: numbers(1) }, wrong({})),
      "option",
      "backend: must come from createBackend, got undefined",
    ],
    [
      "targets of a wrong size",
      () => rnn.lossAndGradient(rnn.crossEntropy(), { prediction: numbers(2, 3), targets: ids([3], 0, 1, 2) }, { backend }),
      "shape",
      "crossEntropy: targets must be [2], got [3]",
    ],
    [
      "a class out of range",
      () => rnn.lossAndGradient(rnn.crossEntropy(), { prediction: numbers(2, 3), targets: ids([2], 0, 3) }, { backend }),
      "data",
      "crossEntropy: targets must be integers from 0 to 2, got 3 at index 1",
    ],
    [
      "NaN in the prediction",
      () =>
        rnn.lossAndGradient(
          rnn.squaredError(),
          { prediction: { shape: [1], data: Float32Array.of(NaN) }, targets: numbers(1) },
          { backend },
        ),
      "data",
      "squaredError: prediction must be finite numbers, got NaN at index 0",
    ],
    [
      "infinity in a target",
      () =>
        rnn.lossAndGradient(
          rnn.squaredError(),
          { prediction: numbers(1), targets: { shape: [1], data: Float32Array.of(Infinity) } },
          { backend },
        ),
      "data",
      "squaredError: targets must be finite numbers, got Infinity at index 0",
    ],
    [
      "a probability above 1",
      () =>
        rnn.lossAndGradient(
          rnn.binaryCrossEntropy(),
          { prediction: numbers(2), targets: { shape: [2], data: Float32Array.of(1, 1.5) } },
          { backend },
        ),
      "data",
      "binaryCrossEntropy: targets must be from 0 to 1, got 1.5 at index 1",
    ],
    [
      "a mask of a wrong size",
      () => rnn.lossAndGradient(rnn.squaredError(), { prediction: numbers(2), targets: numbers(2), mask: numbers(3) }, { backend }),
      "shape",
      "squaredError: mask must be [2], got [3]",
    ],
    [
      "a negative weight in the mask",
      () =>
        rnn.lossAndGradient(rnn.squaredError(), { prediction: numbers(2), targets: numbers(2), mask: rnn.tensor([1, -0.5]) }, { backend }),
      "data",
      "squaredError: mask must be finite numbers of at least 0, got -0.5 at index 1",
    ],
    [
      "logits without an axis",
      () => rnn.lossAndGradient(rnn.crossEntropy(), { prediction: numbers(), targets: ids([], 0) }, { backend }),
      "shape",
      "crossEntropy: prediction must be [..., classes], got []",
    ],
    [
      "logits of no class",
      () => rnn.lossAndGradient(rnn.crossEntropy(), { prediction: numbers(2, 0), targets: ids([2], 0, 0) }, { backend }),
      "shape",
      "crossEntropy: prediction must be [..., classes], got [2, 0]",
    ],
    [
      "a gradient of a wrong size",
      steps([{ w: numbers(3, 2) }]),
      "shape",
      'optimizerSteps: gradient "w" of step 0 must be [2, 3], got [3, 2]',
    ],
    [
      "a missing gradient",
      steps([{ w: numbers(2, 3) }, {}]),
      "shape",
      /^optimizerSteps: gradient "w" of step 1 must be a tensor .*, got undefined$/,
    ],
    [
      "NaN in a gradient",
      steps([{ w: { shape: [2, 3], data: new Float32Array(6).fill(NaN, 4) } }]),
      "data",
      'optimizerSteps: gradient "w" of step 0 must be finite numbers, got NaN at index 4',
    ],
    [
      "a gradient of what is no parameter",
      steps([{ w: numbers(2, 3), v: numbers(1) }]),
      "option",
      'optimizerSteps: gradients of step 0 have "v", which is no parameter',
    ],
    ["no gradients", steps(undefined), "option", "optimizerSteps: gradients must be a list with a set for each step, got undefined"],
    [
      "null for the gradients of a step",
      steps([null]),
      "option",
      "optimizerSteps: gradients of step 0 must be an object of tensors by name, got null",
    ],
    [
      "no optimiser",
      () => rnn.optimizerSteps(wrong(undefined), parameters, [], { backend }),
      "option",
      "optimizerSteps: optimizer must come from adam() or another optimiser function, got undefined",
    ],
    [
      "an optimiser that was not called",
      () => rnn.optimizerSteps(wrong(rnn.sgd), parameters, [], { backend }),
      "option",
      "optimizerSteps: optimizer must come from adam() or another optimiser function, got a function",
    ],
    [
      "no parameters",
      () => rnn.optimizerSteps(rnn.sgd(), wrong(null), [], { backend }),
      "option",
      "optimizerSteps: parameters must be an object of tensors by name, got null",
    ],
    [
      "a parameter that is no tensor",
      () => rnn.optimizerSteps(rnn.sgd(), wrong({ w: null }), [], { backend }),
      "shape",
      /^optimizerSteps: parameter "w" must be a tensor .*, got null$/,
    ],
    [
      "no options",
      () => rnn.optimizerSteps(rnn.sgd(), parameters, [], wrong(undefined)),
      "option",
      "optimizerSteps: options must be an object, got undefined",
    ],
    ["no backend", steps([], { backend: undefined }), "option", "backend: must come from createBackend, got undefined"],
    ["a negative norm", steps([], { clipNorm: -1 }), "option", "optimizerSteps: clipNorm must be a finite number above 0, got -1"],
    ["NaN for a limit", steps([], { clipValue: NaN }), "option", "optimizerSteps: clipValue must be a finite number above 0, got NaN"],
    ["text for a norm", steps([], { clipNorm: "1" }), "option", 'optimizerSteps: clipNorm must be a finite number above 0, got "1"'],
    ["an unknown option", steps([], { clip: 1 }), "option", 'optimizerSteps: unknown option "clip"; did you mean "clipNorm"?'],
  ]);
});

describe("gradientFlow refuses", () => {
  const batch = { input: numbers(3, 1, 2), targets: numbers(3, 1, 2) };
  const run =
    (change: object, options: object = {}) =>
    () =>
      rnn.gradientFlow(new rnn.GRU(2, 2), wrong({ ...batch, ...change }), wrong({ backend, loss: rnn.squaredError(), ...options }));
  refuses([
    ["a state that is none", run({ state: { h: null } }), "shape", /^inputs: state "h" must be a tensor .*, got null$/],
    ["a state of a wrong rank", run({ state: { h: numbers(2) } }), "shape", 'state: "h" must be [1, 1, 2], got [2]'],
    ["an unknown state", run({ state: { c: numbers(1, 1, 2) } }), "option", 'state: this model has no state "c"; its states are "h"'],
    [
      "a further input that the model has not",
      run({ further: { memory: null } }),
      "option",
      'inputs.further: unknown option "memory"; known options are none',
    ],
    [
      "NaN in the mask",
      run({ mask: { shape: [3, 1, 2], data: new Float32Array(6).fill(NaN, 5) } }),
      "data",
      "squaredError: mask must be finite numbers of at least 0, got NaN at index 5",
    ],
    [
      "a negative weight in the mask",
      run({ mask: { shape: [3, 1, 2], data: new Float32Array(6).fill(-1) } }),
      "data",
      "squaredError: mask must be finite numbers of at least 0, got -1 at index 0",
    ],
  ]);
});

describe("loadStateDict refuses", () => {
  refuses(
    [null, undefined, "x"].map((dict) => [
      `${dict}`,
      () => new rnn.Linear(1, 1).loadStateDict(wrong(dict)),
      "format",
      `loadStateDict: the state dictionary must be an object of tensors by name, got ${dict === "x" ? '"x"' : dict}`,
    ]),
  );
});

describe("logProbability refuses", () => {
  const batch = rnn.sentenceBatch(
    [
      [1, 2],
      [3, 4],
    ],
    { end: 0 },
  );
  const { shape } = batch.targets;
  const run =
    (change: object, model = characterModel()) =>
    () =>
      rnn.logProbability(model, wrong({ ...batch, ...change }), { backend });
  const masked = (...first: number[]): object => ({ mask: { shape, data: Float32Array.from({ length: 8 }, (_, i) => first[i] ?? 1) } });
  refuses([
    ["a half in the mask", run(masked(1, 0.5)), "data", "logProbability: mask must be integers from 0 to 1, got 0.5 at index 1"],
    ["a 2 in the mask", run(masked(2)), "data", "logProbability: mask must be integers from 0 to 1, got 2 at index 0"],
    [
      "a negative weight in the mask",
      run(masked(-1)),
      "data",
      "crossEntropy: mask must be finite numbers of at least 0, got -1 at index 0",
    ],
    [
      "a mask of zeros",
      run({ mask: { shape, data: new Float32Array(8) } }),
      "data",
      "logProbability: targets must have at least one token that counts, got none",
    ],
    [
      "no target that counts",
      run({ targets: { shape, data: new Int32Array(8).fill(-100) } }),
      "data",
      "logProbability: targets must have at least one token that counts, got none",
    ],
    [
      "a mask of all that is a target",
      run({ ...masked(0, 0), targets: { shape, data: Int32Array.from({ length: 8 }, (_, i) => (i < 2 ? 1 : -100)) } }),
      "data",
      "logProbability: targets must have at least one token that counts, got none",
    ],
    [
      "a model without steps in its output",
      run(
        { targets: ids([2], 1, 2) },
        new rnn.Sequential([new rnn.Embedding(5, 3), new rnn.LastStep(new rnn.GRU(3, 4)), new rnn.Linear(4, 5)]),
      ),
      "shape",
      "logProbability: the model's output must be [steps, 2, tokens], got [2, 5]",
    ],
  ]);
});

describe("without WebGPU", () => {
  /** Runs `act` where `navigator.gpu` is this. */
  async function withGpu(gpu: unknown, act: () => Promise<void>): Promise<void> {
    const before = Object.getOwnPropertyDescriptor(globalThis, "navigator");
    Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true });
    try {
      await act();
    } finally {
      if (before) Object.defineProperty(globalThis, "navigator", before);
      else Reflect.deleteProperty(globalThis, "navigator");
    }
  }

  it("a demand for it is an error that says so, and auto takes the CPU and says why", async () => {
    await withGpu({ requestAdapter: () => Promise.resolve(null) }, async () => {
      await expectRefusal(() => rnn.createBackend("webgpu"), "device", /^WebGPU: no adapter: /);
      expect(await rnn.createBackend()).toMatchObject({ kind: "cpu", reason: expect.stringMatching(/^WebGPU: no adapter: /) as string });
    });
  });

  it("an adapter that gives no device is an error that names it", async () => {
    const adapter = {
      info: { vendor: "acme", architecture: "gpu9" },
      limits: {},
      features: new Set(),
      requestDevice: () => Promise.reject(new Error("busy")),
    };
    await withGpu({ requestAdapter: () => Promise.resolve(adapter) }, async () => {
      await expectRefusal(() => rnn.createBackend("webgpu"), "device", "WebGPU: the adapter acme gpu9 gave no device");
      expect(await rnn.createBackend("auto")).toMatchObject({ kind: "cpu", reason: "WebGPU: the adapter acme gpu9 gave no device" });
    });
  });

  it("an adapter that cannot be asked for is an error, too", async () => {
    await withGpu({ requestAdapter: () => Promise.reject(new Error("no")) }, async () => {
      await expectRefusal(() => rnn.createBackend("webgpu"), "device", /^WebGPU: /);
      expect(await rnn.createBackend()).toMatchObject({ kind: "cpu" });
    });
  });
});

it("a number that is not finite is found wherever it is in an input", async () => {
  const model = new rnn.Linear(1, 1);
  for (const bad of [NaN, Infinity, -Infinity])
    for (let length = 1; length <= 9; length++)
      for (let at = 0; at < length; at++) {
        const data = new Float32Array(length).fill(3e38);
        data[at] = bad;
        const call = (): unknown => rnn.forward(model, { shape: [1, length, 1], data }, { backend });
        await expectRefusal(call, "data", `inputs: input must be finite numbers, got ${bad} at index ${at}`);
      }
});
