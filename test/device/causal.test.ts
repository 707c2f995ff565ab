// The state of causal convolutions and pooling: what a call goes on from, and what streams do with it.
import { describe, expect, it } from "vitest";
import {
  AvgPool1d,
  compose,
  Conv1d,
  createBatcher,
  adam,
  createStream,
  crossEntropy,
  forward,
  generate,
  gradients,
  GRU,
  Linear,
  LSTM,
  MaxPool1d,
  Module,
  Sequential,
  sgd,
  squaredError,
  TextData,
  Trainer,
  type Context,
  type Tensor,
  type Variable,
} from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { characterTcn, randomStack } from "./causal-models.ts";
import { backend, expectClose, kinds, numbers, sizeOf } from "./support.ts";

const last = { layout: "channelsLast", padding: "causal" } as const;
const floats = (seed: number, ...shape: number[]): Tensor<Float32Array> => ({ shape, data: numbers(sizeOf(shape), seed) });

/** Steps [from, end) of each row of [rows, steps, channels]. */
function stepsOf({ shape: [B, T, C], data }: Tensor, from: number, end: number): Tensor<Float32Array> {
  const rows = Array.from({ length: B }, (_, b) => [...data.slice((b * T + from) * C, (b * T + end) * C)]);
  return { shape: [B, end - from, C], data: Float32Array.from(rows.flat()) };
}

describe.each(kinds)("a causal convolution's state, on %s", (kind) => {
  const models: Record<string, () => Module> = {
    dilated: () => new Conv1d(3, 4, 3, { ...last, dilation: 2, seed: 1 }),
    depthwise: () => new Conv1d(3, 6, 2, { ...last, dilation: 5, groups: 3, seed: 1 }),
    "a maximum": () => new MaxPool1d(4, { ...last, stride: 1 }),
    "a mean": () => new AvgPool1d(3, { ...last, stride: 1 }),
    "a random stack": () => randomStack(5),
  };

  it.each(Object.keys(models))("lets forward go on where a call has ended: %s", async (name) => {
    const on = await backend(kind);
    const model = models[name]();
    const input = floats(2, 2, 9, 3);
    const whole = await forward(model, input, { backend: on });
    // Calls with fewer steps than windows look back, too.
    for (const cuts of [
      [0, 4, 9],
      [0, 1, 2, 9],
    ]) {
      let state: Record<string, Tensor> = {};
      for (let i = 1; i < cuts.length; i++) {
        const made = await forward(model, { input: stepsOf(input, cuts[i - 1], cuts[i]), state }, { backend: on });
        expectClose("output", made.output.data, stepsOf(whole.output, cuts[i - 1], cuts[i]).data);
        state = made.state;
      }
      expect(Object.keys(state)).toEqual(Object.keys(whole.state));
      for (const [path, { shape, data }] of Object.entries(whole.state)) {
        expect(state[path].shape).toEqual(shape);
        expectClose(path, state[path].data, data);
      }
    }
  });

  it("has the shape of the input, with the steps that windows look back", async () => {
    const on = await backend(kind);
    const { state } = await forward(new Conv1d(3, 4, 3, { ...last, dilation: 2 }), floats(1, 2, 5, 3), { backend: on });
    expect(state.past.shape).toEqual([1, 2, 4, 3]);
    expect([...state.past.data]).toEqual([...stepsOf(floats(1, 2, 5, 3), 1, 5).data]);
    const first = await forward(new Conv1d(3, 4, 3, { padding: "causal", dilation: 2 }), floats(1, 2, 3, 1), { backend: on });
    expect(first.state.past.shape).toEqual([1, 2, 3, 4]);
    expect([...first.state.past.data.slice(0, 4)]).toEqual([0, 0, 0, floats(1, 2, 3, 1).data[0]]);
  });

  it.each(Object.keys(models))("is that of each row's own end: %s", async (name) => {
    const on = await backend(kind);
    const model = models[name]();
    const lengths = [5, 0, 7, 1];
    const input = floats(3, 4, 7, 3);
    const { output } = await forward(model, floats(6, 4, 7, 3), { backend: on });
    const before = (await forward(model, floats(6, 4, 7, 3), { backend: on })).state;
    for (const state of [{}, before]) {
      const together = await forward(model, { input, lengths, state }, { backend: on });
      for (const [row, length] of lengths.entries()) {
        const ofRow = ({ shape, data }: Tensor): Tensor => {
          const [layers, B, ...rest] = shape;
          const size = sizeOf(rest);
          const parts = Array.from({ length: layers }, (_, l) => [...data.slice((l * B + row) * size, (l * B + row + 1) * size)]);
          return { shape: [layers, 1, ...rest], data: Float32Array.from(parts.flat()) };
        };
        const own = Object.fromEntries(Object.entries(state).map(([path, value]) => [path, ofRow(value)]));
        const one = { shape: [1, 7, 3], data: input.data.slice(row * 21, (row + 1) * 21) };
        if (length === 0) {
          for (const [path, value] of Object.entries(together.state))
            if (Object.keys(state).length > 0) expectClose(path, ofRow(value).data, own[path].data);
          continue;
        }
        const alone = await forward(model, { input: stepsOf(one, 0, length), state: own }, { backend: on });
        for (const [path, value] of Object.entries(alone.state))
          expectClose(`${path} of row ${row}`, ofRow(together.state[path]).data, value.data);
      }
    }
    expect(output.shape[0]).toBe(4);
  });

  it("has gradients, also of rows of different lengths", async () => {
    const on = await backend(kind);
    const model = new Conv1d(2, 3, 3, { ...last, seed: 1 });
    const [input, past] = [floats(1, 2, 4, 2), floats(2, 1, 2, 2, 2)];
    const weights = floats(3, 1, 2, 2, 2);
    const loss = async (changed: Tensor, lengths?: number[]): Promise<number> => {
      const { state } = await forward(model, { input, state: { past: changed }, lengths }, { backend: on });
      return [...state.past.data].reduce((sum, x, i) => sum + x * weights.data[i], 0);
    };
    for (const lengths of [undefined, [1, 4]]) {
      const found = await gradients(model, { input, state: { past }, lengths }, { state: { past: weights } }, { backend: on });
      for (let i = 0; i < past.data.length; i++) {
        const moved = [1, -1].map((sign) => ({ ...past, data: past.data.map((x, at) => (at === i ? x + sign / 4 : x)) }));
        const [above, below] = [await loss(moved[0], lengths), await loss(moved[1], lengths)];
        expect(found.gradients.state.past.data[i]).toBeCloseTo((above - below) * 2, 4);
      }
      // The last steps of a row are its past; of a row of one step, the last is its first.
      const ofInput = [...found.gradients.input!.data];
      const of = (row: number, step: number): number[] => [...weights.data.slice((row * 2 + step) * 2, (row * 2 + step + 1) * 2)];
      const none = [0, 0];
      const expected = lengths ? [of(0, 1), none, none, none] : [none, none, of(0, 0), of(0, 1)];
      expectClose("d.input", ofInput, [...expected, none, none, of(1, 0), of(1, 1)].flat());
    }
  });

  it("is one of its own for each call of a module that is called twice", async () => {
    const on = await backend(kind);
    for (const layer of [new Conv1d(3, 3, 3, { ...last, seed: 1 }), new LSTM(3, 3, { batchFirst: true, seed: 1 })]) {
      const model = compose({ layer }, ({ layer: call }, x) => call(call(x)));
      const input = floats(2, 2, 9, 3);
      const whole = await forward(model, input, { backend: on });
      const first = await forward(model, stepsOf(input, 0, 4), { backend: on });
      const second = await forward(model, { input: stepsOf(input, 4, 9), state: first.state }, { backend: on });
      expectClose("output", second.output.data, stepsOf(whole.output, 4, 9).data);
      for (const [path, { data }] of Object.entries(whole.state)) expectClose(path, second.state[path].data, data);
      const name = layer instanceof Conv1d ? "past" : "h";
      expect(Object.keys(whole.state)).toEqual(expect.arrayContaining([`layer.${name}`, `layer.${name}.2`]));
    }
  });

  it("is carried from batch to batch by a trainer", async () => {
    const on = await backend(kind);
    const model = new Conv1d(2, 3, 3, { ...last, dilation: 2, seed: 1 });
    const [input, targets] = [floats(1, 2, 8, 2), floats(2, 2, 8, 3)];
    const lossesOf = async (parts: number): Promise<number[]> => {
      const losses: number[] = [];
      const steps = 8 / parts;
      const batch = (step: number) => ({
        input: stepsOf(input, steps * step, steps * (step + 1)),
        targets: stepsOf(targets, steps * step, steps * (step + 1)),
        startsSequence: step === 0,
      });
      const optimizer = sgd({ learningRate: 0 });
      const trainer = new Trainer(model, { backend: on, loss: squaredError(), optimizer, data: { batches: parts, batch } });
      await trainer.train({ steps: parts, onProgress: ({ loss }) => void losses.push(loss) });
      trainer.dispose();
      return losses;
    };
    const [[whole], [first, second]] = [await lossesOf(1), await lossesOf(2)];
    expect((first + second) / 2).toBeCloseTo(whole, 5);
  });
});

/** A convolution that reads frames of [1, 4] numbers from the side. */
class Inside extends Module {
  constructor(readonly conv: Module) {
    super();
    this.addChild("conv", conv);
    this.addChild("rnn", new GRU(4, 4, { batchFirst: true, seed: 1 }));
  }
  override get inputFeatures(): number {
    return 4;
  }
  forward(context: Context, x: Variable): Variable {
    const y = this.conv.forward(context.child("conv"), x);
    return this.children.get("rnn")!.forward(context.child("rnn"), ops.slice(context, y, 1, 0, y.shape[1]));
  }
}

describe("streams", () => {
  const tcn = (): Module => new Sequential([new Conv1d(2, 4, 3, { ...last, dilation: 3 }), new Linear(4, 2)], { seed: 2 });

  it("keep the state when a frame is refused, and name it as forward does", async () => {
    using stream = await createStream(tcn());
    expect(stream.state.shapes).toEqual({ "0.past": [1, 1, 6, 2] });
    for (let t = 0; t < 9; t++) stream.step([t, -t]);
    const before = stream.state.toBytes();
    for (const frame of [[NaN, 1], [1], [1, Infinity]]) expect(() => stream.step(frame)).toThrow("stream.step");
    expect(stream.state.toBytes()).toEqual(before);
    expect([...stream.state.read()["0.past"].data]).toEqual([3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8]);
    const copy = stream.state.clone();
    const next = stream.step([1, 2]).slice();
    stream.state.write(copy);
    expect(stream.step([1, 2])).toEqual(next);
  });

  it("of many users have the results that each has alone", async () => {
    const model = tcn();
    const batcher = await createBatcher(model, { maxBatch: 5 });
    const frames = Array.from({ length: 7 }, (_, user) => Array.from({ length: 12 }, (_, t) => numbers(2, 1 + user * 12 + t)));
    const results = await Promise.all(frames.map((all, user) => Promise.all(all.map((frame) => batcher.step(`user ${user}`, frame)))));
    for (const [user, all] of frames.entries()) {
      using stream = await createStream(model);
      for (const [t, frame] of all.entries()) expect(results[user][t]).toEqual(stream.step(frame));
    }
    batcher.dispose();
  });

  it("play what compose joins, which has the batch first as its convolutions do", async () => {
    const on = await backend("cpu");
    const conv = (): Conv1d => new Conv1d(2, 3, 3, { ...last, dilation: 2, seed: 4 });
    const linear = (): Linear => new Linear(3, 2, { seed: 5 });
    const models = [
      compose({ conv: conv() }, (m, x) => m.conv(x)),
      compose({ block: new Sequential([conv(), linear()]), out: conv() }, (m, x) => m.out(m.block(x))),
      compose({ inner: compose({ conv: conv() }, (m, x) => m.conv(x)), out: linear() }, (m, x) => m.out(m.inner(x))),
      new Sequential([compose({ conv: conv() }, (m, x) => m.conv(x)), linear()]),
      compose({ conv: conv(), rnn: new GRU(3, 3, { batchFirst: true, seed: 7 }) }, (m, x) => m.rnn(m.conv(x))),
      compose({ pool: new MaxPool1d(3, { ...last, stride: 1 }), out: new Linear(2, 2, { seed: 6 }) }, (m, x) => m.out(m.pool(x))),
    ];
    for (const model of models) {
      expect(model.batchFirst).toBe(true);
      const input = floats(8, 2, 9, 2);
      const { output } = await forward(model, input, { backend: on });
      using stream = await createStream(model, { batch: 2, features: 2 });
      for (let t = 0; t < 9; t++) expectClose(`step ${t}`, stream.step(stepsOf(input, t, t + 1).data), stepsOf(output, t, t + 1).data);
    }
  });

  it("know the order of a composition without windows by its layers alone", () => {
    expect(compose({ rnn: new GRU(2, 2) }, (m, x) => m.rnn(x)).batchFirst).toBe(false);
    expect(compose({ out: new Linear(2, 2) }, (m, x) => m.out(x)).batchFirst).toBe(false);
  });

  const refused: Record<string, [Module, string]> = {
    centred: [new Conv1d(4, 4, 3, { layout: "channelsLast", padding: "same" }), "its windows read later steps"],
    "without padding": [new Conv1d(4, 4, 3, { layout: "channelsLast" }), "its windows read later steps"],
    strided: [new Conv1d(4, 4, 3, { ...last, stride: 2 }), "it has a result for one of 2 steps only"],
    "a pool": [new MaxPool1d(2, { layout: "channelsLast" }), "it has a result for one of 2 steps only"],
    "a mean of fewer at first": [new AvgPool1d(2, { ...last, stride: 1, countPadding: false }), "its first steps are means of fewer"],
  };
  it.each(Object.keys(refused))("of windows that need whole sequences are refused by name: %s", async (name) => {
    const [module, reason] = refused[name];
    const refusal = `createStream: needs a model that goes on from step to step, and "conv" needs whole sequences: `;
    await expect(createStream(new Inside(module))).rejects.toThrow(refusal);
    await expect(createStream(new Inside(module))).rejects.toThrow(reason);
    await expect(createStream(module, { features: 4 })).rejects.toThrow(`and this needs whole sequences: `);
  });
});

it("a network of dilated convolutions learns a text and writes it on", async () => {
  const on = await backend("cpu");
  const text = "the cat sat on the mat, and the dog ran off. ".repeat(6);
  const data = TextData.from(text, { batch: 2, steps: 40 });
  const { vocabulary } = data;
  const model = characterTcn(vocabulary.size);
  expect(model.batchFirst).toBe(true);
  const trainer = new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }) });
  await trainer.train({ steps: 150 });
  expect(await generate(model, { backend: on, vocabulary, prompt: "the cat sat on ", length: 30, temperature: 0 })).toBe(
    "the mat, and the dog ran off. ",
  );
  trainer.dispose();
});
