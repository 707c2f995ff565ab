// Models in one file: every module comes back with every option, computes the same bits, and says what a file cannot hold.
import { beforeAll, describe, expect, it } from "vitest";
import * as rnn from "webgpu-rnn";
import {
  createBackend,
  CustomRNN,
  defineCell,
  forward,
  loadModel,
  Module,
  RnnError,
  saveModel,
  type Backend,
  type ModelInputs,
} from "webgpu-rnn";
import * as language from "webgpu-rnn/language";
import { leaky, numbers, sizeOf } from "../device/support.ts";
import { drawLayer, layerOf } from "../device/random-layers.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("cpu", { wasm: false });
});

const cell = defineCell(leaky);
const cells = { leaky: cell };
const some = (...shape: number[]): rnn.Tensor => ({ shape, data: numbers(sizeOf(shape), shape.length) });
const ids = (...shape: number[]): rnn.Tensor => ({ shape, data: Int32Array.from({ length: sizeOf(shape) }, (_, i) => i % 5) });

interface Case {
  readonly kind: abstract new (...args: never[]) => Module;
  /** Places of the options among the constructor's arguments; undefined if it has none. */
  readonly at?: number;
  readonly args: readonly unknown[];
  readonly input: rnn.Tensor | ModelInputs;
}
const windows: readonly { readonly padding?: unknown; readonly [name: string]: unknown }[] = [
  {},
  { stride: 2, padding: 1, dilation: 2 },
  { padding: "causal" },
  { padding: "same" },
  { padding: [0, 1], layout: "channelsLast" },
] as const;
const small = () => new rnn.GRU(3, 4, { seed: 3 });
const decoder = (options: object = {}) => new language.Decoder({ vocabulary: 5, memorySize: 4, rnn: new rnn.LSTM(3, 4), ...options });

const cases: Case[] = [
  ...[true, false].map((bias) => ({ kind: rnn.Linear, at: 2, args: [3, 4, { bias }], input: some(2, 3) })),
  { kind: rnn.Embedding, at: 2, args: [5, 3, {}], input: ids(4, 2) },
  ...[{}, { variational: true }, { variational: true, batchFirst: true }].map((options) => ({
    kind: rnn.Dropout,
    at: 1,
    args: [0.4, options],
    input: some(4, 2, 3),
  })),
  ...windows.flatMap((options) => [
    { kind: rnn.Conv1d, at: 3, args: [4, 4, 2, { ...options, groups: 2, bias: options.padding !== 1 }], input: some(2, 4, 4) },
    { kind: rnn.MaxPool1d, at: 1, args: [2, options], input: some(2, 4, 4) },
    { kind: rnn.AvgPool1d, at: 1, args: [2, { ...options, countPadding: options.padding !== 1 }], input: some(2, 4, 4) },
  ]),
  ...[{}, { eps: 0.5 }, { affine: false }, { bias: false }].map((options) => ({
    kind: rnn.LayerNorm,
    at: 1,
    args: [[2, 3], options],
    input: some(4, 2, 3),
  })),
  { kind: rnn.LayerNorm, args: [3], input: some(2, 3) },
  ...[{}, { eps: 0.5, momentum: 0.3 }, { affine: false }].map((options) => ({
    kind: rnn.BatchNorm1d,
    at: 1,
    args: [3, options],
    input: some(4, 3, 2),
  })),
  ...[rnn.Sigmoid, rnn.Tanh, rnn.ReLU, rnn.Softmax, rnn.LogSoftmax].map((kind) => ({ kind, args: [], input: some(2, 3) })),
  { kind: rnn.Residual, args: [new rnn.Linear(3, 3)], input: some(2, 3) },
  { kind: rnn.Sequential, at: 1, args: [[small(), new rnn.Linear(4, 2)], {}], input: some(5, 2, 3) },
  { kind: rnn.Sequential, at: 1, args: [{ "01": small(), __proto__x: new rnn.Tanh() }, {}], input: some(5, 2, 3) },
  { kind: rnn.Sequential, args: [Object.fromEntries([["__proto__", small()]])], input: some(5, 2, 3) },
  ...["ends", "lastStep"].flatMap((of) =>
    [{}, { bidirectional: true }].map((options) => ({
      kind: rnn.LastStep,
      at: 1,
      args: [new rnn.GRU(3, 4, options), { of }],
      input: some(5, 2, 3),
    })),
  ),
  ...(
    [
      { forgetGate: "exponential", forgetBias: 2, heads: 2 },
      { forgetGate: "sigmoid", bias: "input" },
    ] as const
  ).map((options) => ({ kind: rnn.SLSTM, at: 2, args: [3, 4, options], input: some(5, 2, 3) })),
  ...[rnn.MinGRU, rnn.MinLSTM].flatMap((kind) =>
    [
      { bias: false, candidate: "linear" },
      { bias: true, bidirectional: true, merge: "sum" },
    ].map((options) => ({ kind, at: 2, args: [3, 4, options], input: some(5, 2, 3) })),
  ),
  { kind: CustomRNN, at: 3, args: [cell, 3, 4, { bidirectional: true }], input: some(5, 2, 3) },
  ...["additive", "dot", "general"].map((score) => ({
    kind: language.Attention,
    at: 2,
    args: [4, 4, { score, ...(score === "additive" && { features: 3 }) }],
    input: { input: some(3, 2, 4), further: { memory: some(5, 2, 4) } },
  })),
  {
    kind: language.Decoder,
    at: 0,
    args: [{ vocabulary: 5, memorySize: 4, rnn: new rnn.LSTM(3, 4, { projSize: 2 }), score: "additive", dropout: 0.5 }],
    input: { input: ids(3, 2), further: { memory: some(4, 2, 4) } },
  },
  {
    kind: language.Seq2Seq,
    at: 0,
    args: [{ encoder: new rnn.Sequential([new rnn.Embedding(5, 3), small()]), decoder: decoder() }],
    input: { input: ids(4, 2), further: { target: ids(3, 2) } },
  },
];

/** Constructors that need no values are called here. */
const make = ({ kind, args }: Pick<Case, "kind" | "args">): Module =>
  new (kind as unknown as new (...args: readonly unknown[]) => Module)(...args);

const bits = (tensors: Readonly<Record<string, rnn.Tensor>>): unknown =>
  Object.entries(tensors).map(([name, { shape, data }]) => [
    name,
    [...shape],
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
  ]);

/** All that a model computes, and the description of it. */
async function whole(model: Module, input: rnn.Tensor | ModelInputs): Promise<unknown> {
  const runs = await Promise.all(
    [false, true].map(async (training) => {
      const { output, state, further } = await forward(model, input, { backend, training, seed: 7 });
      return bits({ output, ...state, ...further });
    }),
  );
  return [runs, bits(await model.stateDict())];
}

const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, one: unknown) => (one instanceof Module ? one.describe() : one)));

async function expectSame(model: Module, input: rnn.Tensor | ModelInputs): Promise<void> {
  const again = await loadModel(await saveModel(model, { cells }), { cells });
  expect(again.constructor).toBe(model.constructor);
  expect(plain(again.describe())).toEqual(plain(model.describe()));
  expect(await whole(again, input)).toEqual(await whole(model, input));
}

describe("a saved model", () => {
  it("comes back as it was, whichever module and option", async () => {
    for (const one of cases) await expectSame(make(one), one.input);
  });

  const classes = [...Object.entries(rnn), ...Object.entries(language)].filter(
    (entry): entry is [string, Case["kind"]] => typeof entry[1] === "function" && entry[1].prototype instanceof Module,
  );

  it("is tried for every public module", () => {
    const recurrent = ["RNN", "GRU", "LSTM"];
    const untried = classes
      .map(([name]) => name)
      .filter((name) => !recurrent.includes(name) && !cases.some(({ kind }) => kind.name === name));
    expect(untried).toEqual([]);
  });

  it("is tried for every option that a module has", () => {
    const common =
      /numLayers|variational|recurrentInit|inputInit|normaliz|zoneout|recurrentDropout|dropout|reverse|merge|batchFirst|bias|bidirectional|projSize|seed/;
    const isRecurrent = (kind: Case["kind"]): boolean => "numLayers" in (make(cases.find((one) => one.kind === kind)!) as object);
    for (const [name, kind] of classes) {
      const own = cases.filter((one) => one.kind === kind && one.at !== undefined);
      const [first] = own;
      if (first === undefined) continue;
      const known = optionsOf(first).filter((option) => !["seed", "scheduledSampling"].includes(option));
      const tried = new Set(own.flatMap(({ args, at }) => Object.keys(args[at!] as object)));
      expect([name, known.filter((option) => !tried.has(option) && !(isRecurrent(kind) && common.test(option)))]).toEqual([name, []]);
    }
  });

  it("comes back as it was, whichever options a recurrent layer has", async () => {
    const seen = new Map<string, Set<string>>();
    let tried = 0;
    for (let seed = 1; tried < 250; seed++) {
      const drawn = drawLayer(seed);
      let model: Module;
      try {
        model = layerOf({ ...drawn, sizes: [3, 2, 3, 8] });
      } catch {
        continue;
      }
      tried++;
      const names = seen.get(drawn.cell) ?? new Set();
      seen.set(drawn.cell, names);
      Object.keys(drawn.options).forEach((name) => names.add(name));
      const again = await loadModel(await saveModel(model, { cells }), { cells });
      expect(plain(again.describe())).toEqual(plain(model.describe()));
      if (tried % 5 !== 0) continue;
      const input = some(drawn.options.batchFirst ? 2 : 3, drawn.options.batchFirst ? 3 : 2, 3);
      const [one, other] = await Promise.all([model, again].map((which) => forward(which, input, { backend, training: tried % 2 === 0 })));
      expect(bits({ output: other.output, ...other.state })).toEqual(bits({ output: one.output, ...one.state }));
    }
    for (const [kind, names] of seen) {
      if (kind === "custom") continue;
      const known = optionsOf({ kind: rnn[kind as "GRU"], args: [2, 3, {}], at: 2, input: some(1, 1, 2) });
      expect([kind, known.filter((name) => !names.has(name))]).toEqual([kind, []]);
    }
  });
});

/** The names of a constructor's options, which it says when it gets another. */
function optionsOf({ kind, args, at }: Case): string[] {
  const message = problemOf(() => make({ kind, args: args.map((one, i) => (i === at ? { ...(one as object), "?": 1 } : one)) }));
  return /known options are (.*)$/.exec(message)![1].split(", ");
}

function problemOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(RnnError);
    return (error as RnnError).message;
  }
  return expect.fail("it was accepted");
}
