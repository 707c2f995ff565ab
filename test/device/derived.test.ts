/**
 * Derived buffers (packed weights, halves, products of weights) are computed when parameters change, not in every run.
 */
import { describe, expect, it } from "vitest";
import {
  adam,
  crossEntropy,
  Embedding,
  forward,
  generateTokens,
  GRU,
  Linear,
  LSTM,
  RNN,
  Sequential,
  TextData,
  Trainer,
  type Backend,
  type Module,
} from "webgpu-rnn";
import { backend, kinds, numbers, ownBackend } from "./support.ts";

const [T, B, I, H] = [1, 2, 3, 6];
const input = { shape: [T, B, I], data: numbers(T * B * I, 2) };

/** Layers whose derived buffers differ, and what of `forward` they need. */
const forms: Record<string, { make: (seed: number) => Module; options?: object; input?: object }> = {
  "one layer": { make: (seed) => new LSTM(I, H, { seed }) },
  "peepholes, two layers": { make: (seed) => new LSTM(I, H, { numLayers: 2, peepholes: true, seed }) },
  "both directions": { make: (seed) => new GRU(I, H, { bidirectional: true, seed }) },
  "two phases": { make: (seed) => new GRU(I, H, { reset: "before", seed }) },
  "a wavefront": { make: (seed) => new RNN(I, H, { numLayers: 3, seed }), options: { strategy: "wavefront" } },
  "half precision": { make: (seed) => new LSTM(I, H, { seed }), options: { storage: "float16" } },
  "a projection": { make: (seed) => new LSTM(I, H, { projSize: 2, seed }) },
  norms: { make: (seed) => new LSTM(I, H, { normalization: "layer", seed }) },
  "a table with fewer rows than the input": {
    make: (seed) => new Sequential([new Embedding(2, 4), new LSTM(4, H)], { seed }),
    input: { shape: [4, B], data: Uint32Array.of(0, 1, 1, 0, 1, 0, 0, 1) },
  },
  "rows of a table": {
    make: (seed) => new Sequential([new Embedding(9, 4), new LSTM(4, H)], { seed }),
    input: { shape: [1, B], data: Uint32Array.of(8, 3) },
  },
};

/** Dispatches of one call, and its output. */
async function counted(
  on: Backend,
  call: () => Promise<{ output: { data: ArrayLike<number> } }>,
): Promise<{ dispatches: number; output: number[] }> {
  const before = on.counters.dispatches;
  const { output } = await call();
  return { dispatches: on.counters.dispatches - before, output: Array.from(output.data) };
}

describe.each(kinds)("on %s", (kind) => {
  it.each(Object.entries(forms))(
    "a second frame packs nothing, and new parameters are packed: %s",
    async (_, { make, options = {}, input: given = input }) => {
      const on = await backend(kind);
      const model = make(1);
      const run = (of: Module) => counted(on, () => forward(of, given as typeof input, { backend: on, ...options }));
      const [first, second, third] = [await run(model), await run(model), await run(model)];
      expect(second.dispatches).toBeLessThan(first.dispatches);
      expect(third.dispatches).toBe(second.dispatches);
      expect(second.output).toEqual(first.output);
      expect(third.output).toEqual(first.output);
      const others = make(2);
      model.loadStateDict(await others.stateDict());
      const fourth = await run(model);
      expect(fourth.dispatches).toBe(first.dispatches);
      expect(fourth.output).toEqual((await run(others)).output);
      expect(fourth.output).not.toEqual(first.output);
    },
  );

  it("a second token packs nothing: only the first of a generation is dearer", async () => {
    const on = await backend(kind);
    const model = new Sequential([new Embedding(9, 4), new LSTM(4, H), new Linear(H, 9)], { seed: 1 });
    const dispatchesOf = async (length: number): Promise<number> => {
      const before = on.counters.dispatches;
      for await (const _ of generateTokens(model, [1], { backend: on, length }));
      return on.counters.dispatches - before;
    };
    await dispatchesOf(1);
    const [one, two, three] = [await dispatchesOf(1), await dispatchesOf(2), await dispatchesOf(3)];
    // Embedding, input, step, output, draw, advance: whatever else there was would be packing.
    expect(two - one).toBe(three - two);
    expect(two - one).toBeLessThanOrEqual(7);
  });

  it("a training between two frames is seen at once, whatever was derived before", async () => {
    const on = await backend(kind);
    const data = TextData.from("abcabcaabbcc".repeat(6), { batch: 2, steps: 4 });
    const V = data.vocabulary.size;
    const model = new Sequential([new Embedding(V, 4), new LSTM(4, H), new Linear(H, V)], { seed: 3 });
    const trainer = new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.05 }) });
    const elsewhere = await ownBackend(kind);
    const ids = { shape: [1, 2], data: Uint32Array.of(0, 1) };
    for (let round = 0; round < 4; round++) {
      await trainer.train({ steps: 1 });
      const here = await forward(model, ids, { backend: on });
      // A backend that has never seen the model, which shows what its values give.
      const copy = new Sequential([new Embedding(V, 4), new LSTM(4, H), new Linear(H, V)], { seed: 9 });
      copy.loadStateDict(await model.stateDict());
      expect(Array.from(here.output.data)).toEqual(Array.from((await forward(copy, ids, { backend: elsewhere })).output.data));
    }
    elsewhere.destroy();
  });
});
