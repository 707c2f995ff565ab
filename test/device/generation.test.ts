/** Generation: several prompts at once are continued as they would be alone, and begin as `forward` does. */
import { describe, expect, it } from "vitest";
import {
  AvgPool1d,
  Conv1d,
  Embedding,
  forward,
  generate,
  generateTokens,
  GRU,
  Linear,
  LSTM,
  MaxPool1d,
  MinGRU,
  Residual,
  Sequential,
  Vocabulary,
  type Module,
  type SamplingOptions,
} from "webgpu-rnn";
import { sampledOn } from "../thorough.ts";
import { characterTcn } from "./causal-models.ts";
import { LearntStates } from "./learnt-states.ts";
import { backend, kinds } from "./support.ts";

const V = 9;
const prompts = [[1, 2, 3], [4], [5, 0, 5, 7, 5, 5], [1, 2, 3], [0, 8], [2, 2, 2], [8]];

const models: Record<string, () => Module> = {
  "learnt first states": () => new Sequential([new Embedding(V, 4), new LearntStates(4, 6), new Linear(6, V)], { seed: 3 }),
  "an LSTM": () => new Sequential([new Embedding(V, 4), new LSTM(4, 7), new Linear(7, V)], { seed: 1 }),
  "dilated convolutions": () => characterTcn(V),
  "layers of GRUs, batch first": () =>
    new Sequential(
      [new Embedding(V, 4), new GRU(4, 6, { numLayers: 2, batchFirst: true }), new MinGRU(6, 5, { batchFirst: true }), new Linear(5, V)],
      { seed: 2 },
    ),
};

async function drawn(model: Module, prompt: number[], options: SamplingOptions) {
  const all: number[] = [];
  for await (const piece of generateTokens(model, prompt, options)) all.push(...piece);
  return all;
}

async function drawnTogether(model: Module, options: SamplingOptions) {
  const all = prompts.map((): number[] => []);
  for await (const pieces of generateTokens(model, prompts, options)) pieces.forEach((piece, i) => all[i].push(...piece));
  return all;
}

describe.each(kinds)("several prompts, on %s", (kind) => {
  describe.each(sampledOn(kind, Object.entries(models), 1))("of a model with %s", (_, make) => {
    it.each(sampledOn(kind, [{ temperature: 0.7, topK: 3, stop: 6 }, {}, { temperature: 0 }], 1))(
      "draw what each draws alone: %o",
      async (options) => {
        const model = make();
        // More than are read back together.
        const given = { ...options, backend: await backend(kind), length: 40, seed: 5 };
        const together = await drawnTogether(model, given);
        for (const [i, prompt] of prompts.entries()) expect(together[i], `prompt ${i}`).toEqual(await drawn(model, prompt, given));
        expect(together[0]).toEqual(together[3]);
      },
    );

    it("draw with a seed of each", async () => {
      const model = make();
      const on = await backend(kind);
      const seed = prompts.map((_, i) => 2 ** 40 + i);
      const together = await drawnTogether(model, { backend: on, length: 12, seed });
      for (const [i, prompt] of prompts.entries())
        expect(together[i]).toEqual(await drawn(model, prompt, { backend: on, length: 12, seed: seed[i] }));
      expect(together[0]).not.toEqual(together[3]);
    });

    it("take the likeliest token after what forward reads from the beginning", async () => {
      const model = make();
      const on = await backend(kind);
      const together = await drawnTogether(model, { backend: on, length: 4, temperature: 0 });
      for (const [i, prompt] of prompts.entries()) {
        const ids = [...prompt, ...together[i]];
        const shape = model.batchFirst ? [1, ids.length - 1] : [ids.length - 1, 1];
        const { output } = await forward(model, { shape, data: Uint32Array.from(ids.slice(0, -1)) }, { backend: on });
        const likeliest = ids.slice(1).map((_, t) => {
          const logits = [...output.data.subarray(t * V, (t + 1) * V)];
          return logits.indexOf(Math.max(...logits));
        });
        expect(together[i]).toEqual(likeliest.slice(prompt.length - 1));
      }
    });
  });

  it("take as many dispatches for a token as one prompt", async () => {
    const on = await backend(kind);
    const model = models["an LSTM"]();
    const dispatchesOf = async (prompt: number[][], length: number): Promise<number> => {
      const before = on.counters.dispatches;
      for await (const _ of generateTokens(model, prompt, { backend: on, length }));
      return on.counters.dispatches - before;
    };
    const perToken = async (prompt: number[][]) => (await dispatchesOf(prompt, 12)) - (await dispatchesOf(prompt, 2));
    expect(
      await perToken([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
    ).toBe(await perToken([[1, 2]]));
  });
});

describe("texts", () => {
  const vocabulary = Vocabulary.of("abcdefghi");

  it("come in the order of their prompts, and so do their pieces", async () => {
    const on = await backend("cpu");
    const model = models["an LSTM"]();
    const given = { backend: on, vocabulary, length: 50, stop: "f", seed: 4 };
    const heard = ["", "", ""];
    const list = ["abc", "i", "heg"];
    const texts = await generate(model, { ...given, prompt: list, onText: (piece, i) => (heard[i] += piece) });
    expect(texts).toEqual(await Promise.all(list.map((prompt) => generate(model, { ...given, prompt }))));
    expect(heard).toEqual(texts);
    expect(await generate(model, { ...given, prompt: ["abc"] })).toEqual([texts[0]]);
  });

  it("are refused in words", async () => {
    const on = await backend("cpu");
    const model = models["an LSTM"]();
    const given = { backend: on, vocabulary };
    await expect(generate(model, { ...given, prompt: [] })).rejects.toThrow(
      "generate: prompt must be one prompt, or a list of at least one",
    );
    await expect(generate(model, { ...given, prompt: ["a", ""] })).rejects.toThrow("generate: prompt 1 must have at least one token");
    await expect(generate(model, { ...given, prompt: ["a", 3 as never] })).rejects.toThrow("text");
    await expect(generate(model, { ...given, prompt: ["a", "b"], seed: [1] })).rejects.toThrow(
      "generate: seed must be a number, or one for each of the 2 prompts, got 1",
    );
    await expect(generate(model, { ...given, prompt: ["a", "b"], seed: [1, -1] })).rejects.toThrow("generate: seed 1 must be an integer");
    await expect(generate(model, { ...given, prompt: "a", seed: [1] })).rejects.toThrow("generate: seed must be an integer");
    const counting = new Sequential([new Embedding(9, 3), new GRU(3, 9, { normalization: "batch", normalizedSteps: 2 })]);
    expect(() => generateTokens(counting, [1], { backend: on })).toThrow("generate: needs layers that treat all steps alike");
    const layout = "channelsLast" as const;
    const reading = (module: Module): Module =>
      new Sequential([new Embedding(9, 4), new Residual(module), new GRU(4, 9, { batchFirst: true })], { seed: 1 });
    const windows = { layout, stride: 1, padding: "same" } as const;
    for (const module of [new Conv1d(4, 4, 2, windows), new MaxPool1d(3, windows), new AvgPool1d(3, windows)])
      expect(() => generateTokens(reading(module), [1], { backend: on })).toThrow(
        'generate: needs a model that goes on from step to step, and "1.block" needs whole sequences: its windows read later steps; padding: "causal" makes them read earlier ones only',
      );
    for await (const ids of generateTokens(reading(new Conv1d(4, 4, 1, { layout })), [1], { backend: on, length: 3 }))
      expect(ids).toHaveLength(3);
    expect(() => generateTokens(model, [[1], [9]], { backend: on })).toThrow("generate: prompt 1 must be integers from 0 to 8, got 9");
  });
});
