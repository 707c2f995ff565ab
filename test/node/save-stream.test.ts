// Streams in files: what webgpu-rnn/stream plays has the bits of a stream of the model itself.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  AvgPool1d,
  Conv1d,
  createBackend,
  createBatcher,
  createStream,
  decodeSafetensors,
  Embedding,
  encodeSafetensors,
  forward,
  GRU,
  LayerNorm,
  Linear,
  loadModel,
  LSTM,
  MinGRU,
  MinLSTM,
  Module,
  Residual,
  RNN,
  RnnError,
  saveModel,
  saveStream,
  Sequential,
  SLSTM,
  Softmax,
  type Context,
  type Stream,
  type Tensor,
  type Variable,
} from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import * as ops from "webgpu-rnn/ops";
import * as alone from "../../src/stream.ts";
import { blocksOf, characterTcn } from "../device/causal-models.ts";
import { numbers } from "../device/support.ts";

const folder = join(import.meta.dirname, "../fixtures/models");
const imported = async (name: string): Promise<Module> => (await importModel(Uint8Array.from(readFileSync(join(folder, name))))).model;

/** A network as RTNeural describes it: kernels [taps, inputs / groups, outputs]. */
const nested = (seed: number, [size, ...rest]: readonly number[]): unknown =>
  size === undefined ? numbers(1, seed)[0] : Array.from({ length: size }, (_, i) => nested(seed * 7 + i, rest));
const convolutions = new TextEncoder().encode(
  JSON.stringify({
    in_shape: [null, null, 1],
    layers: [
      { type: "conv1d", activation: "tanh", kernel_size: [3], dilation: [2], weights: [nested(1, [3, 1, 4]), nested(2, [4])] },
      { type: "conv1d", activation: "tanh", kernel_size: [2], dilation: [5], groups: 2, weights: [nested(3, [2, 2, 4]), nested(4, [4])] },
      { type: "gru", activation: "", weights: [nested(5, [4, 9]), nested(6, [3, 9]), nested(7, [2, 9])] },
      { type: "dense", activation: "", weights: [nested(8, [3, 1]), nested(9, [1])] },
    ],
  }),
);

const models: Record<string, () => Module | Promise<Module>> = {
  "an LSTM": () => new LSTM(5, 9, { seed: 1 }),
  "GRUs, batch first": () => new Sequential({ rnn: new GRU(4, 33, { numLayers: 2, batchFirst: true, seed: 2 }), out: new Linear(33, 3) }),
  "a character model": () => new Sequential([new Embedding(11, 6), new LSTM(6, 16), new Linear(16, 11), new Softmax()], { seed: 4 }),
  "norms, a residual block and scans": () =>
    new Sequential(
      [
        new Linear(3, 8),
        new Residual(new Sequential([new LayerNorm(8), new RNN(8, 8)])),
        new MinGRU(8, 7),
        new MinLSTM(7, 6),
        new Linear(6, 1),
      ],
      { seed: 7 },
    ),
  "dilated convolutions": () =>
    new Sequential([new Linear(3, 6), ...blocksOf(6, [1, 2, 4]), new GRU(6, 5, { batchFirst: true })], { seed: 8 }),
  "a character model of convolutions": () => characterTcn(11),
  "depthwise convolutions and means": () =>
    new Sequential(
      [
        new Conv1d(4, 8, 3, { layout: "channelsLast", padding: "causal", groups: 4, dilation: 5 }),
        new AvgPool1d(2, { layout: "channelsLast", padding: "causal", stride: 1 }),
        new GRU(8, 5, { batchFirst: true }),
      ],
      { seed: 9 },
    ),
  "a projection": () => new LSTM(6, 12, { projSize: 5, seed: 11 }),
  "layer normalization": () => new LSTM(6, 12, { normalization: "layer", seed: 11 }),
  zoneout: () => new GRU(3, 5, { zoneout: 0.2, seed: 12 }),
  peepholes: () => new LSTM(3, 6, { peepholes: true, seed: 13 }),
  "the reset before the product": () => new GRU(6, 5, { reset: "before", numLayers: 2, seed: 13 }),
  "an RNN with ReLU": () => new RNN(3, 5, { nonlinearity: "relu", seed: 14 }),
  "states of its own at the beginning": () => imported("amp.nam"),
  "a file of RTNeural": () => imported("plugin.json"),
  "convolutions of RTNeural": async () => (await importModel(convolutions)).model,
};

const idsOf = ({ idCount }: Module, values: ArrayLike<number>): Float32Array =>
  Float32Array.from(values, (x) => (idCount === undefined ? x : Math.floor(((x + 1) / 2) * idCount)));

/** What a model does not say itself. */
const featuresOf = (model: Module): { features?: number } =>
  model.idCount === undefined && model.inputFeatures === undefined ? { features: 1 } : {};

async function both(model: Module, batch: number): Promise<{ played: Stream; own: Stream; file: Uint8Array<ArrayBuffer> }> {
  const features = featuresOf(model);
  const file = await saveStream(model, { batch, ...features });
  return { played: await alone.createStream(file), own: await createStream(model, { batch, ...features }), file };
}

describe.each(Object.entries(models))("a file's stream: %s", (_, make) => {
  it.each([1, 6])("has the bits of the model's stream, %i rows", async (batch) => {
    const model = await make();
    const { played, own, file } = await both(model, batch);
    expect([played.batch, played.inputSize, played.outputSize]).toEqual([batch, own.inputSize, own.outputSize]);
    const width = batch * own.inputSize;
    const frames = idsOf(model, numbers(150 * width, 3));
    for (let round = 0; round < 2; round++) {
      for (let t = 0; t < 3; t++)
        expect(played.step(frames.subarray(t * width, (t + 1) * width))).toEqual(own.step(frames.subarray(t * width, (t + 1) * width)));
      expect(played.steps(frames)).toEqual(own.steps(frames));
      expect(played.state.read()).toEqual(own.state.read());
      const rows = [...Array(batch).keys()].reverse().filter((row) => batch === 1 || row !== 1);
      const some = frames.subarray(0, rows.length * own.inputSize);
      expect(played.stepRows(rows, some)).toEqual(own.stepRows(rows, some));
      played.reset(batch - 1);
      own.reset(batch - 1);
      expect(played.state.toBytes()).toEqual(own.state.toBytes());
      own.state.fromBytes(played.state.toBytes());
      if (round === 0) [played, own].forEach((stream) => stream.reset());
    }
    const { tensors, metadata } = decodeSafetensors(file);
    const { stream, ...rest } = metadata;
    expect(JSON.parse(stream)).toMatchObject({ batch });
    // All else is what saveModel writes.
    expect({ tensors, metadata: rest }).toEqual(decodeSafetensors(await saveModel(model)));
  });
});

/** A model of which each call is a step: a frame of samples, and states between calls. */
class Detector extends Module {
  private readonly rnn = new LSTM(4, 6, { batchFirst: true, seed: 1 });
  private readonly out = new Linear(6, 2, { seed: 2 });

  constructor() {
    super();
    this.addChild("rnn", this.rnn);
    this.addChild("out", this.out);
  }

  override get batchFirst(): boolean {
    return true;
  }

  override describe(): unknown[] {
    return [];
  }

  forward(context: Context, x: Variable): Variable {
    // [1, 12] samples are three steps of four; what remains is that of the last.
    const y = this.rnn.forward(context.child("rnn"), ops.reshape(context, x, [1, 3, 4]));
    const last = ops.reshape(context, ops.slice(context, y, 1, 2, 3), [1, 1, 6]);
    return ops.exp(context, ops.clip(context, this.out.forward(context.child("out"), last), { maximum: 0.5 }));
  }
}

describe("a model of which each call is a step", () => {
  it("goes on with its states from frame to frame, in a file too", async () => {
    const model = new Detector();
    const inputShape = [1, 12];
    const file = await saveStream(model, { inputShape, modules: { Detector } });
    const [played, own] = [await alone.createStream(file), await createStream(model, { inputShape })];
    expect([played.inputSize, played.outputSize, own.inputSize]).toEqual([12, 2, 12]);
    const backend = await createBackend("cpu");
    const frames = numbers(12 * 5, 4);
    let state: Readonly<Record<string, Tensor>> = {};
    const results: number[] = [];
    for (let t = 0; t < 5; t++) {
      const data = frames.slice(12 * t, 12 * t + 12);
      const called = await forward(model, { input: { shape: inputShape, data }, state }, { backend });
      state = called.state;
      results.push(...called.output.data);
      expect(played.step(data)).toEqual(called.output.data);
      expect(own.step(data)).toEqual(called.output.data);
    }
    played.reset();
    expect([...played.steps(frames)]).toEqual(results);
    expect(played.state.read(0)).toEqual(own.state.read());
    backend.destroy();
  });

  it("has one row, and runs on the CPU", async () => {
    const refused = (options: object): Promise<unknown> => createStream(new Detector(), options).catch((error: unknown) => String(error));
    expect(await refused({ inputShape: [1, 12], batch: 2 })).toContain("batch must be 1 if inputShape is given");
    expect(await refused({ inputShape: [1, 0.5] })).toContain("each size of inputShape must be");
  });
});

/** Multiplies each number of a frame by a constant, some of which are zeros. */
class Weighted extends Module {
  private readonly out: Linear;

  constructor(private readonly size: number) {
    super();
    this.out = new Linear(size, 2, { seed: 3 });
    this.addChild("out", this.out);
  }

  override get inputFeatures(): number {
    return this.size;
  }

  override describe(): unknown[] {
    return [this.size];
  }

  forward(context: Context, x: Variable): Variable {
    const { size } = this;
    const data = Float32Array.from(numbers(size, 5), (value, i) => (i % 4096 < 2048 ? value : 0));
    return this.out.forward(context.child("out"), ops.multiply(context, x, ops.constant(context, { shape: [1, 1, size], data })));
  }
}

describe("saveStream", () => {
  it("refuses, as createStream and createBatcher do, what cannot be stepped, and each says its own name", async () => {
    const makers = { createStream, saveStream, createBatcher };
    for (const [where, make] of Object.entries(makers)) {
      const refusal = (model: unknown, options: object = {}): Promise<unknown> =>
        make(model as Module, options).then(
          () => "made",
          (error: unknown) => error,
        );
      for (const layer of [new LSTM(2, 3, { bidirectional: true }), new GRU(2, 3, { reverse: true }), new Softmax()])
        expect(await refusal(layer)).toMatchObject({ kind: "option", where });
      expect(await refusal(new LSTM(2, 3), { features: 0 })).toMatchObject({ kind: "option", where });
      expect(await refusal(new Sequential([new Embedding(4, 3), new GRU(3, 2)]), { features: 3 })).toMatchObject({ kind: "option", where });
      expect(
        await refusal(
          new Sequential([new GRU(3, 4, { batchFirst: true }), new Conv1d(4, 2, 2, { layout: "channelsLast", padding: "same" })]),
        ),
      ).toMatchObject({ kind: "option", where });
      expect(await refusal(5)).toMatchObject({ kind: "option" });
    }
    for (const inputShape of [
      [1, 0],
      [1, 2.5],
    ]) {
      expect(await createStream(new GRU(2, 3), { inputShape }).catch((error: unknown) => error)).toMatchObject({ where: "createStream" });
      expect(await saveStream(new GRU(2, 3), { inputShape }).catch((error: unknown) => error)).toMatchObject({ where: "saveStream" });
    }
  });

  it("has two functions createStream, and each tells what the other takes", async () => {
    const model = new GRU(2, 3);
    const file = await saveStream(model);
    for (const bytes of [file, file.buffer, new DataView(file.buffer)])
      await expect(createStream(bytes as never)).rejects.toThrow("createStream of webgpu-rnn/stream plays what saveStream wrote");
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error("no");
        },
      },
    );
    await expect(createStream(hostile as never)).rejects.toThrow(RnnError);
    await expect(alone.createStream(model as never)).rejects.toThrow("createStream of webgpu-rnn takes a model");
  });

  it("refuses what createStream refuses, under its own name, and cells that are not in WebAssembly", async () => {
    const refusal = (model: Module, options?: object): Promise<unknown> => saveStream(model, options).catch((error: unknown) => error);
    expect(await refusal(new LSTM(2, 3, { bidirectional: true }))).toMatchObject({ kind: "option", where: "saveStream" });
    expect(String(await refusal(new Softmax()))).toContain("saveStream: features must be given");
    expect(String(await refusal(new SLSTM(2, 4)))).toContain('layers of the cell "slstm" are in JavaScript');
    expect(String(await refusal(new LSTM(2, 3), { batch: 0 }))).toContain("saveStream: batch must be");
    expect(String(await refusal(new LSTM(2, 3), { metadata: { stream: "mine" } }))).toContain('metadata cannot be named "stream"');
  });

  it("writes a file from which loadModel makes the model", async () => {
    const model = new Sequential([new LSTM(2, 3, { seed: 1 }), new Linear(3, 1, { seed: 2 })]);
    const again = await loadModel(await saveStream(model, { metadata: { note: "a" } }));
    expect(await again.stateDict()).toEqual(await model.stateDict());
  });

  it.each(["F16", "BF16"] as const)("rounds to two bytes what it is told to, first states too: %s", async (dtype) => {
    for (const model of [new GRU(2, 3, { seed: 1 }), await imported("amp.nam")]) {
      const file = await saveStream(model, { dtype });
      const played = await alone.createStream(file);
      const own = await createStream((await importModel(file)).model);
      expect(played.state.read()).toEqual(own.state.read());
      const frames = numbers(3 * own.inputSize, 6);
      expect(played.steps(frames)).toEqual(own.steps(frames));
    }
  });

  it("writes constants of any size, since a call has a bounded number of arguments", async () => {
    for (const size of [1, 1023, 1024, 1025, 5000, 200_000]) {
      const model = new Weighted(size);
      const [played, own] = [await alone.createStream(await saveStream(model, { modules: { Weighted } })), await createStream(model)];
      const frame = numbers(size, 7);
      expect(played.step(frame)).toEqual(own.step(frame));
    }
  });
});

/** A draw of integers below `count`, the same in each run. */
function drawer(seed: number): (count: number) => number {
  let state = seed;
  return (count) => Math.floor(((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32) * count);
}

const awkward = [0, 1, -1, 3, 0.5, 65536, 2 ** 20, 2 ** 29, 2 ** 31 - 4, 2 ** 32 - 4, 2 ** 53, 1e300, "x", null, [], {}, true, "__proto__"];

/** Replaces some values somewhere in a JSON tree. */
function spoilt(value: unknown, draw: (count: number) => number): unknown {
  const places: [Record<string, unknown>, string][] = [];
  const root = { value: structuredClone(value) };
  const visit = (one: object): void => {
    for (const [key, inner] of Object.entries(one)) {
      places.push([one as Record<string, unknown>, key]);
      if (typeof inner === "object" && inner !== null) visit(inner as object);
    }
  };
  visit(root.value as object);
  for (let n = 1 + draw(3); n > 0; n--) {
    const [holder, key] = places[draw(places.length)];
    const kind = draw(4);
    if (kind === 0) Reflect.deleteProperty(holder, key);
    else if (kind === 1 && typeof holder[key] === "number") holder[key] += 4 * (draw(2001) - 1000);
    else holder[key] = awkward[draw(awkward.length)];
  }
  return root.value;
}

it("takes the values at once: what the caller does with the file afterwards changes nothing", async () => {
  const model = new Sequential([new LSTM(2, 24, { seed: 3 }), new Linear(24, 2, { seed: 4 })]);
  const file = await saveStream(model);
  const frames = numbers(2 * 20, 6);
  const expected = (await alone.createStream(file)).steps(frames);
  const changes: Readonly<Record<string, (bytes: Uint8Array<ArrayBuffer>) => void>> = {
    zeros: (bytes) => bytes.fill(0),
    "other numbers": (bytes) => bytes.fill(63, bytes.length >> 1),
    transferred: (bytes) => void structuredClone(bytes.buffer, { transfer: [bytes.buffer] }),
  };
  for (const module of [undefined, await alone.compile()])
    for (const [name, change] of Object.entries(changes)) {
      const given = file.slice();
      const making = alone.createStream(given, { module });
      change(given);
      expect((await making).steps(frames), name).toEqual(expected);
    }
  const shared = new Uint8Array(new SharedArrayBuffer(file.length));
  shared.set(file);
  expect((await alone.createStream(shared)).steps(frames)).toEqual(expected);
});

it("shows damage of longer runs at once, unless they take long", async () => {
  const file = await saveStream(new LSTM(2, 4, { seed: 2 }));
  const { tensors, metadata } = decodeSafetensors(file);
  const plan = JSON.parse(metadata.stream) as { bytes: number; longer: Record<string, { calls: unknown[] }> };
  for (const size of ["16", "128"]) {
    const damaged = structuredClone(plan);
    damaged.longer[size].calls.push([1, [["columnSum", plan.bytes + 2 ** 20, 0, 1, 4, 0]]]);
    const given = encodeSafetensors(tensors, { ...metadata, stream: JSON.stringify(damaged) });
    await expect(alone.createStream(given)).rejects.toThrow("its calls cannot run");
  }
});

describe("damaged files", () => {
  const subjects = [
    () => new Sequential([new Embedding(5, 3), new LSTM(3, 4), new Linear(4, 5)], { seed: 1 }),
    () => new LSTM(2, 4, { normalization: "layer", seed: 2 }),
    () => new Sequential([new GRU(2, 3, { reset: "before" }), new MinGRU(3, 4), new Softmax()], { seed: 3 }),
  ];

  it.each([0, 1, 2])("are read or refused, and another stream computes what it computed: %i", async (which) => {
    const model = subjects[which]();
    const file = await saveStream(model, { batch: 3 });
    const { tensors, metadata } = decodeSafetensors(file);
    const plan = JSON.parse(metadata.stream) as unknown;
    const healthy = await alone.createStream(file);
    const frame = idsOf(model, numbers(3 * healthy.inputSize, 5));
    healthy.step(frame);
    const before = healthy.state.clone();
    const expected = healthy.step(frame).slice();
    const draw = drawer(which + 1);
    let read = 0;
    for (let n = 0; n < 170; n++) {
      const stream = JSON.stringify(spoilt(plan, draw));
      try {
        const damaged = await alone.createStream(encodeSafetensors(tensors, { ...metadata, stream }));
        read++;
        damaged.steps(new Float32Array(17 * damaged.batch * damaged.inputSize));
        damaged.stepRows([0], new Float32Array(damaged.inputSize));
      } catch (error) {
        if (!(error instanceof RnnError)) throw error;
        expect(["format", "limit"], error.message).toContain(error.kind);
      }
      healthy.state.write(before);
      expect(healthy.step(frame)).toEqual(expected);
    }
    // Some damage changes numbers only.
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(170);
  });

  it("are refused if they ask for more memory or work than a stream may", async () => {
    const file = await saveStream(new LSTM(2, 4, { seed: 2 }));
    const { tensors, metadata } = decodeSafetensors(file);
    const plan = JSON.parse(metadata.stream) as { bytes: number; one: { calls: unknown[] }; setup: unknown[] };
    const place = plan.bytes - 256;
    const refusal = async (changes: object): Promise<string> => {
      const stream = JSON.stringify({ ...plan, ...changes });
      const given = encodeSafetensors(tensors, { ...metadata, stream });
      return alone.createStream(given).then(
        () => "",
        (error: unknown) => String(error),
      );
    };
    const kindOf = async (changes: object): Promise<string> => {
      const stream = JSON.stringify({ ...plan, ...changes });
      return alone.createStream(encodeSafetensors(tensors, { ...metadata, stream })).then(
        () => "made",
        (error: unknown) => (error as RnnError).kind,
      );
    };
    expect(await refusal({ bytes: 2 ** 32 })).toContain("bytes must be an integer from 1 to");
    const endless = ["matmul", 0, 0, 0, 0, 2 ** 31, 2 ** 31, 2 ** 31, 1, ...Array<number>(9).fill(0)];
    expect(await refusal({ setup: [[1, [endless]]] })).toContain("more work than a model of its size needs");
    expect(await refusal({ setup: [[2 ** 20, plan.setup]] })).toContain("damaged");
    for (const length of [-1, 2 ** 31, 2 ** 32 - 1])
      expect(await refusal({ setup: [[1, [["unary", place, place, length, 1, 0, 0]]]] })).toContain("more work");
    // These lengths are integers of 32 bits, as WebAssembly would take them: 0.
    for (const length of [0, 2 ** 32, 2 ** 53, 1e300])
      expect(await refusal({ setup: [[1, [["unary", place, place, length, 1, 0, 0]]]] })).toBe("");
    // Memory that it declares, and never fills, buys no time: not for all that runs at the beginning, nor for a later step.
    const huge = 2 ** 30 - 2 ** 20;
    const wide = (size: number) => [[1, [["matmul", place, place, place, place, size, size, size, 1, ...Array<number>(9).fill(0)]]]];
    const slow = (length: number) => [[1, [["unary", place, place, length, 1, 0, 0]]]];
    const { one, longer } = plan as unknown as { one: object; longer: Record<string, object> };
    for (const changes of [
      { setup: wide(2048) },
      { setup: slow(2 ** 28 + 1) },
      { one: { ...one, calls: wide(2048) } },
      { longer: { ...longer, 16: { ...longer[16], calls: [[16, wide(2048)[0][1], [Array<number>(17).fill(0)]]] } } },
    ])
      expect(await kindOf({ bytes: huge, ...changes }), JSON.stringify(Object.keys(changes))).toBe("limit");
    expect(await refusal({ setup: [[1, [["columnSum", 2 ** 30, 2 ** 30, 1, 4, 0]]]] })).toContain("its calls cannot run");
  });

  it("of other versions say who reads the model in them", async () => {
    const readers = [
      ["loadModel reads it", new LSTM(2, 4, { seed: 2 })],
      ["importModel of webgpu-rnn/formats reads it", await imported("plugin.json")],
      ["importModel of webgpu-rnn/formats reads it", await imported("amp.nam")],
    ] as const;
    for (const [words, model] of readers) {
      const { tensors, metadata } = decodeSafetensors(await saveStream(model, featuresOf(model)));
      const plan = JSON.parse(metadata.stream) as object;
      const file = encodeSafetensors(tensors, { ...metadata, stream: JSON.stringify({ ...plan, version: 0 }) });
      await expect(alone.createStream(file)).rejects.toThrow(`another version of webgpu-rnn; ${words}, and saveStream writes it anew`);
      await (words.startsWith("loadModel") ? loadModel(file) : importModel(file));
    }
  });
});
