/** Sentences: batches of different lengths, their probability, attention, encoder and decoder, search. */
import { describe, expect, it } from "vitest";
import {
  adam,
  crossEntropy,
  Embedding,
  forward,
  generateTokens,
  gradients,
  GRU,
  Linear,
  LSTM,
  RNN,
  Sequential,
  sgd,
  Trainer,
  verify,
  type Backend,
  type Tensor,
} from "webgpu-rnn";
import {
  Attention,
  beamSearch,
  Decoder,
  logProbability,
  PairData,
  SentenceData,
  Seq2Seq,
  sentenceBatch,
  type Hypothesis,
  type Score,
  type Seq2SeqOptions,
} from "webgpu-rnn/language";
import type { Recording } from "../../src/recording/recording.ts";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { itThoroughly, sampled, usuallyIf } from "../thorough.ts";

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const total = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const exact = (shape: readonly number[], seed: number): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
  ),
});

/** ln softmax of a row of logits. */
function logSoftmax(logits: readonly number[]): number[] {
  const sum = Math.log(total(logits.map(Math.exp)));
  return logits.map((x) => x - sum);
}

describe.each(kinds)("the probability of sentences, on %s", (kind) => {
  const model = new Sequential([new Embedding(4, 3), new GRU(3, 5), new Linear(5, 4)], { seed: 1 });
  const sentences = [[1, 2, 3, 3, 1], [], [2]];

  usuallyIf(kind === "cpu")("is the sum of the conditionals of each row's tokens and of its end", async () => {
    const on = await backend(kind);
    const { logProbabilities, tokens, perplexity } = await logProbability(model, sentenceBatch(sentences, { end: 0 }), { backend: on });
    const expected = await Promise.all(
      sentences.map(async (sentence) => {
        const input = { shape: [sentence.length + 1, 1], data: Uint32Array.from([0, ...sentence]) };
        const { output } = await forward(model, input, { backend: on });
        return total([...sentence, 0].map((token, t) => logSoftmax([...output.data.subarray(4 * t, 4 * t + 4)])[token]));
      }),
    );
    expectClose("log probabilities", logProbabilities, expected);
    expect(tokens).toEqual([6, 1, 2]);
    expectClose("perplexity", [perplexity], [Math.exp(-total(expected) / 9)]);
  });

  it("of all sentences of at most one token, and of all longer ones together, is 1", async () => {
    const on = await backend(kind);
    const { logProbabilities } = await logProbability(model, sentenceBatch([[], [1], [2], [3]], { end: 0 }), { backend: on });
    const longer = await logProbability(
      model,
      sentenceBatch(
        range(9).map((i) => [1 + (i % 3), 1 + Math.floor(i / 3)]),
        { end: 0 },
      ),
      { backend: on },
    );
    // A sentence that begins with two tokens: its probability without the factor of the end.
    const { output } = await forward(
      model,
      {
        shape: [3, 9],
        data: Uint32Array.from([
          ...new Array<number>(9).fill(0),
          ...range(9).map((i) => 1 + (i % 3)),
          ...range(9).map((i) => 1 + Math.floor(i / 3)),
        ]),
      },
      { backend: on },
    );
    const ends = range(9).map((i) => logSoftmax([...output.data.subarray(4 * (18 + i), 4 * (18 + i) + 4)])[0]);
    expectClose("sum", [total(logProbabilities.map(Math.exp)) + total(longer.logProbabilities.map((p, i) => Math.exp(p - ends[i])))], [1]);
  });

  it("is what the trainer's evaluation says, as perplexity", async () => {
    const on = await backend(kind);
    const data = new SentenceData(sentences, { end: 0, batch: 3 });
    const trainer = new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: sgd({ learningRate: 0.1 }) });
    expectClose(
      "perplexity",
      [(await trainer.evaluate()).perplexity],
      [(await logProbability(model, data.batch(0), { backend: on })).perplexity],
    );
  });

  it("leaves out masked targets and ignored targets", async () => {
    const on = await backend(kind);
    const batch = sentenceBatch(sentences, { end: 0 });
    const { shape, data } = batch.targets;
    const kept = Float32Array.from(data, (_, i) => (i % 4 === 0 ? 0 : 1));
    const masked = await logProbability(model, { ...batch, mask: { shape, data: kept } }, { backend: on });
    const unmasked = await logProbability(
      model,
      { ...batch, targets: { shape, data: Int32Array.from(data, (id, i) => (kept[i] ? id : -100)) } },
      { backend: on },
    );
    expect(masked).toEqual(unmasked);
    expect(total(masked.tokens)).toBeLessThan(9);
  });

  usuallyIf(kind === "webgpu")("grows by training on them, in batches of different numbers of rows", async () => {
    const on = await backend(kind);
    const trained = new Sequential([new Embedding(4, 3), new GRU(3, 5), new Linear(5, 4)], { seed: 1 });
    const data = new SentenceData(sentences, { end: 0, batch: 2 });
    const trainer = new Trainer(trained, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.05 }) });
    const probability = async (): Promise<number> =>
      total((await logProbability(trained, sentenceBatch(sentences, { end: 0 }), { backend: on })).logProbabilities);
    const before = await probability();
    for await (const _ of trainer.run({ steps: 40 }));
    expect(await probability()).toBeGreaterThan(before + 4);
  });

  it("generation stops at the end of a sentence, which is not in the result", async () => {
    const on = await backend(kind);
    const draw = async (stop?: number): Promise<number[]> => {
      const all: number[] = [];
      for await (const piece of generateTokens(model, [0], { backend: on, length: 70, seed: 3, stop })) all.push(...piece);
      return all;
    };
    const whole = await draw();
    expect(whole).toHaveLength(70);
    const first = whole.indexOf(0);
    expect(first, "the end is drawn somewhere behind the first token").toBeGreaterThan(0);
    expect(await draw(0)).toEqual(whole.slice(0, first));
  });
});

describe("batches of sentences", () => {
  it("begin with the end mark, have it as the last target, and leave out positions past a row's end", () => {
    const { input, targets, lengths } = sentenceBatch([[5, 6, 7, 8], [9]], { end: 0, batchFirst: true });
    expect(input).toEqual({ shape: [2, 8], data: Uint32Array.of(0, 5, 6, 7, 8, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0) });
    expect(targets.data).toEqual(Int32Array.of(5, 6, 7, 8, 0, -100, -100, -100, 9, 0, -100, -100, -100, -100, -100, -100));
    expect(lengths).toEqual([5, 2]);
    const timeFirst = sentenceBatch([[5, 6, 7], [9]], { end: 0 });
    expect(timeFirst.input).toEqual({ shape: [4, 2], data: Uint32Array.of(0, 0, 5, 9, 6, 0, 7, 0) });
    expect(timeFirst.targets.data).toEqual(Int32Array.of(5, 9, 6, 0, 7, -100, 0, -100));
  });

  it("bring each sentence once a round, beside others of similar length", () => {
    const sentences = range(50).map((i) => range((i * 7) % 13).map(() => i));
    const data = new SentenceData(sentences, { end: 99, batch: 8 });
    expect(data.batches).toBe(7);
    const seen = range(7).flatMap((step) => {
      const { input, lengths } = data.batch(step, true);
      expect(Math.max(...Array.from(lengths!)) - Math.min(...Array.from(lengths!))).toBeLessThan(4);
      return range(input.shape[0]).map((row) => input.data[row * input.shape[1] + 1]);
    });
    expect(seen.filter((id) => id !== 99).sort((a, b) => a - b)).toEqual(range(50).filter((i) => (i * 7) % 13 > 0));
    expect(data.batch(7).input).toEqual(data.batch(0).input);
  });

  it("of pairs hold the sources, their lengths, and the targets twice, one step apart", () => {
    const { input, lengths, further, targets } = new PairData([[1, 2, 3], [4]], [[7], [8, 9]], { end: 0 }).batch(0);
    expect(input).toEqual({ shape: [4, 2], data: Uint32Array.of(4, 1, 0, 2, 0, 3, 0, 0) });
    expect(lengths).toEqual([1, 3]);
    expect(further!.target).toEqual({ shape: [4, 2], data: Uint32Array.of(0, 0, 8, 7, 9, 0, 0, 0) });
    expect(targets.data).toEqual(Int32Array.of(8, 7, 9, 0, 0, -100, -100, -100));
  });

  it.each([
    ["no sentence", () => new SentenceData([], { end: 0 }), "SentenceData: sentences must be a list of at least one sentence"],
    ["a text", () => sentenceBatch(["abc"] as never, { end: 0 }), 'sentenceBatch: sentences 0 must be a list of ids, got "abc"'],
    ["a fraction of an id", () => new SentenceData([[1], [0.5]], { end: 0 }), "SentenceData: sentences 1 must be integers"],
    [
      "too few targets",
      () => new PairData([[1], [2]], [[1]], { end: 0 }),
      "PairData: there must be a target for each of the 2 sources, got 1",
    ],
    [
      "no end",
      () => new SentenceData([[1]], {} as never),
      "SentenceData: end must be an integer of at least 0 and at most 2147483647, got undefined",
    ],
  ])("are refused of %s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});

const [T, B, Q, S, M] = [2, 3, 4, 5, 4];
const lengths = [5, 2, 0];
const mask: Tensor = { shape: [B, S], data: Float64Array.from({ length: B * S }, (_, i) => (i % S < lengths[Math.floor(i / S)] ? 1 : 0)) };
const scores: Score[] = ["additive", "dot", "general"];

/** The definition, in loops. */
function attended(
  score: Score,
  parameters: Record<string, Tensor>,
  query: Tensor,
  memory: Tensor,
): { output: number[]; weights: number[] } {
  const q = (t: number, b: number): number[] => range(Q).map((i) => query.data[(t * B + b) * Q + i]);
  const m = (s: number, b: number): number[] => range(M).map((i) => memory.data[(s * B + b) * M + i]);
  const times = ({ shape: [rows, columns], data }: Tensor, v: number[]): number[] =>
    range(rows).map((r) => total(range(columns).map((c) => data[r * columns + c] * v[c])));
  const dot = (a: ArrayLike<number>, b: number[]): number => total(b.map((x, i) => x * a[i]));
  const scoreOf = (a: number[], b: number[]): number => {
    if (score === "dot") return dot(a, b);
    if (score === "general") return dot(a, times(parameters.weight, b));
    const [ofQuery, ofMemory] = [times(parameters.weight_query, a), times(parameters.weight_memory, b)];
    return dot(
      parameters.v.data,
      ofQuery.map((x, i) => Math.tanh(x + ofMemory[i])),
    );
  };
  const weights = range(B).flatMap((b) =>
    range(T).flatMap((t) => {
      const e = range(S).map((s) => (s < lengths[b] ? Math.exp(scoreOf(q(t, b), m(s, b))) : 0));
      return e.map((x) => (x === 0 ? 0 : x / total(e)));
    }),
  );
  const output = range(T).flatMap((t) =>
    range(B).flatMap((b) => range(M).map((i) => total(range(S).map((s) => weights[(b * T + t) * S + s] * m(s, b)[i])))),
  );
  return { output, weights };
}

describe.each(scores)("attention with the score %s", (score) => {
  const attention = new Attention(Q, M, { score, seed: 1 });
  const inputs = { input: exact([T, B, Q], 3), further: { memory: exact([S, B, M], 4), mask } };

  it.each(kinds)("is the weighted mean of the definition, on %s", async (kind) => {
    const { output, further } = await forward(attention, inputs, { backend: await backend(kind) });
    const expected = attended(score, await attention.stateDict(), inputs.input, inputs.further.memory);
    expectClose("output", output.data, expected.output);
    expect(further.weights.shape).toEqual([B, T, S]);
    expectClose("weights", further.weights.data, expected.weights);
  });

  it("has the gradients of finite differences, of the queries, the memory and the parameters", async () => {
    await checkGradients(attention, inputs);
  });
});

const makeModel = (
  options: Partial<Seq2SeqOptions> & { score?: Score; cell?: "gru" | "lstm" | "projected"; dropout?: number } = {},
): Seq2Seq => {
  const { score, cell = "gru", dropout, ...rest } = options;
  const rnn = cell === "gru" ? new GRU(3, 4) : new LSTM(3, 4, { numLayers: 2, projSize: cell === "projected" ? 2 : 0 });
  return new Seq2Seq({
    encoder: new Sequential([new Embedding(6, 3), new GRU(3, 2, { bidirectional: true })]),
    decoder: new Decoder({ vocabulary: 5, memorySize: 4, rnn, score, dropout }),
    seed: 2,
    ...rest,
  });
};
const pairs = new PairData([[1, 2, 3], [4], [5, 5]], [[2, 1], [3, 4, 1], []], { end: 0, batch: 3 });
const inputsOf = (): { input: Tensor; lengths: ArrayLike<number>; further: Record<string, Tensor> } => {
  const { input, lengths: of, further } = pairs.batch(0);
  return { input, lengths: of!, further: { ...further } };
};
const cotangentOf = (batch: { further: Record<string, Tensor> }): Tensor => exact([...batch.further.target.shape, 5], 8);

describe("encoder and decoder", () => {
  it.each(sampled(scores, 1))("have the gradients of finite differences with the score %s", async (score) => {
    await checkGradients(makeModel({ score }), inputsOf());
  });

  itThoroughly("have them with an LSTM of two layers, dropout, and numbers instead of ids as the source", async () => {
    const model = new Seq2Seq({
      encoder: new RNN(2, 4),
      decoder: new Decoder({ vocabulary: 5, memorySize: 4, rnn: new LSTM(3, 4, { numLayers: 2 }), score: "dot", dropout: 0.3 }),
      seed: 3,
    });
    await checkGradients(model, { ...inputsOf(), input: exact([4, 3, 2], 5) }, true);
  });

  itThoroughly("have them with a projected LSTM, whose h and c differ in size", async () => {
    await checkGradients(makeModel({ cell: "projected", score: "additive" }), inputsOf());
  });

  itThoroughly("have them step by step, where scheduled sampling never draws", async () => {
    await checkGradients(makeModel({ scheduledSampling: () => 0, cell: "lstm" }), inputsOf(), true);
  });

  it.each(kinds)("compute the same step by step as all at once, if nothing is drawn, on %s", async (kind) => {
    const inputs = inputsOf();
    const run = async (model: Seq2Seq) =>
      gradients(model, inputs, { output: cotangentOf(inputs) }, { backend: await backend(kind), training: true });
    const [whole, steps] = [await run(makeModel()), await run(makeModel({ scheduledSampling: () => 0 }))];
    expectClose("output", steps.output.data, whole.output.data);
    for (const [name, { data }] of Object.entries(whole.gradients.parameters))
      expectClose(name, steps.gradients.parameters[name].data, data);
  });

  it.each(sampled(kinds, 1))("compute the same by every strategy, with layers on each other, on %s", async (kind) => {
    const inputs = inputsOf();
    const run = async (strategy: "loop" | "step", model: Seq2Seq) =>
      gradients(model, inputs, { output: cotangentOf(inputs) }, { backend: await backend(kind), training: true, strategy });
    const [loop, step] = [
      await run("loop", makeModel({ cell: "lstm" })),
      await run("step", makeModel({ cell: "lstm", scheduledSampling: () => 0 })),
    ];
    expectClose("output", step.output.data, loop.output.data);
    for (const [name, { data }] of Object.entries(loop.gradients.parameters)) expectClose(name, step.gradients.parameters[name].data, data);
  });

  it("draw the same tokens on both backends, different ones at each step, and continue from them", async () => {
    const losses = async (on: Backend, rate: number): Promise<number[]> => {
      const trainer = new Trainer(makeModel({ scheduledSampling: (step) => (step < 2 ? rate : 1) }), {
        backend: on,
        data: pairs,
        loss: crossEntropy(),
        optimizer: sgd({ learningRate: 0.01 }),
        seed: 4,
      });
      const result: number[] = [];
      for await (const { loss } of trainer.run({ steps: 8 })) result.push(loss);
      return result;
    };
    const [cpu, gpu, given] = [
      await losses(await backend("cpu"), 0.5),
      await losses(await backend("webgpu"), 0.5),
      await losses(await backend("cpu"), 0),
    ];
    expectClose("losses", gpu, cpu, { atol: 1e-4, rtol: 1e-4 });
    expect(cpu).not.toEqual(given);
  });

  it("continue from a checkpoint bit for bit, with the same draws", async () => {
    const on = await backend("cpu");
    const make = (): Trainer =>
      new Trainer(makeModel({ scheduledSampling: (step) => step / 10, seed: 5 }), {
        backend: on,
        data: pairs,
        loss: crossEntropy(),
        optimizer: adam({ learningRate: 0.01 }),
        seed: 6,
      });
    const losses = async (trainer: Trainer): Promise<number[]> => {
      const result: number[] = [];
      for await (const { loss } of trainer.run({ steps: 4 })) result.push(loss);
      return result;
    };
    const first = make();
    await losses(first);
    const second = make();
    await second.restore(await first.checkpoint());
    expect(await losses(second)).toEqual(await losses(first));
  });

  it("do not see positions past a source's end", async () => {
    const on = await backend("cpu");
    const model = makeModel();
    const inputs = inputsOf();
    const other = {
      ...inputs,
      input: { ...inputs.input, data: inputs.input.data.map((id, i) => (Math.floor(i / 3) < Array.from(inputs.lengths)[i % 3] ? id : 3)) },
    };
    expect(other.input.data).not.toEqual(inputs.input.data);
    expect((await forward(model, other, { backend: on })).output.data).toEqual((await forward(model, inputs, { backend: on })).output.data);
  });

  it("train with a mask of the targets beside rows of different lengths", async () => {
    const on = await backend("cpu");
    const batch = pairs.batch(0);
    const mask = { shape: batch.targets.shape, data: new Float32Array(batch.targets.data.length).fill(1) };
    const lossOf = async (more: object): Promise<number> => {
      const data = { batches: 1, batch: () => ({ ...batch, ...more }), carriesState: false };
      const trainer = new Trainer(makeModel(), { backend: on, data, loss: crossEntropy(), optimizer: sgd() });
      return (await trainer.evaluate(data)).loss;
    };
    expect(await lossOf({ mask })).toBe(await lossOf({}));
  });

  it("pass verification on the device, command by command", async () => {
    const further = { target: { shape: [2, 3], data: Uint32Array.of(0, 0, 0, 2, 3, 1) } };
    const report = await verify(
      makeModel({ scheduledSampling: () => 0.5, dropout: 0.2, score: "additive" }),
      { ...inputsOf(), further },
      { backend: await backend("webgpu") },
    );
    expect(report.passed, String(report)).toBe(true);
  });

  it("are refused in words where parts do not fit", async () => {
    const decoder = () => new Decoder({ vocabulary: 5, memorySize: 4, rnn: new GRU(3, 4) });
    expect(() => new Seq2Seq({ encoder: new GRU(3, 4, { batchFirst: true }), decoder: decoder() })).toThrow(
      "Seq2Seq: encoder must have time first, got layers with batchFirst",
    );
    expect(() => new Seq2Seq({ encoder: new GRU(3, 4), decoder: new GRU(3, 4) as never })).toThrow(
      "Seq2Seq: decoder must be a Decoder, got a GRU",
    );
    expect(() => new Decoder({ vocabulary: 5, memorySize: 4, rnn: new GRU(3, 4, { bidirectional: true }) })).toThrow(
      "Decoder: rnn must read in one direction",
    );
    expect(() => new Attention(3, 4, { score: "dot" })).toThrow(
      'Attention: the score "dot" needs queries and memory of one size, got 3 and 4; use "general"',
    );
    const on = { backend: await backend("cpu") };
    const { further, ...rest } = inputsOf();
    await expect(forward(makeModel(), rest, on)).rejects.toThrow(
      'Seq2Seq: needs the further input "target" [steps, batch]; beamSearch does without',
    );
    await expect(forward(makeModel(), { ...rest, further: { targets: further.target } }, on)).rejects.toThrow(
      'inputs.further: unknown option "targets"; did you mean "target"?',
    );
    await expect(
      forward(makeModel(), { ...rest, further: { target: { shape: [1, 3], data: Uint32Array.of(0, 5, 0) } } }, on),
    ).rejects.toThrow('inputs: further "target" must be integers from 0 to 4, got 5 at index 1');
    const narrow = new Seq2Seq({ encoder: new Sequential([new Embedding(6, 3), new GRU(3, 3)]), decoder: decoder() });
    await expect(forward(narrow, inputsOf(), on)).rejects.toThrow("Attention: memory must be [steps, batch, 4], got [4, 3, 3]");
  });
});

describe.each(kinds)("beam search, on %s", (kind) => {
  const models = { gru: makeModel({ score: "dot", seed: 11 }), projected: makeModel({ cell: "projected", seed: 11 }) };
  const model = models.gru;
  const sources = [[1, 2, 3], [4], [5, 1, 5, 2, 3]];
  const penaltyOf = (length: number, alpha: number): number => ((5 + length) / 6) ** alpha;

  /** All targets of at most `most` tokens, their end included, with what the model itself says of each. */
  async function all(
    model: Seq2Seq,
    source: number[],
    most: number,
    alpha: number,
  ): Promise<{ tokens: number[]; logProbability: number; score: number }[]> {
    const targets = range(most).flatMap((n) => range(4 ** n).map((code) => range(n).map((i) => 1 + (Math.floor(code / 4 ** i) % 4))));
    const data = new PairData(
      targets.map(() => source),
      targets,
      { end: 0, batch: targets.length },
    );
    const { logProbabilities } = await logProbability(model, data.batch(0), { backend: await backend(kind) });
    // PairData sorts by length, and the list above is sorted so already.
    return targets
      .map((tokens, i) => ({
        tokens,
        logProbability: logProbabilities[i],
        score: logProbabilities[i] / penaltyOf(tokens.length + 1, alpha),
      }))
      .sort((one, other) => other.score - one.score);
  }

  it.each([
    ["gru", 0],
    ["gru", 0.6],
    ["gru", 2],
    ["projected", 0.6],
  ] as const)(
    "with enough beams finds the best targets of all, of a decoder with a %s and length penalty %s",
    async (cell, lengthPenalty) => {
      const found = await beamSearch(models[cell], sources, {
        backend: await backend(kind),
        end: 0,
        beams: 64,
        maxLength: 3,
        lengthPenalty,
      });
      for (const [i, source] of sources.entries()) {
        const expected = await all(models[cell], source, 3, lengthPenalty);
        const ended = found[i].filter(({ finished }) => finished).slice(0, 3);
        expect(ended.map(({ tokens }) => tokens)).toEqual(expected.slice(0, 3).map(({ tokens }) => tokens));
        expectClose(
          "score",
          ended.map(({ score }) => score),
          expected.slice(0, 3).map(({ score }) => score),
        );
        expectClose(
          "log probability",
          ended.map(({ logProbability: p }) => p),
          expected.slice(0, 3).map(({ logProbability: p }) => p),
        );
      }
    },
  );

  it("with one beam takes the likeliest token at each step, and returns the attention weights", async () => {
    const on = await backend(kind);
    const found = await beamSearch(model, sources, { backend: on, end: 0, beams: 1, maxLength: 6 });
    for (const [i, [{ tokens, finished, attention }]] of found.entries()) {
      const expected: number[] = [];
      while (expected.length < 6 && expected.at(-1) !== 0) {
        const target = { shape: [expected.length + 1, 1], data: Uint32Array.from([0, ...expected]) };
        const { output } = await forward(
          model,
          { input: { shape: [sources[i].length, 1], data: Uint32Array.from(sources[i]) }, further: { target } },
          { backend: on },
        );
        const last = [...output.data.subarray(-5)];
        expected.push(last.indexOf(Math.max(...last)));
      }
      expect(finished).toBe(expected.at(-1) === 0);
      expect(tokens).toEqual(finished ? expected.slice(0, -1) : expected);
      expect(attention.shape).toEqual([expected.length, sources[i].length]);
      for (const t of range(expected.length))
        expectClose("sum of weights", [total([...attention.data.subarray(t * sources[i].length, (t + 1) * sources[i].length)])], [1]);
    }
  });

  it("gives a source the same targets alone as beside others", async () => {
    const options = { backend: await backend(kind), end: 0, beams: 3, maxLength: 5 };
    const together = await beamSearch(model, sources, options);
    const tokensOf = (list: Hypothesis[]): number[][] => list.map(({ tokens }) => tokens);
    for (const [i, source] of sources.entries())
      expect(tokensOf((await beamSearch(model, [source], options))[0])).toEqual(tokensOf(together[i]));
  });

  usuallyIf(kind === "cpu")(
    "reads back logits and weights only: states and memory stay where they are, and no step packs anything",
    async () => {
      const on = await backend(kind);
      const recordings: Recording[] = [];
      // The same backend, which notes what it prepares.
      const watched = new Proxy(on, {
        get(target, name) {
          const value = Reflect.get(target, name) as unknown;
          if (name !== "prepare") return typeof value === "function" ? (value as () => unknown).bind(target) : value;
          return (recording: Recording, ...rest: never[]) => (
            recordings.push(recording),
            (value as (...all: unknown[]) => unknown).call(target, recording, ...rest)
          );
        },
      });
      const dispatchesOf = async (maxLength: number): Promise<number> => {
        const before = on.counters.dispatches;
        await beamSearch(
          models.projected,
          [
            [1, 2, 3],
            [5, 1],
          ],
          { backend: watched, end: 0, beams: 40, maxLength },
        );
        return on.counters.dispatches - before;
      };
      // The encoder packs its weights.
      await dispatchesOf(1);
      recordings.length = 0;
      const [two, three, four] = [await dispatchesOf(2), await dispatchesOf(3), await dispatchesOf(4)];
      expect(three - two).toBe(four - three);
      const steps = recordings.filter(({ buffers }) => buffers.some(({ label }) => label === "rows.rnn.h"));
      expect(steps).toHaveLength(3);
      for (const { commands, buffers, derived, dispatches } of steps) {
        expect(commands.flatMap((command) => (command.kind === "download" ? [command.name] : []))).toEqual(["logits", "weights"]);
        expect(buffers.filter(({ role }) => role === "input").map(({ label }) => label)).toEqual([
          "random",
          "input",
          "rows.rnn.h",
          "rows.rnn.c",
        ]);
        // The memory's keys, and the packed weights of two layers with projections.
        expect(derived).toBeGreaterThan(3);
        expect(three - two).toBe(dispatches - derived);
      }
    },
  );

  it("refuses what does not fit", async () => {
    const options = { backend: await backend(kind), end: 0 };
    await expect(beamSearch(new GRU(1, 1) as never, sources, options)).rejects.toThrow("beamSearch: model must be a Seq2Seq, got a GRU");
    await expect(beamSearch(model, sources, { ...options, end: 5 })).rejects.toThrow("beamSearch: end must be integers from 0 to 4, got 5");
    await expect(beamSearch(model, sources, { ...options, beams: 0 })).rejects.toThrow(
      "beamSearch: beams must be an integer of at least 1, got 0",
    );
    await expect(beamSearch(model, [], options)).rejects.toThrow("beamSearch: sources must be a list of at least one sentence");
  });
});
