// Streams on the CPU: a frame in, a frame out, with the bits of `forward` over the whole sequence.
import { afterAll, describe, expect, it } from "vitest";
import {
  compose,
  Conv1d,
  createBackend,
  createStream,
  Embedding,
  forward,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  LastStep,
  MinGRU,
  Module,
  Residual,
  RNN,
  Sequential,
  sgd,
  Softmax,
  squaredError,
  Trainer,
  type Context,
  type Stream,
  type Variable,
} from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { blocksOf, characterTcn, randomStack } from "./causal-models.ts";
import { LearntStates } from "./learnt-states.ts";
import { expectClose, numbers, sizeOf } from "./support.ts";

const backend = await createBackend("cpu");
afterAll(() => backend.destroy());

interface Subject {
  readonly model: Module;
  /** Numbers of a row's frame; ids below so many if the model takes ids. */
  readonly size: number;
  readonly ids?: number;
  /** A projected LSTM multiplies two weights for a sequence, and cannot for a step: bits differ. */
  readonly rounds?: boolean;
}

const subjects: Record<string, () => Subject> = {
  "an LSTM": () => ({ model: new LSTM(5, 9, { seed: 1 }), size: 5 }),
  "an LSTM with more inputs than are summed at once": () => ({ model: new LSTM(300, 40, { seed: 1 }), size: 300 }),
  "layers of GRUs, batch first": () => ({
    model: new Sequential({ rnn: new GRU(4, 33, { numLayers: 2, batchFirst: true, seed: 2 }), out: new Linear(33, 3, { seed: 3 }) }),
    size: 4,
  }),
  "a character model": () => ({
    model: new Sequential([
      new Embedding(11, 6, { seed: 4 }),
      new LSTM(6, 16, { seed: 5 }),
      new Linear(16, 11, { seed: 6 }),
      new Softmax(),
    ]),
    size: 1,
    ids: 11,
  }),
  "norms and a residual block": () => ({
    model: new Sequential([
      new Linear(3, 8, { seed: 7 }),
      new Residual(new Sequential([new LayerNorm(8), new RNN(8, 8, { seed: 8 })])),
      new MinGRU(8, 7, { seed: 9 }),
      new Linear(7, 1, { seed: 10 }),
    ]),
    size: 3,
  }),
  "an LSTM with a projection": () => ({ model: new LSTM(6, 12, { projSize: 5, seed: 11 }), size: 6, rounds: true }),
  "an LSTM with layer normalization": () => ({ model: new LSTM(6, 12, { normalization: "layer", seed: 11 }), size: 6 }),
  "an RNN with batch normalization": () => ({
    model: new RNN(12, 25, { normalization: "batch", normalizedSteps: 1, numLayers: 2, seed: 11 }),
    size: 12,
  }),
  "an LSTM with batch normalization": () => ({
    model: new LSTM(12, 25, { normalization: "batch", normalizedSteps: 1, seed: 11 }),
    size: 12,
  }),
  "dilated convolutions": () => ({
    model: new Sequential([new Linear(3, 6), ...blocksOf(6, [1, 2, 4]), new GRU(6, 5, { batchFirst: true })], { seed: 14 }),
    size: 3,
  }),
  "a character model of convolutions": () => ({ model: characterTcn(11), size: 1, ids: 11 }),
  ...Object.fromEntries(Array.from({ length: 12 }, (_, seed) => [`random layers ${seed}`, () => ({ model: randomStack(seed), size: 3 })])),
  "parts that a function connects": () => ({
    model: compose({ first: new RNN(4, 6, { seed: 12 }), second: new GRU(6, 5, { reset: "before", seed: 13 }) }, ({ first, second }, x) =>
      second(first(x)),
    ),
    size: 4,
  }),
};

/** `steps` frames of `batch` rows, time first. */
function framesOf({ size, ids }: Subject, steps: number, batch: number, seed = 1): number[] {
  const all = [...numbers(steps * batch * size, seed)];
  return ids === undefined ? all : all.map((x) => Math.floor(((x + 1) / 2) * ids));
}

/** What `forward` gives for them, time first, and the final states. */
async function whole({ model, size, ids }: Subject, frames: readonly number[], batch: number) {
  const steps = frames.length / batch / size;
  const turned = <T>(list: readonly T[], width: number, [outer, inner]: readonly [number, number]): T[] =>
    Array.from({ length: outer * inner }, (_, i) => {
      const at = (i % inner) * outer + Math.floor(i / inner);
      return list.slice(at * width, (at + 1) * width);
    }).flat();
  const first = model.batchFirst;
  const order = first ? [batch, steps] : [steps, batch];
  const data = first ? turned(frames, size, [batch, steps]) : frames;
  const input = { shape: ids === undefined ? [...order, size] : order, data };
  const { output, state } = await forward(model, { input }, { backend });
  const width = sizeOf(output.shape) / steps / batch;
  return { output: Float32Array.from(first ? turned([...output.data], width, [steps, batch]) : output.data), state };
}

/** Bit for bit, but for a subject that `rounds`. */
function expectSame({ rounds = false }: Subject, actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  if (rounds) expectClose("output", actual, expected);
  else expect(actual).toEqual(expected);
}

const frameAt = (frames: readonly number[], t: number, width: number): readonly number[] => frames.slice(t * width, (t + 1) * width);

function stepAll(stream: Stream, frames: readonly number[]): Float32Array {
  const width = stream.batch * stream.inputSize;
  const wide = stream.batch * stream.outputSize;
  const all = new Float32Array((frames.length / width) * wide);
  for (let t = 0; t * width < frames.length; t++) all.set(stream.step(frameAt(frames, t, width)), t * wide);
  return all;
}

describe.each(Object.entries(subjects))("a stream of %s", (_, make) => {
  it.each([1, 3, 6])("steps with the bits of forward, %i rows", async (batch) => {
    const subject = make();
    const frames = framesOf(subject, 20, batch);
    const { output, state } = await whole(subject, frames, batch);
    using stream = await createStream(subject.model, { batch, backend });
    const expectStates = (): void => {
      const states = stream.state.read();
      expect(Object.keys(states)).toEqual(Object.keys(state));
      for (const [path, { data }] of Object.entries(state)) expectSame(subject, states[path].data, data);
    };
    expectSame(subject, stepAll(stream, frames), output);
    expectStates();
    stream.reset();
    expectSame(subject, stream.steps(frames), output);
    expectStates();
  });

  it("lets rows go on, wait and start again by themselves", async () => {
    const subject = make();
    const batch = 7;
    const sequences = Array.from({ length: batch }, (_, row) => framesOf(subject, 6, 1, row + 1));
    const expected = await Promise.all(sequences.map(async (frames) => (await whole(subject, frames, 1)).output));
    using stream = await createStream(subject.model, { batch, backend });
    const { inputSize, outputSize } = stream;
    const places = new Array<number>(batch).fill(0);
    const step = (rows: readonly number[]): void => {
      const frames = rows.flatMap((row) => frameAt(sequences[row], places[row], inputSize));
      const results = stream.stepRows(rows, frames);
      rows.forEach((row, i) => {
        const at = places[row]++;
        expectSame(
          subject,
          results.slice(i * outputSize, (i + 1) * outputSize),
          expected[row].slice(at * outputSize, (at + 1) * outputSize),
        );
      });
    };
    step([0, 1, 2, 3, 4, 5, 6]);
    step([6, 2, 0, 1, 5]);
    step([3]);
    step([5, 4, 3, 2, 1, 0, 6]);
    stream.reset(4);
    places[4] = 0;
    step([4, 2]);
    // A row's states move to another row, as those of a server's stream do.
    const [kept, place] = [stream.state.readRow(2), places[2]];
    stream.reset(2);
    places[2] = 0;
    step([2, 0]);
    stream.state.writeRow(2, kept);
    places[2] = place;
    step([1, 2, 4]);
  });
});

const frameOf = (stream: Stream, seed = 1): Float32Array => numbers(stream.batch * stream.inputSize, seed);
/** A stream's results for the next frames, without a change of its states. */
function nextOf(stream: Stream): Float32Array {
  const before = stream.state.clone();
  const next = stream.steps(numbers(5 * stream.batch * stream.inputSize, 77));
  stream.state.write(before);
  return next;
}

describe("a stream", () => {
  it("gives the same array for each step", async () => {
    using stream = await createStream(new LSTM(3, 4), { backend });
    const first = stream.step(frameOf(stream));
    expect(stream.step(frameOf(stream, 2))).toBe(first);
    const into = new Float32Array(2 * stream.outputSize);
    expect(stream.steps(numbers(6), into)).toBe(into);
  });

  it.each([
    [1, 5],
    [5, 1],
    [3, 3],
  ])("writes results of %i numbers a frame to %i over the frames themselves", async (inputSize, outputSize) => {
    using stream = await createStream(new GRU(inputSize, outputSize, { seed: 2 }), { backend });
    for (const count of [1, 17, 150]) {
      const frames = numbers(count * inputSize);
      stream.reset();
      const expected = stream.steps(frames);
      for (const from of [0, 2]) {
        const memory = new Float32Array(count * Math.max(inputSize, outputSize) + 2);
        memory.set(frames, from);
        stream.reset();
        stream.steps(memory.subarray(from, from + frames.length), memory.subarray(0, count * outputSize));
        expect(memory.slice(0, count * outputSize)).toEqual(expected);
      }
    }
  });

  it.each(["steps", "stepRows"] as const)("reads each number of %s once, so that it computes what it has checked", async (name) => {
    using stream = await createStream(new GRU(2, 3, { seed: 2 }), { backend, batch: 2 });
    const frames = Array.from(numbers(4));
    const call = (given: ArrayLike<number>): number[] =>
      Array.from(name === "steps" ? stream.steps(given) : stream.stepRows([0, 1], given));
    const expected = call(frames);
    stream.reset();
    const reads = new Map<PropertyKey, number>();
    const fickle = new Proxy(frames, {
      get(of, key) {
        const before = reads.get(key) ?? 0;
        reads.set(key, before + 1);
        return before > 0 && key !== "length" ? NaN : (Reflect.get(of, key) as unknown);
      },
    });
    expect(call(fickle)).toEqual(expected);
  });

  it("takes one backend for all streams that are begun at the same time", async () => {
    const streams = await Promise.all(Array.from({ length: 5 }, () => createStream(new GRU(2, 3))));
    const backends = new Set(streams.map((stream) => (stream as unknown as { backend: unknown }).backend));
    expect(backends.size).toBe(1);
    for (const stream of streams) stream.dispose();
  });

  it("gives the last step of a model that outputs only that", async () => {
    const model = new Sequential([new LastStep(new GRU(2, 5)), new Linear(5, 1)]);
    using stream = await createStream(model, { backend, batch: 2 });
    const frames = numbers(3 * 2 * 2);
    const { output } = await forward(model, { input: { shape: [3, 2, 2], data: frames } }, { backend });
    const all = stream.steps(frames);
    expect(all).toHaveLength(6);
    expect(all.slice(4)).toEqual(output.data);
  });

  it("refuses frames of another length or with numbers that are not finite, and keeps its states", async () => {
    using stream = await createStream(new LSTM(3, 4), { backend, batch: 2 });
    stream.step(frameOf(stream));
    const next = nextOf(stream);
    const bad = (at: number, value: number): Float32Array => frameOf(stream).map((x, i) => (i === at ? value : x));
    for (const value of [NaN, Infinity, -Infinity])
      for (const at of [0, 3, 5]) {
        expect(() => stream.step(bad(at, value))).toThrow(`stream.step: a frame must be finite numbers, got ${value} at index ${at}`);
        expect(() => stream.steps([...frameOf(stream), ...bad(at, value)])).toThrow(`at index ${6 + at}; the states are as they were`);
        expect(() => stream.stepRows([1, 0], bad(at, value))).toThrow("stream.stepRows: a frame must be finite numbers");
      }
    expect(() => stream.step([1, 2, 3, 4, 5, 1e39])).toThrow("up to 3.4e38");
    expect(() => stream.step(["1", 2, 3, 4, 5, 6] as never)).toThrow('stream.step: a frame must hold numbers, got "1" at index 0');
    expect(() => stream.step(numbers(5))).toThrow("stream.step: a frame must have 6 numbers, 3 for each of 2 rows, got 5");
    expect(() => stream.step(undefined as never)).toThrow("got undefined");
    expect(() => stream.step(null as never)).toThrow("got null");
    expect(() => stream.steps(numbers(7))).toThrow("stream.steps: the frames must have a multiple of 6 numbers");
    expect(() => stream.steps([])).toThrow("multiple of 6");
    expect(() => stream.steps(numbers(6), new Float32Array(3))).toThrow("into must be a Float32Array of 8 numbers, got 3");
    expect(() => stream.stepRows([0, 0], numbers(6))).toThrow("stream.stepRows: rows must name each row once, got 0 twice");
    expect(() => stream.stepRows([2], numbers(3))).toThrow("each of rows must be an integer of at least 0 and at most 1, got 2");
    expect(() => stream.stepRows([], numbers(3))).toThrow("rows must be a list of 1 to 2 rows");
    expect(() => stream.reset(2)).toThrow("row must be an integer of at least 0 and at most 1, got 2");
    expect(nextOf(stream)).toEqual(next);
  });

  it("refuses ids that the model does not have", async () => {
    using stream = await createStream(new Sequential([new Embedding(4, 3), new LSTM(3, 2)]), { backend });
    for (const id of [-1, 4, 1.5, NaN])
      expect(() => stream.step([id])).toThrow(`stream.step: a frame must hold ids from 0 to 3, got ${id}`);
    expect(() => stream.step([1, 2])).toThrow("a frame must have 1 ids, one for each row, got 2");
  });

  it("refuses models that cannot go forwards in time, and options that do not fit", async () => {
    const refused = (model: Module, options = {}) => createStream(model, { backend, ...options });
    await expect(refused(new GRU(2, 3, { bidirectional: true }))).rejects.toThrow("createStream: needs layers that read forwards only");
    await expect(refused(new GRU(2, 3, { reverse: true }))).rejects.toThrow(
      "a bidirectional or reversed one begins at the end of the sequence",
    );
    // New statistics are the same for all steps; a stream must not rely on that.
    for (const normalizedSteps of [2, 3, 20]) {
      const counting = new LSTM(2, 2, { normalization: "batch", normalizedSteps });
      for (const model of [counting, new LastStep(counting), new Sequential([new Residual(new Sequential([new Linear(2, 2), counting]))])])
        await expect(refused(model)).rejects.toThrow("createStream: needs layers that treat all steps alike");
    }
    (await createStream(new LSTM(2, 3, { normalization: "batch", normalizedSteps: 1 }), { backend })).dispose();
    await expect(refused(new Softmax())).rejects.toThrow("createStream: features must be given");
    await expect(refused(new Embedding(3, 2), { features: 2 })).rejects.toThrow("features must be left out");
    await expect(refused(new LSTM(2, 3), { batch: 0 })).rejects.toThrow("createStream: batch must be an integer of at least 1, got 0");
    await expect(refused(new LSTM(2, 3), { features: 4 })).rejects.toThrow("LSTM: input must be [steps, batch, 2], got [1, 1, 4]");
    await expect(refused(7 as never)).rejects.toThrow("model: must be a Module");
  });

  it("refuses models whose steps need others than their states tell of", async () => {
    const sums = compose({ rnn: new GRU(3, 4), out: new Linear(4, 2) }, ({ rnn, out }, x) => out(rnn(x)));
    (await createStream(sums, { backend })).dispose();
    class Sums extends Module {
      override forward(context: Context, x: Variable): Variable {
        return ops.cumulativeSum(context, x, 0);
      }
    }
    // Its rows are steps to the convolution.
    const convolution = new Sequential([new GRU(3, 4), new Conv1d(4, 2, 2, { layout: "channelsLast", padding: "causal" })]);
    const own = await createBackend("cpu");
    for (const batch of [1, 3, 20])
      for (const model of [convolution, new Sequential([new Linear(3, 2), new Sums()])])
        await expect(createStream(model, { backend: own, batch })).rejects.toThrow(
          "createStream: needs a model whose steps know of earlier ones by states only",
        );
    expect(own.counters.bytes).toBe(0);
    own.destroy();
  });

  it("is of no use once it or its model has been disposed of", async () => {
    const model = new LSTM(2, 3);
    const [one, other] = [await createStream(model, { backend }), await createStream(model, { backend })];
    one.dispose();
    one.dispose();
    expect(() => one.step([1, 2])).toThrow("stream: has been disposed of, or its model has; create a new one");
    expect(() => one.state.read()).toThrow("has been disposed of");
    other.step([1, 2]);
    model.dispose();
    for (const call of [() => other.step([1, 2]), () => other.steps([1, 2]), () => other.stepRows([0], [1, 2]), () => other.reset()])
      expect(call).toThrow("stream: has been disposed of, or its model has");
    await expect(createStream(model, { backend })).rejects.toThrow("has been disposed of");
  });

  it("gives its memory back", async () => {
    // On a backend of its own: a collection frees the models that other tests left on the shared one at any moment.
    const own = await createBackend("cpu");
    const model = new LSTM(3, 20);
    const stream = await createStream(model, { backend: own, batch: 5 });
    stream.steps(numbers(20 * 15));
    stream.stepRows([1, 2, 4], numbers(9));
    expect(own.counters.bytes).toBeGreaterThan(0);
    stream.dispose();
    expect(own.counters.bytes).toBe(0);
    await expect(createStream(model, { backend: own, features: 2 })).rejects.toThrow("LSTM");
    expect(own.counters.bytes).toBe(0);
    own.destroy();
  });

  it("goes on after others have made the memory grow", async () => {
    const own = await createBackend("cpu");
    using stream = await createStream(new LSTM(3, 20, { seed: 1 }), { backend: own });
    using twin = await createStream(new LSTM(3, 20, { seed: 1 }), { backend });
    for (let i = 0; i < 4; i++) {
      expect(stream.step(frameOf(stream, i))).toEqual(twin.step(frameOf(twin, i)));
      own.createBuffer("large", "f32", 2 ** 20 * (i + 1));
    }
    own.destroy();
    expect(() => stream.step(frameOf(stream))).toThrow("the backend was destroyed");
  });

  it("runs without WebAssembly and without a backend of the caller's", async () => {
    const plain = await createBackend("cpu", { wasm: false });
    const model = new Sequential([new LSTM(3, 4, { seed: 1 }), new Linear(4, 2, { seed: 2 })]);
    using one = await createStream(model, { backend: plain });
    using other = await createStream(model);
    for (let i = 0; i < 3; i++) expectClose("output", one.step(frameOf(one, i)), other.step(frameOf(other, i)));
    plain.destroy();
  });
});

describe("a stream's states", () => {
  it("are those that forward takes and gives", async () => {
    const model = new Sequential({ rnn: new LSTM(2, 3, { numLayers: 2 }) });
    using stream = await createStream(model, { backend, batch: 2 });
    const state = { "rnn.h": { shape: [2, 2, 3], data: numbers(12, 5) }, "rnn.c": { shape: [2, 2, 3], data: numbers(12, 6) } };
    stream.state.write(state);
    expect(stream.state.read()).toEqual(state);
    const frames = numbers(4 * 2 * 2);
    const expected = await forward(model, { input: { shape: [4, 2, 2], data: frames }, state }, { backend });
    expect(stream.steps(frames)).toEqual(expected.output.data);
    expect(stream.state.shapes).toEqual({ "rnn.h": [2, 2, 3], "rnn.c": [2, 2, 3] });
  });

  it("go into a copy, a file and another stream, and come back", async () => {
    const model = new GRU(2, 3, { numLayers: 2 });
    using stream = await createStream(model, { backend, batch: 3 });
    stream.step(frameOf(stream));
    const [copy, bytes, next] = [stream.state.clone(), stream.state.toBytes(), nextOf(stream)];
    stream.steps(numbers(40 * 6));
    expect(nextOf(stream)).not.toEqual(next);
    stream.state.write(copy);
    expect(nextOf(stream)).toEqual(next);
    using other = await createStream(model, { backend, batch: 3 });
    other.state.fromBytes(bytes);
    expect(nextOf(other)).toEqual(next);
    other.reset();
    for (const row of [0, 1, 2]) other.state.writeRow((row + 1) % 3, stream.state.readRow(row));
    for (const [, { data, shape }] of Object.entries(stream.state.read())) {
      const [layers, rows, units] = shape;
      const found = other.state.read().h.data;
      for (let i = 0; i < layers * rows; i++) {
        const [layer, row] = [Math.floor(i / rows), i % rows];
        const to = (layer * rows + ((row + 1) % rows)) * units;
        expect(found.slice(to, to + units)).toEqual(data.slice(i * units, (i + 1) * units));
      }
    }
  });

  it("refuse those of another model, and stay", async () => {
    using stream = await createStream(new LSTM(2, 3), { backend });
    using wider = await createStream(new LSTM(2, 4), { backend });
    using other = await createStream(new GRU(2, 3), { backend });
    stream.step([1, 2]);
    const next = nextOf(stream);
    expect(() => stream.state.write(wider.state)).toThrow('stream.state: "h" must be [1, 1, 3], got [1, 1, 4]');
    expect(() => stream.state.write(other.state)).toThrow("the states must be h, c, got h; these belong to another model");
    expect(() => other.state.write(stream.state)).toThrow("the states must be h, got h, c");
    expect(() => stream.state.fromBytes(other.state.toBytes())).toThrow("these belong to another model");
    expect(() => stream.state.fromBytes(stream.state.toBytes().slice(0, 40))).toThrow(/decodeSafetensors|safetensors/);
    expect(() => stream.state.writeRow(0, wider.state.readRow(0))).toThrow("a row are a Float32Array of 6 numbers, got 8");
    expect(() => stream.state.writeRow(0, new Float32Array(6).fill(NaN))).toThrow("must be finite, got NaN");
    const { h, c } = stream.state.read();
    expect(() => stream.state.write({ h, c: { shape: c.shape, data: [1, NaN, 2] } })).toThrow('"c" must be finite');
    expect(nextOf(stream)).toEqual(next);
  });
});

describe.each([false, true])("a stream of a model with first states of its own, batch first %s", (batchFirst) => {
  it.each([1, 3, 6])("begins where forward begins, whenever a row of %i is reset or the model changes", async (batch) => {
    const model = new Sequential({ own: new LearntStates(3, 5, { batchFirst }) });
    const subject = { model, size: 3 };
    const frames = framesOf(subject, 20, batch);
    using stream = await createStream(model, { batch, backend, features: 3 });
    const width = batch * 3;
    const wide = batch * 5;
    for (const factor of [0, 1, -2, 0, 0.5]) {
      const dict = await model.stateDict();
      const scaled = (name: string) => ({ shape: dict[name].shape, data: numbers(10, 8).map((x) => x * factor + 0) });
      // The stream has not begun, and takes the new first states.
      stream.reset();
      model.loadStateDict({ ...dict, "own.h": scaled("own.h"), "own.c": scaled("own.c") });
      const { output } = await whole(subject, frames, batch);
      expect(stepAll(stream, frames)).toEqual(output);
      stream.reset();
      expect(stream.steps(frames)).toEqual(output);
      for (let row = 0; row < batch; row++) {
        stream.reset(row);
        const one = stream.stepRows([row], frames.slice(row * 3, row * 3 + 3));
        expect(one.slice()).toEqual(output.slice(row * 5, row * 5 + 5));
      }
      // All rows have had one step, and go on.
      expect(stream.step(frameAt(frames, 1, width)).slice()).toEqual(output.slice(wide, 2 * wide));
      using late = await createStream(model, { batch, backend, features: 3 });
      expect(late.state.read()["own.rnn.c"].data.slice(-5)).toEqual(scaled("own.c").data.slice(5));
      expect(late.steps(frames)).toEqual(output);
      // A row that has begun keeps its state when the model changes.
      const before = stream.state.read();
      model.loadStateDict(dict);
      stream.step(frameAt(frames, 2, width));
      using twin = await createStream(model, { batch, backend, features: 3 });
      twin.state.write(before);
      twin.step(frameAt(frames, 2, width));
      expect(stream.state.read()).toEqual(twin.state.read());
    }
  });

  it("is refused if forward makes them where no stream can see it", async () => {
    class Hidden extends Module {
      override forward(context: Context, x: Variable): Variable {
        const [, rows] = x.shape;
        const [h] = context.initialState("h", [1, rows, 3]) ?? [ops.constant(context, { shape: [rows, 3], data: numbers(rows * 3) })];
        context.finalState("h", [1, rows, 3], [h]);
        return ops.add(context, x, h);
      }
    }
    await expect(createStream(new Hidden(), { backend, features: 3 })).rejects.toThrow("gives those inside it other first states");
  });
});

describe("a model that changes while a stream lives", () => {
  const made = (seed: number, units = 6): Module =>
    new Sequential({ rnn: new LSTM(3, units, { seed }), out: new Linear(units, 2, { seed }) });
  const trainerOf = (model: Module, steps: number): Trainer => {
    const input = { shape: [steps, 2, 3], data: numbers(steps * 6) };
    const data = { batches: 1, batch: () => ({ input, targets: { shape: [steps, 2, 2], data: numbers(steps * 4, 9) } }) };
    return new Trainer(model, { backend, data, loss: squaredError(), optimizer: sgd({ learningRate: 0.5 }), carryState: false });
  };
  /** Results of a new stream, after the states of the old one. */
  const expectedNext = async (model: Module, stream: Stream): Promise<Float32Array> => {
    using fresh = await createStream(model, { backend });
    fresh.state.write(stream.state);
    return nextOf(fresh);
  };

  it("gives it the new parameters at the next step", async () => {
    const [model, other] = [made(1), made(2)];
    using stream = await createStream(model, { backend });
    stream.step(frameOf(stream));
    const before = nextOf(stream);
    const dict = await other.stateDict();
    model.loadStateDict(dict);
    const after = nextOf(stream);
    expect(after).not.toEqual(before);
    expect(after).toEqual(await expectedNext(other, stream));
    const trainer = trainerOf(model, 4);
    await trainer.train({ steps: 3 });
    const trained = nextOf(stream);
    expect(trained).not.toEqual(after);
    expect(trained).toEqual(await expectedNext(model, stream));
    trainer.dispose();
  });

  it("gives it whole steps of a training that goes on, in recordings of all sizes", async () => {
    // A training step takes so long that the event loop runs in its middle.
    const model = made(1, 64);
    using stream = await createStream(model, { backend, batch: 3 });
    const frames = numbers(20 * 9, 3);
    const resultsOf = (one: Stream): Float32Array => (one.reset(), one.steps(frames));
    const trainer = trainerOf(model, 100);
    const moments: Float32Array[] = [];
    const seen: Float32Array[] = [];
    let ended = false;
    const training = (async () => {
      for (let i = 0; i < 6; i++) {
        using fresh = await createStream(model, { backend, batch: 3 });
        moments.push(resultsOf(fresh));
        await trainer.train({ steps: 1 });
      }
      ended = true;
    })();
    while (!ended) {
      seen.push(resultsOf(stream));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    await training;
    using fresh = await createStream(model, { backend, batch: 3 });
    moments.push(resultsOf(fresh));
    expect(resultsOf(stream)).toEqual(moments.at(-1));
    const same = (one: Float32Array, other: Float32Array): boolean => one.every((x, i) => x === other[i]);
    for (const results of seen) expect(moments.some((known) => same(known, results))).toBe(true);
    expect(moments.every((known, i) => i === 0 || !same(known, moments[i - 1]))).toBe(true);
    stream.reset();
    const rows = Float32Array.from({ length: 20 }, (_, t) => stream.stepRows([1, 2], frames.slice(t * 9 + 3, t * 9 + 9))[0]);
    expect(rows).toEqual(Float32Array.from({ length: 20 }, (_, t) => moments.at(-1)![(t * 3 + 1) * stream.outputSize]));
    trainer.dispose();
  });
});
