// Inputs are taken when the call is made: whatever becomes of the caller's arrays and objects afterwards, the result is
// that of what they held at the call; and each property is read once, so that what is checked is what is used.
import { describe, expect, it } from "vitest";
import * as rnn from "webgpu-rnn/static";
import type { Backend } from "webgpu-rnn";
import { frozen, readOnce, spoil } from "../calls/spoil.ts";
import { backend, kinds, numbers } from "./support.ts";

const wrong = (value: unknown): never => value as never;
const some = (seed: number, ...shape: number[]) => ({
  shape,
  data: numbers(
    shape.reduce((p, n) => p * n, 1),
    seed,
  ),
});
const ids = (...data: number[]) => ({ shape: [3, 2], data: Int32Array.from(data) });

/** A call: what it is given, new each time, and what is done with it. */
interface Call {
  readonly given: () => Record<string, unknown>;
  readonly run: (given: never, on: Backend) => unknown;
}

const gru = () => new rnn.GRU(2, 3, { seed: 1 });
const characters = () =>
  new rnn.Sequential({ embedding: new rnn.Embedding(5, 3), rnn: new rnn.LSTM(3, 4), linear: new rnn.Linear(4, 5) }, { seed: 2 });
const seq2seq = () =>
  new rnn.Seq2Seq({
    encoder: new rnn.Sequential([new rnn.Embedding(5, 3), new rnn.GRU(3, 4)]),
    decoder: new rnn.Decoder({ vocabulary: 5, memorySize: 4, rnn: new rnn.GRU(3, 4) }),
    seed: 3,
  });
async function collect(pieces: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}
const inputs = () => ({ input: some(1, 3, 2, 2), state: { h: some(2, 1, 2, 3) }, lengths: [3, 2] });
const sentences = () => [[1, 2, 3], [4], [2, 2]];

const calls: Record<string, Call> = {
  "forward of numbers": {
    given: () => ({ inputs: inputs(), options: { seed: 4 } }),
    run: ({ inputs: x, options }: { inputs: rnn.ModelInputs; options: object }, on) => rnn.forward(gru(), x, { backend: on, ...options }),
  },
  "forward of lists": {
    given: () => ({
      x: [
        [
          [1, 2],
          [3, 4],
        ],
        [
          [5, 6],
          [7, 8],
        ],
      ],
    }),
    run: ({ x }, on) => rnn.forward(gru(), x, { backend: on }),
  },
  "forward of ids": { given: () => ({ x: ids(1, 2, 3, 4, 0, 1) }), run: ({ x }, on) => rnn.forward(characters(), x, { backend: on }) },
  gradients: {
    given: () => ({ inputs: inputs(), cotangents: { output: some(3, 3, 2, 3), state: { h: some(4, 1, 2, 3) } } }),
    run: ({ inputs: x, cotangents }, on) => rnn.gradients(gru(), x, cotangents, { backend: on }),
  },
  jacobian: { given: () => ({ x: some(1, 1, 1, 2) }), run: ({ x }, on) => rnn.jacobian(gru(), x, { backend: on }) },
  verify: { given: () => ({ inputs: inputs() }), run: async ({ inputs: x }, on) => (await rnn.verify(gru(), x, { backend: on })).passed },
  "a loss by itself": {
    given: () => ({
      inputs: {
        prediction: some(1, 3, 2, 5),
        targets: ids(1, 2, 3, 4, 0, 1),
        mask: some(5, 3, 2).data.map(Math.abs) && { shape: [3, 2], data: [true, false, true, true, true, true] },
      },
    }),
    run: ({ inputs: x }, on) => rnn.lossAndGradient(rnn.crossEntropy(), x, { backend: on }),
  },
  "an optimiser by itself": {
    given: () => ({ parameters: { w: some(1, 2, 2) }, gradients: [{ w: some(2, 2, 2) }, { w: some(3, 2, 2) }] }),
    run: ({ parameters, gradients }, on) => rnn.optimizerSteps(rnn.adam(), parameters, gradients, { backend: on }),
  },
  gradientFlow: {
    given: () => ({
      batch: { ...inputs(), targets: some(3, 3, 2, 3), mask: { shape: [3, 2, 3], data: new Float32Array(18).fill(0.5) } },
      at: [1, 2],
    }),
    run: ({ batch, at }, on) => rnn.gradientFlow(gru(), batch, { backend: on, loss: rnn.squaredError(), at }),
  },
  logProbability: {
    given: () => ({ batch: rnn.sentenceBatch(sentences(), { end: 0 }) }),
    run: ({ batch }, on) => rnn.logProbability(characters(), batch, { backend: on }),
  },
  "createBackend, whose shaders are compiled later": {
    given: () => ({ options: { shaders: { "softmax-forward": "fn main() { nonsense }" } } }),
    run: async ({ options }: { options: object }, on) => {
      const made = await rnn.createBackend(on.kind, options);
      try {
        return await rnn.forward(new rnn.Softmax(), some(1, 2, 3), { backend: made }).catch(String);
      } finally {
        made.destroy();
      }
    },
  },
  generateTokens: {
    given: () => ({ prompt: [1, 2], options: { length: 5, seed: 3, topK: 4, temperature: 0.9 } }),
    run: ({ prompt, options }: { prompt: number[]; options: object }, on) =>
      collect(rnn.generateTokens(characters(), prompt, { backend: on, ...options })),
  },
  beamSearch: {
    given: () => ({ sources: sentences(), options: { end: 0, beams: 2, maxLength: 4 } }),
    run: ({ sources, options }: { sources: number[][]; options: { end: number } }, on) =>
      rnn.beamSearch(seq2seq(), sources, { backend: on, ...options }),
  },
  loadStateDict: {
    given: () => ({ dict: { weight: some(1, 2, 3), bias: some(2, 2) } }),
    run: ({ dict }) => {
      const layer = new rnn.Linear(3, 2);
      layer.loadStateDict(dict);
      return layer.stateDict();
    },
  },
  stackWeights: {
    given: () => ({ dict: { weight_ih_l0: some(1, 6, 2), weight_hh_l0: some(2, 6, 2) } }),
    run: ({ dict }) =>
      rnn.stackWeights(
        "gru",
        rnn.unstackWeights(
          "gru",
          wrong(
            rnn.stackWeights(
              "gru",
              wrong({
                weight_ih_l0: (dict as Record<string, unknown>).weight_ih_l0,
                weight_hh_l0: (dict as Record<string, unknown>).weight_hh_l0,
              }),
            ),
          ),
        ),
      ),
  },
  sentences: {
    given: () => ({ sentences: sentences() }),
    run: ({ sentences: s }) => {
      const data = new rnn.SentenceData(s, { end: 0, batch: 2 });
      return Promise.resolve().then(() => [data.batch(0), data.batch(1)]);
    },
  },
  pairs: {
    given: () => ({ sources: sentences(), targets: sentences() }),
    run: ({ sources, targets }) => {
      const data = new rnn.PairData(sources, targets, { end: 0, batch: 2 });
      return Promise.resolve().then(() => [data.batch(0), data.batch(1)]);
    },
  },
  tensor: {
    given: () => ({ data: numbers(4) }),
    run: ({ data }) => {
      const made = rnn.tensor(data, [2, 2]);
      return Promise.resolve().then(() => made);
    },
  },
  Vocabulary: {
    given: () => ({ characters: ["a", "b", "c"] }),
    run: ({ characters: c }) => {
      const vocabulary = new rnn.Vocabulary(c);
      return Promise.resolve().then(() => [vocabulary.size, vocabulary.decode([0, 2])]);
    },
  },
  decodeSafetensors: {
    given: () => ({ file: rnn.encodeSafetensors({ a: some(1, 2, 2), b: { shape: [2], data: Uint32Array.of(1, 2) } }) }),
    run: ({ file }) => {
      const { tensors } = rnn.decodeSafetensors(file);
      return Promise.resolve().then(() => tensors);
    },
  },
  "a layer's options": {
    given: () => ({ options: { numLayers: 2, bidirectional: true, seed: 1, zoneout: { h: 0.1 } } }),
    run: ({ options }) => new rnn.GRU(2, 3, options).stateDict(),
  },
};

for (const kind of kinds)
  describe(`on ${kind} the result is that of the moment of the call`, () => {
    it.each(Object.entries(calls))("%s", async (_, { given, run }) => {
      const on = await backend(kind);
      const expected = await run(given() as never, on);
      const changed = given();
      const pending = run({ ...changed } as never, on);
      spoil(changed);
      expect(await pending).toEqual(expected);
      expect(await run(frozen(given()) as never, on), "frozen").toEqual(expected);
      const once = Object.fromEntries(Object.entries(given()).map(([name, value]) => [name, readOnce(value)]));
      expect(await run(once as never, on), "read once").toEqual(expected);
    });
  });

/** Losses of three steps over batches that come in the same arrays. */
async function losses(on: Backend, reused: boolean): Promise<number[]> {
  const arrays = { input: new Float32Array(12), targets: new Float32Array(18), mask: new Float32Array(18), lengths: [0, 0] };
  const trainer = new rnn.Trainer(gru(), {
    backend: on,
    loss: rnn.squaredError(),
    optimizer: rnn.adam({ learningRate: 0.1 }),
    carryState: false,
    data: {
      batches: 3,
      batch: (step) => {
        const { input, targets, mask, lengths } = reused
          ? arrays
          : { input: new Float32Array(12), targets: new Float32Array(18), mask: new Float32Array(18), lengths: [0, 0] };
        input.set(numbers(12, step + 1));
        targets.set(numbers(18, step + 9));
        mask.fill(1).fill(0.5, 6 + step);
        lengths.splice(0, 2, 3, step);
        // The app overwrites its arrays as soon as it can.
        if (reused) queueMicrotask(() => [input, targets, mask, lengths].forEach((array) => array.fill(117)));
        return {
          input: { shape: [3, 2, 2], data: input },
          targets: { shape: [3, 2, 3], data: targets },
          mask: { shape: [3, 2, 3], data: mask },
          lengths,
          startsSequence: true,
        };
      },
    },
  });
  const found: number[] = [];
  for await (const { loss } of trainer.run({ steps: 3 })) found.push(loss);
  found.push((await trainer.evaluate()).loss);
  return found;
}

describe("a trainer's batches", () => {
  it.each(kinds)("may come in the same arrays each time, on %s", async (kind) => {
    expect(await losses(await backend(kind), true)).toEqual(await losses(await backend(kind), false));
  });
});
