/** Whole training on either backend: the same curves, the same bits, states that carry on, failures that lose nothing. */
import { describe, expect, it } from "vitest";
import {
  adam,
  adamw,
  compose,
  createBackend,
  crossEntropy,
  Dropout,
  Embedding,
  forward,
  generate,
  generateTokens,
  GRU,
  Linear,
  LSTM,
  nadam,
  rmsprop,
  RNN,
  Sequential,
  sgd,
  squaredError,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Module,
  type Optimizer,
  type TrainerOptions,
  type TrainingData,
} from "webgpu-rnn";
import brokenActivations from "../../shaders/lib/activations.wgsl";
import { backend, expectClose, kinds, numbers, ownBackend } from "./support.ts";
import { sampled } from "../thorough.ts";

const text = "Better to sleep with a sober cannibal than a drunken Christian. ".repeat(12);
const data = TextData.from(text, { batch: 3, steps: 10 });
const V = data.vocabulary.size;

const charModel = (seed = 1): Module =>
  new Sequential([new Embedding(V, 8), new LSTM(8, 12, { numLayers: 2, dropout: 0.2 }), new Dropout(0.1), new Linear(12, V)], { seed });

const trainerFor = (on: Backend, options: Partial<TrainerOptions> = {}, model = charModel()): Trainer =>
  new Trainer(model, {
    backend: on,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: 0.01 }),
    clipNorm: 1,
    seed: 4,
    ...options,
  });

async function losses(trainer: Trainer, steps: number): Promise<number[]> {
  const result: number[] = [];
  for await (const { loss } of trainer.run({ steps })) result.push(loss);
  return result;
}

describe("training on both backends", () => {
  it("gives the same loss curve to 1e-3 over 50 steps, dropout included", async () => {
    const cpu = await losses(trainerFor(await backend("cpu")), 50);
    const gpu = await losses(trainerFor(await backend("webgpu")), 50);
    expectClose("loss", gpu, cpu, { atol: 0, rtol: 1e-3 });
    expect(cpu[49]).toBeLessThan(cpu[0] - 0.3);
  });

  it.each([
    [
      "GRU, reset before, RMSprop",
      new GRU(8, 12, { reset: "before", seed: 2 }),
      rmsprop({ learningRate: 0.005, centered: true, momentum: 0.5 }),
    ],
    ["GRU both ways, AdamW", new GRU(8, 12, { bidirectional: true, seed: 2 }), adamw({ learningRate: 0.01 })],
    ["RNN, SGD", new RNN(8, 12, { nonlinearity: "relu", seed: 2 }), sgd({ learningRate: 0.1, momentum: 0.9, nesterov: true })],
  ] as const)("gives the same curve with %s", async (_name, rnn, optimizer) => {
    const width = rnn.directions * 12;
    const make = (): Module =>
      compose({ embedding: new Embedding(V, 8), rnn, out: new Linear(width, V) }, (m, x) => m.out(m.rnn(m.embedding(x))), { seed: 3 });
    const cpu = await losses(trainerFor(await backend("cpu"), { optimizer }, make()), 20);
    const gpu = await losses(trainerFor(await backend("webgpu"), { optimizer }, make()), 20);
    expectClose("loss", gpu, cpu, { atol: 0, rtol: 1e-3 });
    expect(cpu[19]).toBeLessThan(cpu[0]);
  });
});

describe.each(kinds)("training on %s", (kind) => {
  it("repeats bit for bit", async () => {
    const on = await backend(kind);
    expect(await losses(trainerFor(on), 12)).toEqual(await losses(trainerFor(on), 12));
  });

  it.each(sampled(["adam", "nadam"], 1))(
    "goes on from a checkpoint bit for bit, in another trainer of another model, with %s",
    async (name) => {
      const on = await backend(kind);
      const optimizer = (): Optimizer => ({ adam, nadam })[name]!({ learningRate: 0.01 });
      const first = trainerFor(on, { optimizer: optimizer() });
      await losses(first, 7);
      const file = await first.checkpoint({ note: "seven steps" });
      const rest = await losses(first, 20);
      const second = trainerFor(on, { optimizer: optimizer() }, charModel(99));
      await second.restore(file);
      expect(second.step).toBe(7);
      expect(await losses(second, 20)).toEqual(rest);
      expect((await second.model.stateDict())["0.weight"].data).toEqual((await first.model.stateDict())["0.weight"].data);
    },
  );

  it("keeps the model as it was when a checkpoint does not fit, and names the tensor", async () => {
    const on = await backend(kind);
    const other = trainerFor(
      on,
      {},
      new Sequential([new Embedding(V, 8), new LSTM(8, 13, { numLayers: 2, dropout: 0.2 }), new Dropout(0.1), new Linear(13, V)], {
        seed: 1,
      }),
    );
    const file = await other.checkpoint();
    const trainer = trainerFor(on);
    await losses(trainer, 2);
    const before = await trainer.model.stateDict();
    await expect(trainer.restore(file)).rejects.toThrow(/"optimizer\.firstMoment\.1\.weight_ih_l0" must be \[48, 8\], got \[52, 8\]/);
    await expect(trainer.restore(file.slice(0, file.length - 10))).rejects.toThrow(/truncated/);
    await expect(trainer.restore(new TextEncoder().encode("PK\u0003\u0004 not a safetensors file at all"))).rejects.toThrow(
      /no safetensors file/,
    );
    expect(await trainer.model.stateDict()).toEqual(before);
    expect(trainer.step).toBe(2);
  });

  it("stops at a loss that is not finite, names step and loss, and keeps the last good parameters", async () => {
    const on = await backend(kind);
    const numbersIn = (steps: number, value: number): TrainingData => ({
      batches: 10,
      batch: (step) => ({
        input: { shape: [2, 2, 1], data: Float32Array.of(1, 2, 3, 4) },
        targets: { shape: [2, 2, 1], data: Float32Array.of(1, 1, 1, step === steps ? value : 1) },
        startsSequence: true,
      }),
    });
    const model = new Linear(1, 1, { seed: 1 });
    const options = { backend: on, loss: squaredError(), optimizer: sgd({ learningRate: 0.01 }) };
    // Nobody can tell whether the second update is to blame, so it is undone.
    const oneStep = new Linear(1, 1, { seed: 1 });
    await losses(new Trainer(oneStep, { ...options, data: numbersIn(-1, 0) }), 1);
    // 1e30 squared overflows in float32 at the third step.
    const trainer = new Trainer(model, { ...options, data: numbersIn(2, 1e30) });
    await expect(losses(trainer, 10)).rejects.toThrow(/step 3 gave loss Infinity/);
    expect((await model.stateDict()).weight.data).toEqual((await oneStep.stateDict()).weight.data);
    expect(trainer.step).toBe(1);
  });

  it("survives an absurd learning rate with finite parameters", async () => {
    const on = await backend(kind);
    const trainer = trainerFor(on, { optimizer: sgd({ learningRate: 1e30 }), clipNorm: undefined });
    await expect(losses(trainer, 10)).rejects.toThrow(/gave loss/);
    const evaluation = await trainer.evaluate();
    expect(Number.isFinite(evaluation.loss)).toBe(true);
  });

  it("ends early when the loop is left or the signal aborts, and goes on later", async () => {
    const on = await backend(kind);
    const trainer = trainerFor(on);
    for await (const { step } of trainer.run({ steps: 100 })) if (step === 3) break;
    const after = trainer.step;
    expect(after).toBeLessThan(10);
    const controller = new AbortController();
    for await (const { step } of trainer.run({ steps: 100, signal: controller.signal })) if (step === after + 2) controller.abort();
    expect(trainer.step).toBeLessThan(after + 10);
  });

  it("evaluates in nats, bits and perplexity", async () => {
    const on = await backend(kind);
    const trainer = trainerFor(on);
    const { loss, bitsPerCharacter, perplexity } = await trainer.evaluate();
    expect(loss).toBeGreaterThan(0.8 * Math.log(V));
    expect(bitsPerCharacter).toBeCloseTo(loss / Math.log(2), 6);
    expect(perplexity).toBeCloseTo(Math.exp(loss), 3);
  });
});

describe.each(kinds)("running on %s", (kind) => {
  it("gives the same for a sequence whole, in pieces and step by step", async () => {
    const on = await backend(kind);
    const layer = new LSTM(3, 5, { numLayers: 2, seed: 1 });
    const x = numbers(8 * 2 * 3, 5);
    const whole = await forward(layer, { input: { shape: [8, 2, 3], data: x } }, { backend: on });
    for (const size of [1, 3]) {
      let state: Awaited<ReturnType<typeof forward>>["state"] | undefined;
      const output: number[] = [];
      for (let t = 0; t < 8; t += size) {
        const steps = Math.min(size, 8 - t);
        const piece = await forward(
          layer,
          { input: { shape: [steps, 2, 3], data: x.slice(t * 6, (t + steps) * 6) }, state },
          { backend: on },
        );
        state = piece.state;
        output.push(...piece.output.data);
      }
      expectClose("output", output, whole.output.data, { atol: 1e-6, rtol: 1e-6 });
      expectClose("c", state!.c.data, whole.state.c.data, { atol: 1e-6, rtol: 1e-6 });
    }
  });

  it("generates the argmax of the whole-sequence logits at temperature 0", async () => {
    const on = await backend(kind);
    const model = charModel(7);
    const prompt = [1, 2, 3];
    const tokens = [...prompt];
    for await (const piece of generateTokens(model, prompt, { backend: on, length: 40, temperature: 0 })) tokens.push(...piece);
    expect(tokens.length).toBe(43);
    const { output } = await forward(model, { input: { shape: [42, 1], data: Uint32Array.from(tokens.slice(0, 42)) } }, { backend: on });
    for (let t = 2; t < 42; t++) {
      const row = Array.from(output.data.slice(t * V, (t + 1) * V));
      expect(row[tokens[t + 1]]).toBeGreaterThan(Math.max(...row) - 1e-4);
    }
  });

  it("draws the same text for the same seed, another for another, only likely tokens with topK", async () => {
    const on = await backend(kind);
    const model = charModel(7);
    const options = { backend: on, vocabulary: data.vocabulary, prompt: "Be", length: 50 };
    const one = await generate(model, { ...options, seed: 1 });
    expect(one.length).toBe(50);
    expect(await generate(model, { ...options, seed: 1 })).toBe(one);
    expect(await generate(model, { ...options, seed: 2 })).not.toBe(one);
    expect(await generate(model, { ...options, seed: 3, topK: 1 })).toBe(await generate(model, { ...options, temperature: 0 }));
  });

  it("verifies", async () => {
    const report = await verify(charModel(), { input: data.batch(0).input, lengths: [10, 0, 7] }, { backend: await backend(kind) });
    expect(report.passed, String(report)).toBe(true);
    expect(report.compared).toBeGreaterThan(10_000);
  });
});

describe("verification", () => {
  it("finds a shader that is wrong, at its kernel and nowhere else", async () => {
    const broken = brokenActivations.replace("1.0 / (1.0 +", "1.0 / (1.001 +");
    expect(broken).not.toBe(brokenActivations);
    const on = await ownBackend("webgpu", { shaders: { "lib/activations": broken } });
    try {
      const report = await verify(charModel(), { input: data.batch(0).input }, { backend: on });
      expect(report.passed).toBe(false);
      const bad = report.findings.filter((f) => f.firstBadIndex >= 0);
      // The second is what generation would run.
      expect(new Set(bad.map((f) => f.kernel))).toEqual(new Set(["loop-forward:lstm:32x4", "loop-forward:lstm:32x1"]));
      expect(bad[0].firstBadIndex).toBeGreaterThanOrEqual(0);
      expect(bad[0].worstDifference).toBeGreaterThan(1e-5);
      expect(String(report)).toMatch(/loop-forward:lstm:32x4 -> 1\.l0\.\w+: differs at index \d+/);
    } finally {
      on.destroy();
    }
  });

  it("takes WGSL below own/ for kernels that a program adds", async () =>
    (await createBackend("webgpu", { shaders: { "own/kernel": "fn main() {}" } })).destroy());

  it.each([
    ["matmul-blok", 'did you mean "matmul-block"?'],
    ["activations.wgsl", "paths are those below shaders/ without .wgsl"],
    ["lib/activation", 'did you mean "lib/activations"?'],
    ["toString", "paths are those below shaders/ without .wgsl"],
  ])("refuses WGSL for the path %s, which no file has", async (path, hint) => {
    const creating = createBackend("webgpu", { shaders: { adam: "fn main() {}", [path]: "fn main() {}" } });
    await expect(creating).rejects.toMatchObject({
      kind: "option",
      message: `createBackend: shaders: there is no file "${path}"; ${hint}`,
    });
  });

  it("names a shader that does not compile, with line and source", async () => {
    const on = await createBackend("webgpu", { shaders: { "matmul-block": "fn main() { nonsense }" } });
    await expect(forward(new Linear(3, 3), { shape: [9, 3], data: new Float32Array(27) }, { backend: on })).rejects.toThrow(
      /matmul-block:strided-small: shader does not compile here: .*nonsense/s,
    );
    on.destroy();
  });
});

describe("a lost device", () => {
  it("is a typed error that says what to do, not garbage", async () => {
    const on = await createBackend("webgpu");
    // A separate device compiles its kernels again; the kernels of single steps compile quickly.
    const trainer = trainerFor(on, { strategy: "step" });
    await losses(trainer, 2);
    on.destroy();
    await on.lost;
    await expect(losses(trainer, 2)).rejects.toMatchObject({ kind: "device" });
    await expect(losses(trainer, 2)).rejects.toThrow(/the backend was destroyed by this program/);
  });
});

describe("shapes beyond the device's limits", () => {
  it("name the limit and a remedy", async () => {
    const on = await backend("webgpu");
    await expect(
      forward(new Linear(1, 1 << 20), { shape: [1 << 14, 1], data: new Float32Array(1 << 14) }, { backend: on }),
    ).rejects.toThrow(/this device's max\w+ is \d+; use a smaller batch/);
  });
});
