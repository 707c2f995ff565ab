/** Normalisation, zoneout and dropout during training: masks, statistics, checkpoints. */
import { describe, expect, it } from "vitest";
import {
  adamw,
  crossEntropy,
  Dropout,
  Embedding,
  forward,
  GRU,
  Linear,
  LSTM,
  RNN,
  Sequential,
  squaredError,
  TextData,
  Trainer,
  verify,
  type Module,
  type RunOptions,
  type Tensor,
} from "webgpu-rnn";
import { gradientFlow } from "webgpu-rnn/inspect";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

const filled = (shape: number[], value: number): Tensor => ({
  shape,
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value),
});
const data = TextData.from("the old man and the sea, and the boat upon the sea", { batch: 4, steps: 6 });
const V = data.vocabulary.size;

async function trainerOf(kind: "cpu" | "webgpu", rnn: Module): Promise<Trainer> {
  const model = new Sequential({ embedding: new Embedding(V, 3, { seed: 1 }), rnn, linear: new Linear(5, V, { seed: 2 }) });
  return new Trainer(model, {
    backend: await backend(kind),
    data,
    loss: crossEntropy(),
    optimizer: adamw({ learningRate: 0.02, weightDecay: 0.1 }),
    clipNorm: 1,
    seed: 3,
  });
}

async function losses(trainer: Trainer, steps: number): Promise<number[]> {
  const found: number[] = [];
  for await (const { loss } of trainer.run({ steps })) found.push(loss);
  return found;
}

const layers: Record<string, () => Module> = {
  "layer normalisation and zoneout": () => new LSTM(3, 5, { normalization: "layer", zoneout: 0.1, seed: 4 }),
  "batch normalisation": () => new LSTM(3, 5, { normalization: "batch", normalizedSteps: 4, seed: 4 }),
  "recurrent and variational dropout": () =>
    new GRU(3, 5, { numLayers: 2, dropout: 0.2, variational: true, recurrentDropout: 0.2, seed: 4 }),
  "a projection": () => new LSTM(3, 8, { projSize: 5, seed: 4 }),
};

describe.each(sampled(Object.entries(layers), 2))("a training with %s", (_, make) => {
  it("has the same losses on both backends", async () => {
    const found = await losses(await trainerOf("webgpu", make()), 10);
    expectClose("losses", found, await losses(await trainerOf("cpu", make()), 10), { atol: 1e-4, rtol: 1e-3 });
    expect(found[9]).toBeLessThan(found[0]);
  });

  it.each(kinds)("resumes from a checkpoint bit for bit on %s", async (kind) => {
    const whole = await trainerOf(kind, make());
    await losses(whole, 3);
    const file = await whole.checkpoint();
    const resumed = await trainerOf(kind, make());
    await resumed.restore(file);
    expect(await losses(resumed, 3)).toEqual(await losses(whole, 3));
  });
});

describe.each(kinds)("batch normalisation on %s", (kind) => {
  it("keeps statistics in training, which no optimiser touches and inference reads", async () => {
    const rnn = new RNN(2, 3, { normalization: "batch", normalizedSteps: 3, seed: 1 });
    const on = await backend(kind);
    const [B, size] = [32, 32 * 2];
    const input: Tensor = { shape: [3, B, 2], data: numbers(3 * size, 3) };
    const statistics = async (): Promise<Float32Array> => Float32Array.from((await rnn.stateDict()).running_l0.data);
    const before = await statistics();
    const { output: untouched } = await forward(rnn, input, { backend: on });
    expect(await statistics()).toEqual(before);
    await forward(rnn, input, { backend: on, training: true });
    const once = await statistics();
    expect(once).not.toEqual(before);
    expect((await forward(rnn, input, { backend: on })).output.data).not.toEqual(untouched.data);
    // Until they are those of the batch itself: then inference is what training was, but for the unbiased variance.
    for (let i = 0; i < 150; i++) await forward(rnn, input, { backend: on, training: true });
    const start: Tensor = { shape: [2, B, 2], data: input.data.slice(0, 2 * size) };
    const [training, inference] = [await forward(rnn, start, { backend: on, training: true }), await forward(rnn, start, { backend: on })];
    expectClose("output", inference.output.data, training.output.data, { atol: 0.02, rtol: 0 });
    expect(rnn.parameterCount).toBe(
      Object.entries(await rnn.stateDict())
        .filter(([name]) => !name.startsWith("running"))
        .reduce((sum, [, { data: values }]) => sum + values.length, 0),
    );
  });

  it("a batch that is not finite leaves no trace in them", async () => {
    const model = new RNN(1, 2, { normalization: "batch", normalizedSteps: 2, nonlinearity: "relu", seed: 1 });
    const dict = await model.stateDict();
    model.loadStateDict({ ...dict, weight_ih_l0: filled([2, 1], 3e38) });
    await forward(model, { shape: [2, 2, 1], data: Float32Array.of(3, -3, 2, -2) }, { backend: await backend(kind), training: true });
    expect((await model.stateDict()).running_l0.data.every(Number.isFinite)).toBe(true);
  });
});

describe.each(kinds)("masks on %s", (kind) => {
  const run = async (options: Partial<RunOptions> = {}): Promise<RunOptions> => ({
    backend: await backend(kind),
    training: true,
    seed: 7,
    ...options,
  });

  it("zoneout keeps a unit's state with its probability, drawn again at each time step", async () => {
    const [T, B, H] = [8, 16, 32];
    const rnn = new RNN(1, H, { zoneout: 0.3, seed: 2 });
    const {
      output: { data: h },
    } = await forward(rnn, { input: { shape: [T, B, 1], data: numbers(T * B, 5) } }, await run());
    const kept = Array.from({ length: (T - 1) * B * H }, (_, i) => (h[i] === h[i + B * H] ? 1 : 0));
    const share = kept.reduce<number>((a, b) => a + b, 0) / kept.length;
    // Four deviations of a binomial of 3584 draws.
    expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / kept.length));
    expect(kept.slice(0, B * H)).not.toEqual(kept.slice(B * H, 2 * B * H));
  });

  it("zoneout mixes both states by its probability in inference", async () => {
    const state = { h: { shape: [1, 2, 3], data: numbers(6, 2) }, c: { shape: [1, 2, 3], data: numbers(6, 3) } };
    const input = { shape: [1, 2, 2], data: numbers(4, 4) };
    const plain = new LSTM(2, 3, { seed: 3 });
    const zoned = new LSTM(2, 3, { seed: 3, zoneout: { h: 0.25, c: 0.5 } });
    const options = await run({ training: false });
    const [one, other] = [await forward(plain, { input, state }, options), await forward(zoned, { input, state }, options)];
    expectClose(
      "h",
      other.state.h.data,
      Array.from(one.state.h.data, (v, i) => 0.75 * v + 0.25 * state.h.data[i]),
    );
    expectClose(
      "c",
      other.state.c.data,
      Array.from(one.state.c.data, (v, i) => 0.5 * v + 0.5 * state.c.data[i]),
    );
  });

  it("recurrent dropout drops the same elements at every step, others in another row and under another seed", async () => {
    const [T, B, H, p] = [4, 2, 64, 0.5];
    const rnn = new RNN(1, H, { nonlinearity: "relu", bias: false, recurrentInit: "identity", recurrentDropout: p });
    const inputs = { input: filled([T, B, 1], 0), state: { h: filled([1, B, H], 1) } };
    // h_t = (h_{t-1}⊙z) / (1 - p): 0 where z is 0, else 2^t.
    const {
      output: { data: h },
    } = await forward(rnn, inputs, await run());
    const mask = Array.from(h.slice(0, B * H), (v) => v / 2);
    expect(mask.every((v) => v === 0 || v === 1)).toBe(true);
    for (let t = 0; t < T; t++) expect(Array.from(h.slice(t * B * H, (t + 1) * B * H))).toEqual(mask.map((v) => v * 2 ** (t + 1)));
    expect(mask.slice(0, H)).not.toEqual(mask.slice(H));
    const { output: other } = await forward(rnn, inputs, await run({ seed: 8 }));
    expect(other.data).not.toEqual(h);
    const { output: whole } = await forward(rnn, inputs, await run({ training: false }));
    expect(whole.data.every((v) => v === 1)).toBe(true);
  });

  it("variational dropout drops the same elements at every step, whichever axis is time", async () => {
    const [T, B, I] = [5, 3, 16];
    const options = await run();
    const {
      output: { data: y },
    } = await forward(new Dropout(0.5, { variational: true }), filled([T, B, I], 1), options);
    expect(y.every((v) => v === 0 || v === 2)).toBe(true);
    const first = y.slice(0, B * I);
    for (let t = 1; t < T; t++) expect(y.slice(t * B * I, (t + 1) * B * I)).toEqual(first);
    expect(first.slice(0, I)).not.toEqual(first.slice(I, 2 * I));
    const {
      output: { data: z },
    } = await forward(new Dropout(0.5, { variational: true, batchFirst: true }), filled([B, T, I], 1), options);
    for (let b = 0; b < B; b++)
      for (let t = 1; t < T; t++) expect(z.slice((b * T + t) * I, (b * T + t + 1) * I)).toEqual(z.slice(b * T * I, b * T * I + I));
  });
});

describe("on a device", () => {
  it.each(sampled(Object.entries(layers), 2))("verify finds %s in order", async (_, make) => {
    const report = await verify(make(), { input: { shape: [4, 3, 3], data: numbers(36, 2) } }, { backend: await backend("webgpu") });
    expect(report.passed, String(report)).toBe(true);
  });

  it("gradientFlow looks through layer normalisation", async () => {
    const { norms } = await gradientFlow(
      new LSTM(2, 4, { normalization: "layer", seed: 1 }),
      { input: { shape: [3, 2, 2], data: numbers(12, 1) }, targets: filled([3, 2, 4], 0.5) },
      { backend: await backend("cpu"), loss: squaredError() },
    );
    expect(norms["l0.h"].shape).toEqual([3, 4]);
    expect(norms["l0.h"].data.some((v) => v > 0)).toBe(true);
  });
});
