// Streams on WebGPU: frames go to the device, and results come in order, those of `forward` over the whole sequence.
import { afterEach, describe, expect, it } from "vitest";
import {
  Conv1d,
  createBatcher,
  createStream,
  Embedding,
  forward,
  GRU,
  LayerNorm,
  Linear,
  LSTM,
  MinGRU,
  Residual,
  RNN,
  Sequential,
  sgd,
  Softmax,
  squaredError,
  Trainer,
  type Backend,
  type DeviceStream,
  type Module,
} from "webgpu-rnn";
import { characterTcn, randomStack } from "./causal-models.ts";
import { LearntStates } from "./learnt-states.ts";
import { lose, mortal } from "./mortal-device.ts";
import { backend as shared, expectClose, numbers, sizeOf } from "./support.ts";

type Device = Backend & { readonly kind: "webgpu" };
const backend = (await shared("webgpu")) as Device;

const streams: DeviceStream[] = [];
afterEach(() => streams.splice(0).forEach((stream) => stream.dispose()));
async function streamOf(model: Module, batch = 1, on = backend): Promise<DeviceStream> {
  const stream = await createStream(model, { batch, backend: on });
  streams.push(stream);
  return stream;
}

const small = (seed = 1, units = 6): Module =>
  new Sequential({ rnn: new LSTM(3, units, { seed }), out: new Linear(units, 2, { seed: seed + 1 }) });

interface Subject {
  readonly model: Module;
  readonly size: number;
  readonly ids?: number;
}

const subjects: Record<string, () => Subject> = {
  "an LSTM and what reads it": () => ({
    model: new Sequential({ rnn: new LSTM(5, 70, { numLayers: 2, seed: 1 }), out: new Linear(70, 3, { seed: 2 }) }),
    size: 5,
  }),
  "a GRU, batch first": () => ({ model: new GRU(4, 33, { batchFirst: true, seed: 2 }), size: 4 }),
  "a character model": () => ({
    model: new Sequential([new Embedding(11, 6, { seed: 4 }), new GRU(6, 16, { seed: 5 }), new Linear(16, 11, { seed: 6 }), new Softmax()]),
    size: 1,
    ids: 11,
  }),
  "a character model of convolutions": () => ({ model: characterTcn(11), size: 1, ids: 11 }),
  ...Object.fromEntries([0, 1, 2, 3].map((seed) => [`random layers ${seed}`, () => ({ model: randomStack(seed), size: 3 })])),
  "norms and a residual block": () => ({
    model: new Sequential([
      new Linear(3, 8, { seed: 7 }),
      new Residual(new Sequential([new LayerNorm(8), new RNN(8, 8, { seed: 8 })])),
      new MinGRU(8, 7, { seed: 9 }),
    ]),
    size: 3,
  }),
};

/** `steps` frames of `batch` rows, time first. */
function framesOf({ size, ids }: Subject, steps: number, batch: number): number[] {
  const all = [...numbers(steps * batch * size, 3)];
  return ids === undefined ? all : all.map((x) => Math.floor(((x + 1) / 2) * ids));
}

/** Swaps the first two axes of [outer, inner, width]. */
const turned = (list: ArrayLike<number>, outer: number, inner: number): number[] =>
  Array.from({ length: outer * inner }, (_, i) => {
    const width = list.length / outer / inner;
    const at = ((i % outer) * inner + Math.floor(i / outer)) * width;
    return Array.from(list).slice(at, at + width);
  }).flat();

/** What `forward` gives for them, time first, and the final states. */
async function whole({ model, size, ids }: Subject, frames: readonly number[], batch: number) {
  const steps = frames.length / batch / size;
  const first = model.batchFirst;
  const order = first ? [batch, steps] : [steps, batch];
  const input = { shape: ids === undefined ? [...order, size] : order, data: first ? turned(frames, steps, batch) : frames };
  const { output, state } = await forward(model, { input }, { backend });
  return { output: first ? turned(output.data, batch, steps) : output.data, state };
}

const join = (parts: readonly Float32Array[]): number[] => parts.flatMap((part) => [...part]);

/** Calls `step` for all frames without waiting. */
function stepAll(stream: DeviceStream, frames: readonly number[]): Promise<Float32Array[]> {
  const width = stream.batch * stream.inputSize;
  return Promise.all(Array.from({ length: frames.length / width }, (_, t) => stream.step(frames.slice(t * width, (t + 1) * width))));
}

describe.each(Object.entries(subjects))("a stream on a device, of %s", (_, make) => {
  it.each([1, 3])("gives the results of forward with many frames in flight, %i rows", async (batch) => {
    const subject = make();
    const frames = framesOf(subject, 20, batch);
    const { output, state } = await whole(subject, frames, batch);
    const stream = await streamOf(subject.model, batch);
    const results = await stepAll(stream, frames);
    expect(new Set(results).size).toBe(20);
    expectClose("step", join(results), output);
    const found = await stream.state.read();
    expect(Object.keys(found)).toEqual(Object.keys(state));
    for (const [path, { shape, data }] of Object.entries(state)) {
      expect(found[path].shape).toEqual(shape);
      expectClose(path, found[path].data, data);
    }
    await stream.reset();
    expectClose("steps", await stream.steps(frames), output);
    expectClose(
      "the first step again",
      (await stream.reset(), await stepAll(stream, frames.slice(0, batch * subject.size)))[0],
      output.slice(0, results[0].length),
    );
  });
});

describe.each(Object.entries(subjects))("rows of a stream on a device, of %s", (_, make) => {
  it("go on, wait and begin again by themselves", async () => {
    const subject = make();
    const batch = 5;
    const stream = await streamOf(subject.model, batch);
    const { inputSize: width, outputSize: wide } = stream;
    const sequences = Array.from({ length: batch }, (_, row) => framesOf(subject, 6, batch).slice(row * 6 * width, (row + 1) * 6 * width));
    const expected = await Promise.all(sequences.map(async (frames) => (await whole(subject, frames, 1)).output));
    const places = new Array<number>(batch).fill(0);
    const calls: { rows: readonly number[]; wanted: readonly number[]; result: Promise<Float32Array> }[] = [];
    const step = (rows: readonly number[]): void => {
      const frames = rows.flatMap((row) => sequences[row].slice(places[row] * width, (places[row] + 1) * width));
      const wanted = rows.flatMap((row) => Array.from(expected[row]).slice(places[row] * wide, (places[row] + 1) * wide));
      rows.forEach((row) => places[row]++);
      calls.push({ rows, wanted, result: stream.stepRows(rows, frames) });
    };
    step([3]);
    step([4, 0, 3]);
    step([0, 1, 2, 3, 4]);
    const reset = stream.reset(3);
    places[3] = 0;
    step([3, 1]);
    step([2, 3]);
    // One row's states go to another row of the same sequence.
    const move = stream.state.readRow(0).then((values) => stream.state.writeRow(4, values));
    await Promise.all([reset, move]);
    sequences[4] = sequences[0];
    places[4] = places[0];
    expected[4] = expected[0];
    step([4]);
    for (const { rows, wanted, result } of calls) expectClose(`rows ${rows.join()}`, await result, wanted);
  });
});

describe.each([false, true])("a stream on a device, of a model with first states of its own, batch first %s", (batchFirst) => {
  it("begins where forward begins, whenever a row is reset or the model changes", async () => {
    const batch = 3;
    const model = new Sequential({ own: new LearntStates(3, 5, { batchFirst }) });
    const subject = { model, size: 3 };
    const frames = framesOf(subject, 4, batch);
    const stream = await createStream(model, { batch, backend, features: 3 });
    streams.push(stream);
    const dict = await model.stateDict();
    for (const factor of [1, -2, 0]) {
      const scaled = (name: string) => ({ shape: dict[name].shape, data: dict[name].data.map((x) => x * factor) });
      // The stream has not begun, and takes the new first states.
      await stream.reset();
      model.loadStateDict({ ...dict, "own.h": scaled("own.h"), "own.c": scaled("own.c") });
      const { output, state } = await whole(subject, frames, batch);
      const begun = await whole(subject, frames.slice(0, 9), batch);
      expectClose("first states", (await stream.state.read(2))["own.rnn.c"].data, scaled("own.c").data);
      expectClose("steps", await stream.steps(frames), output);
      expectClose("state", (await stream.state.read())["own.rnn.h"].data, state["own.rnn.h"].data);
      const [, again, rest] = await Promise.all([stream.reset(1), stream.stepRows([1], frames.slice(3, 6)), stream.state.read()]);
      expectClose("again", again, begun.output.slice(5, 10));
      for (const row of [0, 1, 2]) {
        const from = row === 1 ? begun.state : state;
        for (const layer of [0, 1])
          expectClose(
            `row ${row}`,
            rest["own.rnn.h"].data.slice((layer * 3 + row) * 5, (layer * 3 + row + 1) * 5),
            from["own.rnn.h"].data.slice((layer * 3 + row) * 5, (layer * 3 + row + 1) * 5),
          );
      }
      // Rows that have been given states begin with these.
      await Promise.all([stream.reset(), stream.state.write(rest)]);
      expect(await stream.state.read()).toEqual(rest);
    }
  });
});

describe("a stream on a device", () => {
  it("packs weights once, and again when the model has changed", async () => {
    const model = small(1, 70);
    const stream = await streamOf(model);
    const dispatchesOf = async (): Promise<number> => {
      const before = backend.counters.dispatches;
      await stream.step([1, 2, 3]);
      return backend.counters.dispatches - before;
    };
    const first = await dispatchesOf();
    const second = await dispatchesOf();
    expect(second).toBeLessThan(first);
    const buffers = backend.counters.buffers;
    for (let i = 0; i < 3; i++) expect(await dispatchesOf()).toBe(second);
    expect(backend.counters.buffers).toBe(buffers);
    model.loadStateDict(await small(5, 70).stateDict());
    expect(await dispatchesOf()).toBe(first);
    expect(await dispatchesOf()).toBe(second);
  });

  it("carries out frames, resets and reads of states in the order of the calls", async () => {
    const model = small();
    const stream = await streamOf(model, 2);
    const frame = numbers(6, 1);
    const calls = {
      first: stream.step(frame),
      second: stream.step(frame),
      state: stream.state.clone(),
      resetOne: stream.reset(1),
      mixed: stream.step(frame),
      reset: stream.reset(),
      again: stream.step(frame),
    };
    frame.fill(NaN);
    await Promise.all(Object.values(calls));
    const [first, second, state, mixed, again] = [
      await calls.first,
      await calls.second,
      await calls.state,
      await calls.mixed,
      await calls.again,
    ];
    expect(again).toEqual(first);
    expect(second).not.toEqual(first);
    expect(mixed.slice(2)).toEqual(first.slice(2));
    const write = stream.state.write(state);
    const third = await stream.step(numbers(6, 1));
    await write;
    expect(third.slice(0, 2)).toEqual(mixed.slice(0, 2));
    // One row's states move to the other row, and through a file.
    await stream.state.fromBytes(state.toBytes());
    await stream.state.write(state.read(0), 1);
    expect((await stream.state.read(1))["rnn.h"].data).toEqual(state.read(0)["rnn.h"].data);
    expect((await stream.state.read(0))["rnn.h"].data).toEqual(state.read(0)["rnn.h"].data);
    expect(await stream.state.toBytes()).toEqual((await stream.state.clone()).toBytes());
  });

  it("refuses wrong frames and states, and goes on as if they had not come", async () => {
    const stream = await streamOf(small(), 2);
    const other = await streamOf(small());
    const good = numbers(6, 1);
    const results = [
      stream.step(good),
      expect(stream.step(good.map((x, i) => (i === 4 ? NaN : x)))).rejects.toThrow(
        "stream.step: a frame must be finite numbers, got NaN at index 4",
      ),
      expect(stream.step([1, 2])).rejects.toThrow("stream.step: a frame must have 6 numbers, 3 for each of 2 rows, got 2"),
      expect(stream.steps([...good, 1])).rejects.toThrow("stream.steps: the frames must have a multiple of 6 numbers"),
      expect(stream.stepRows([1, 1], good)).rejects.toThrow("stream.stepRows: rows must name each row once, got 1 twice"),
      expect(stream.stepRows([0], good)).rejects.toThrow("stream.stepRows: a frame must have 3 numbers"),
      expect(stream.state.writeRow(0, new Float32Array(5))).rejects.toThrow("the states of a row are a Float32Array of 12 numbers, got 5"),
      expect(stream.reset(2)).rejects.toThrow("row must be an integer of at least 0 and at most 1, got 2"),
      expect(stream.state.write(await other.state.read())).rejects.toThrow('"rnn.h" must be [1, 2, 6], got [1, 1, 6]'),
      expect(stream.state.read(-1)).rejects.toThrow("row must be"),
      stream.step(good),
    ] as const;
    await Promise.all(results);
    const twin = await streamOf(small(), 2);
    expect([await results[0], await results[10]]).toEqual([await twin.step(good), await twin.step(good)]);
  });

  it("takes a training's parameters at the next step, all together", async () => {
    const model = small();
    const stream = await streamOf(model);
    const before = await stream.step([1, 2, 3]);
    const data = {
      batches: 1,
      batch: () => ({ input: { shape: [4, 2, 3], data: numbers(24) }, targets: { shape: [4, 2, 2], data: numbers(16, 9) } }),
    };
    using trainer = new Trainer(model, { backend, data, loss: squaredError(), optimizer: sgd({ learningRate: 0.5 }), carryState: false });
    await Promise.all([trainer.train({ steps: 3 }), ...Array.from({ length: 5 }, () => stream.step([1, 2, 3]))]);
    await stream.reset();
    const after = await stream.step([1, 2, 3]);
    expect(after).not.toEqual(before);
    expectClose("after", after, (await forward(model, { input: { shape: [1, 1, 3], data: [1, 2, 3] } }, { backend })).output.data);
  });

  it("refuses models that cannot go step by step, and batchers", async () => {
    await expect(createStream(new GRU(2, 3, { bidirectional: true }), { backend })).rejects.toThrow("needs layers that read forwards only");
    const convolution = new Sequential([
      new GRU(3, 4, { batchFirst: true }),
      new Conv1d(4, 2, 2, { layout: "channelsLast", padding: "same" }),
    ]);
    await expect(createStream(convolution, { backend })).rejects.toThrow(
      'needs a model that goes on from step to step, and "1" needs whole sequences: its windows read later steps',
    );
    await expect(createBatcher(small(), { backend })).rejects.toThrow("createBatcher: backend must be a CPU backend, got one on WebGPU");
  });

  it("gives its memory back, also what is made while it is disposed of", async () => {
    // On a backend of its own: a collection frees the models that other tests left on the shared one at any moment.
    const on = (await mortal()) as Device;
    const model = small();
    (await streamOf(model, 2, on)).dispose();
    const before = on.counters.bytes;
    const stream = await streamOf(model, 2, on);
    const calls = [stream.steps(numbers(20 * 6)), stream.step(numbers(6))];
    stream.dispose();
    for (const call of calls) await expect(call).rejects.toThrow("stream: has been disposed of, or its model has; create a new one");
    expect(on.counters.bytes).toBe(before);
    model.dispose();
  });

  // At each of these moments a call is in another stage: waiting, submitted, being read, or done.
  it.each([0, 1, 2, 4, 8, 16, 40])("answers all calls when it or its model is disposed of %i turns later", async (turns) => {
    const model = small();
    const [one, other] = [await streamOf(model), await streamOf(model)];
    const calls = [one, other].flatMap((stream) => [
      ...Array.from({ length: 20 }, () => stream.step([1, 2, 3])),
      stream.state.read(),
      stream.reset(),
    ]);
    const settled = Promise.allSettled<unknown>(calls);
    for (let i = 0; i < turns; i++) await Promise.resolve();
    one.dispose();
    model.dispose();
    for (const result of await settled)
      if (result.status === "rejected") expect(String(result.reason)).toContain("stream: has been disposed of, or its model has");
    await expect(one.step([1, 2, 3])).rejects.toThrow("has been disposed of");
    await expect(other.state.read()).rejects.toThrow("has been disposed of");
  });

  it("says that the device is lost, in calls on their way and later ones", async () => {
    const on = (await mortal()) as Device;
    const stream = await streamOf(small(), 1, on);
    await stream.step([1, 2, 3]);
    const calls = [...Array.from({ length: 12 }, () => stream.step([1, 2, 3])), stream.state.read()];
    const settled = Promise.allSettled<unknown>(calls);
    lose(on);
    const refused = (await settled).filter((result) => result.status === "rejected");
    expect(refused.length).toBeGreaterThan(0);
    for (const { reason } of refused) expect(reason).toMatchObject({ name: "RnnError", kind: "device" });
    await expect(stream.step([1, 2, 3])).rejects.toThrow("the device is gone");
    await expect(stream.state.read()).rejects.toThrow("the device is gone");
  });

  it("has the shapes of its states, and is printed in a line", async () => {
    const stream = await streamOf(small(), 3);
    const { state } = stream;
    const print = Symbol.for("nodejs.util.inspect.custom");
    const shown = [stream, state].map((one) => (one as unknown as Record<symbol, () => string>)[print]());
    expect(shown).toEqual(["DeviceStream { batch: 3, inputSize: 3, outputSize: 2 }", "DeviceState { rnn.h: [1, 3, 6], rnn.c: [1, 3, 6] }"]);
    for (const [path, { shape, data }] of Object.entries(await state.read())) {
      expect(state.shapes[path]).toEqual(shape);
      expect(data).toHaveLength(sizeOf(shape));
    }
  });
});
