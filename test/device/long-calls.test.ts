/** The CPU backend computes on the thread that calls it: a long call lets the event loop run meanwhile. */
import { describe, expect, it } from "vitest";
import {
  createBackend,
  CustomRNN,
  defineCell,
  Embedding,
  forward,
  generateTokens,
  gradients,
  GRU,
  Linear,
  LSTM,
  Sequential,
  type Backend,
  type Module,
} from "webgpu-rnn";
import { breathe } from "../../src/backend/breathe.ts";
import { leaky, numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

/** How long a call took, and the longest time in which the event loop did not run, in milliseconds. */
async function watched(call: () => Promise<unknown>): Promise<{ total: number; longest: number }> {
  let going = true;
  let longest = 0;
  let last = performance.now();
  const look = async (): Promise<void> => {
    while (going) {
      await breathe();
      const present = performance.now();
      longest = Math.max(longest, present - last);
      last = present;
    }
  };
  const looking = look();
  await breathe();
  longest = 0;
  const start = performance.now();
  await call();
  const total = performance.now() - start;
  going = false;
  await looking;
  return { total, longest };
}

const [B, I, H] = [4, 8, 192];
const cell = defineCell(leaky);
const layers: Record<string, { make: () => Module; width: number; steps: number }> = {
  "an LSTM": { make: () => new LSTM(I, H, { seed: 1 }), width: H, steps: 64 },
  "a GRU of two phases": { make: () => new GRU(I, H, { reset: "before", seed: 1 }), width: H, steps: 64 },
  "a normalised layer": { make: () => new LSTM(I, H, { normalization: "layer", seed: 1 }), width: H, steps: 64 },
  "a cell of the user's": { make: () => new CustomRNN(cell, I, H, { seed: 1 }), width: H, steps: 64 },
  "large products": {
    make: () => new Sequential([new Linear(I, 512), new Linear(512, 512), new Linear(512, I)], { seed: 1 }),
    width: I,
    steps: 400,
  },
};
const tensorOf = (T: number, width: number) => ({ shape: [T, B, width], data: numbers(T * B * width, 1) });
const calls = {
  forward: (model: Module, T: number, _width: number, on: Backend) => forward(model, tensorOf(T, I), { backend: on }),
  gradients: (model: Module, T: number, width: number, on: Backend) =>
    gradients(model, tensorOf(T, I), { output: tensorOf(T, width) }, { backend: on }),
};

describe.each(Object.entries(calls))("%s on the CPU", (_, call) => {
  it.each(sampled(Object.entries(layers), 2))(
    "of %s keeps the event loop waiting for a part of its time only",
    async (_, { make, width, steps }) => {
      const on = await createBackend("cpu");
      const model = make();
      // As many steps as take many turns, on a machine of any speed; a busy one makes all wait, but not in proportion to them.
      for (let T = steps; ; T *= 2) {
        await call(model, T, width, on);
        const { total, longest } = await watched(() => call(model, T, width, on));
        if (total < 200 || (longest >= total / 2 && total < 20_000)) continue;
        expect(longest).toBeLessThan(total / 2);
        break;
      }
      on.destroy();
    },
  );
});

describe("generate on the CPU", () => {
  const model = new Sequential([new Embedding(50, 32), new LSTM(32, 128), new Linear(128, 50)], { seed: 1 });
  const prompt = Uint32Array.from({ length: 20_000 }, (_, i) => i % 50);

  it("lets the event loop run while it reads a long prompt, and heeds its signal there", async () => {
    const on = await createBackend("cpu");
    const controller = new AbortController();
    const before = on.counters.submits;
    setTimeout(() => controller.abort(), 1);
    let drawn = 0;
    for await (const ids of generateTokens(model, prompt, { backend: on, length: 5, signal: controller.signal })) drawn += ids.length;
    expect(drawn).toBe(0);
    // A token of the prompt is a submit.
    expect(on.counters.submits - before).toBeLessThan(prompt.length / 2);
    on.destroy();
  });
});

describe("while a call lets the event loop run", () => {
  it("others compute on the same backend, and each gets what it would get alone", async () => {
    const on = await createBackend("cpu");
    const model = new LSTM(I, H, { normalization: "layer", seed: 1 });
    const other = new GRU(I, 64, { seed: 2 });
    const ask = [
      ...[300, 150, 80].map((T) => () => forward(model, tensorOf(T, I), { backend: on })),
      ...[40, 400, 4].map((T) => () => forward(other, tensorOf(T, I), { backend: on })),
    ];
    const alone: number[][] = [];
    for (const one of ask) alone.push(Array.from((await one()).output.data));
    const together = await Promise.all(ask.map((one) => one()));
    expect(together.map(({ output }) => Array.from(output.data))).toEqual(alone);
    on.destroy();
  });

  it("the backend may be destroyed, which ends the call with an error that says so", async () => {
    for (const after of [0, 1, 5, 12]) {
      const on = await createBackend("cpu");
      const call = forward(new LSTM(I, H, { seed: 1 }), tensorOf(4000, I), { backend: on });
      setTimeout(() => on.destroy(), after);
      await expect(call).rejects.toThrow(/destroyed/);
    }
  });
});
