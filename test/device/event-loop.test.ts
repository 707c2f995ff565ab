/** Long calls on the CPU let the event loop run, and stop when their signal aborts. */
import { describe, expect, it } from "vitest";
import {
  adam,
  createBackend,
  crossEntropy,
  Embedding,
  forward,
  generate,
  generateTokens,
  gradients,
  GRU,
  Linear,
  LSTM,
  Sequential,
  Trainer,
  verify,
  Vocabulary,
  type Backend,
  type TrainingData,
} from "webgpu-rnn";
import { numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

const vocabulary = 20;
const characters = (H = 64): Sequential =>
  new Sequential([new Embedding(vocabulary, 16), new LSTM(16, H), new Linear(H, vocabulary)], { seed: 1 });
const ids = (length: number): Uint32Array => Uint32Array.from({ length }, (_, i) => (i * 7) % vocabulary);

/** Turns of the event loop while `work` goes on, and the milliseconds that it takes. */
async function turnsDuring(work: () => Promise<unknown>): Promise<{ turns: number; took: number }> {
  const { port1, port2 } = new MessageChannel();
  let turns = 0;
  port1.onmessage = () => {
    turns++;
    port2.postMessage(0);
  };
  port2.postMessage(0);
  const started = performance.now();
  try {
    await work();
  } finally {
    port1.close();
  }
  return { turns, took: performance.now() - started };
}

/** A call of any size; how large it must be to take long depends on the machine. */
const calls: Readonly<Record<string, (on: Backend, size: number) => Promise<unknown>>> = {
  forward: (on, size) => forward(characters(), { shape: [50 * size, 1], data: ids(50 * size) }, { backend: on }),
  "forward of many rows": (on, size) =>
    forward(new GRU(8, 32, { seed: 1 }), { shape: [10 * size, 16, 8], data: numbers(1280 * size, 1) }, { backend: on }),
  gradients: (on, size) =>
    gradients(
      new LSTM(8, 64, { seed: 1 }),
      { shape: [20 * size, 2, 8], data: numbers(320 * size, 1) },
      { output: { shape: [20 * size, 2, 64], data: numbers(2560 * size, 2) } },
      { backend: on },
    ),
  "a long prompt": async (on, size) => {
    for await (const _ of generateTokens(characters(), ids(50 * size), { backend: on, length: 1 }));
  },
  "a long text": (on, size) =>
    generate(characters(), { backend: on, vocabulary: Vocabulary.of("abcdefghijklmnopqrst"), length: 100 * size }),
  training: (on, size) => trainerOn(on).train({ steps: size }),
  "one step of training": (on, size) => trainerOn(on, 10 * size).train({ steps: 1 }),
  evaluate: (on, size) => trainerOn(on).evaluate(undefined, { batches: size }),
  "forwards one after the other": async (on, size) => {
    const model = characters();
    for (let i = 0; i < 10 * size; i++) await forward(model, { shape: [10, 1], data: ids(10) }, { backend: on });
  },
};

function trainerOn(backend: Backend, steps = 20): Trainer {
  const batch = { shape: [steps, 4], data: ids(4 * steps) };
  const data: TrainingData = { batches: 2 ** 20, batch: () => ({ input: batch, targets: batch, startsSequence: true }) };
  return new Trainer(characters(), { backend, data, loss: crossEntropy(), optimizer: adam() });
}

describe.each([
  ["WebAssembly", {}],
  ["plain JavaScript", { wasm: false }],
] as const)("on the CPU by %s", (by, options) => {
  it.each(sampled(Object.entries(calls), by === "WebAssembly" ? 5 : 1))(
    "%s lets the event loop run, however long it takes",
    async (name, call) => {
      const on = await createBackend("cpu", options);
      // Compiling and loading happen before, so they do not count.
      await call(on, 1);
      // At least some twenty times as long as a call may compute at a stretch; longer where a busy machine gives it few turns.
      for (let size = 1; ; size *= 2) {
        const { turns, took } = await turnsDuring(() => call(on, size));
        if (took < 250 || (turns < 5 && took < 20_000)) continue;
        expect(turns, `${name} of size ${size}, ${took} ms`).toBeGreaterThanOrEqual(5);
        return;
      }
    },
  );

  it("a prompt is left when the signal aborts, before and within it", async () => {
    const on = await createBackend("cpu", options);
    const model = characters();
    for (const turns of [0, 1, 2]) {
      const stop = new AbortController();
      const prompt = ids(100_000);
      const before = on.counters.submits;
      let left = turns;
      const tick = (): void => {
        if (left-- === 0) stop.abort();
        else setTimeout(tick);
      };
      tick();
      const drawn: number[] = [];
      for await (const piece of generateTokens(model, prompt, { backend: on, length: 5, signal: stop.signal })) drawn.push(...piece);
      expect(drawn).toEqual([]);
      expect(on.counters.submits - before).toBeLessThan(prompt.length / 2);
    }
  });

  it("what runs beside a long call does not disturb it, nor is it disturbed", async () => {
    const on = await createBackend("cpu", options);
    const model = characters(32);
    const other = characters(16);
    const input = { shape: [400, 3], data: ids(1200) };
    const small = { shape: [5, 1], data: ids(5) };
    const [want, wantSmall] = [await forward(model, input, { backend: on }), await forward(other, small, { backend: on })];
    let over = false;
    const long = forward(model, input, { backend: on }).finally(() => {
      over = true;
    });
    // Other models, new recordings (so that memory grows), and the same model in another shape.
    for (let i = 1; !over || i < 4; i++) {
      expect((await forward(other, small, { backend: on })).output.data).toEqual(wantSmall.output.data);
      await forward(other, { shape: [5 + (i % 50), 40], data: ids((5 + (i % 50)) * 40) }, { backend: on });
      await new Promise((resolve) => setTimeout(resolve));
    }
    expect((await long).output.data).toEqual(want.output.data);
  });

  it("a model that is disposed of during a long call rejects it in words", async () => {
    const on = await createBackend("cpu", options);
    for (let size = 1; ; size *= 2) {
      const model = characters();
      const call = forward(model, { shape: [200 * size, 1], data: ids(200 * size) }, { backend: on });
      let open = true;
      const end = call
        .then(
          () => "done",
          (error: unknown) => (error as { kind: string }).kind,
        )
        .finally(() => (open = false));
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (!open) continue;
      model.dispose();
      expect(await end).toBe("option");
      return;
    }
  });
});

it("verify lets the event loop run", async () => {
  const on = await createBackend("cpu");
  const { turns } = await turnsDuring(() => verify(characters(), { shape: [20, 2], data: ids(40) }, { backend: on }));
  expect(turns).toBeGreaterThanOrEqual(5);
});
