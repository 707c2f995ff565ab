/** The cost of a training step besides arithmetic: submits, dispatches, created objects, memory. */
import { describe, expect, it, onTestFinished } from "vitest";
import {
  adam,
  createBackend,
  crossEntropy,
  Embedding,
  generate,
  gradients,
  Linear,
  LSTM,
  Sequential,
  TextData,
  Trainer,
  type Backend,
  type StrategyName,
} from "webgpu-rnn";
import { collect, held } from "./memory-rounds.ts";
import { backend, inPage, kinds } from "./support.ts";

const text = "It is not down in any map; true places never are. ".repeat(20);

/** Without the copies for the case that the device is lost: every few seconds, one takes a submit and memory for its read-back. */
function trainerOn(
  on: Backend,
  { steps, hidden, batch = 4, strategy }: { steps: number; hidden: number; batch?: number; strategy?: "loop" | "step" },
): { trainer: Trainer; data: TextData } {
  const data = TextData.from(text, { batch, steps });
  const V = data.vocabulary.size;
  const model = new Sequential([new Embedding(V, 8), new LSTM(8, hidden), new Linear(hidden, V)], { seed: 1 });
  return {
    trainer: new Trainer(model, {
      backend: on,
      data,
      loss: crossEntropy(),
      optimizer: adam({ learningRate: 0.01 }),
      clipNorm: 5,
      strategy,
      recovery: false,
    }),
    data,
  };
}

type Methods = Record<string, (...args: unknown[]) => unknown>;

/** Counts calls of the device's own methods, so that nothing can be made behind the backend's back. */
function watch(on: Backend): Record<string, number> {
  const { device } = on as unknown as { device: Methods & { queue: Methods } };
  const counts: Record<string, number> = {};
  const count = (object: Methods, name: string, then?: (made: Methods) => void, counted = (..._: unknown[]): boolean => true): void => {
    const original = object[name].bind(object);
    counts[name] ??= 0;
    object[name] = (...args) => {
      if (counted(...args)) counts[name]++;
      const made = original(...args);
      then?.(made as Methods);
      return made;
    };
  };
  for (const name of ["createBuffer", "createBindGroup", "createComputePipelineAsync", "createShaderModule"]) count(device, name);
  counts.beginComputePass = counts.dispatchWorkgroups = 0;
  count(device, "createCommandEncoder", (encoder) => count(encoder, "beginComputePass", (pass) => count(pass, "dispatchWorkgroups")));
  // In Firefox, submits of nothing make it look whether a read-back is over.
  count(device.queue, "submit", undefined, (commands) => (commands as unknown[]).length > 0);
  return counts;
}

describe("a training step of a one-layer LSTM on WebGPU", () => {
  it.each([
    [4, "step", 2 * 4 + 12, ""],
    [16, "step", 2 * 16 + 12, ""],
    [16, "loop", 14, ""],
    [16, "step", 2 * 16 + 12, ", by the kernels of GPUs"],
    [16, "loop", 14, ", by the kernels of GPUs"],
  ] as const)(
    "is one submit and one pass and creates nothing: T = %i by %s, at most %i dispatches%s",
    async (steps, strategy, most, gpus) => {
      const on = gpus ? await createBackend("webgpu") : await backend("webgpu");
      if (gpus) {
        Object.defineProperty(on, "isGpu", { value: true });
        onTestFinished(() => on.destroy());
      }
      const { trainer } = trainerOn(on, { steps, hidden: 16, strategy });
      const counts = watch(on);
      const run = trainer.run({ steps: 30 });
      await run.next();
      const before: Record<string, number> = { ...counts, steps: trainer.step };
      for (let i = 0; i < 20; i++) await run.next();
      const done = trainer.step - before.steps;
      const since = Object.fromEntries(Object.entries(counts).map(([name, n]) => [name, n - before[name]]));
      expect(done).toBeGreaterThanOrEqual(19);
      const dispatches = since.dispatchWorkgroups / done;
      expect(dispatches).toBeLessThanOrEqual(most);
      expect(since).toEqual({
        createBuffer: 0,
        createBindGroup: 0,
        createComputePipelineAsync: 0,
        createShaderModule: 0,
        createCommandEncoder: done,
        beginComputePass: done,
        submit: done,
        dispatchWorkgroups: dispatches * done,
      });
      await run.return();
    },
  );
});

/** The kernels of a forward and backward pass over so many steps, by name. */
async function dispatchesOf(model: LSTM, steps: number, strategy: StrategyName): Promise<string[]> {
  const on = await backend("webgpu");
  const names: string[] = [];
  const spy = new Proxy(on, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name, target);
      if (name !== "prepare") return typeof value === "function" ? (value.bind(target) as unknown) : value;
      return (recording: { commands: { kernel?: { name: string } }[] }, ...rest: unknown[]) => {
        names.push(...recording.commands.flatMap(({ kernel }) => kernel?.name ?? []));
        return (value as (...args: unknown[]) => unknown).call(target, recording, ...rest);
      };
    },
  });
  const width = 16 * model.directions;
  await gradients(
    model,
    { input: { shape: [steps, 2, 4], data: new Float32Array(steps * 8) } },
    { output: { shape: [steps, 2, width], data: new Float32Array(steps * 2 * width) } },
    { backend: spy, strategy },
  );
  return names;
}

describe("stacked layers and directions share dispatches", () => {
  it.each([
    ["two directions", { bidirectional: true }, "step", 8],
    ["two directions", { bidirectional: true }, "loop", 1],
    ["three layers", { numLayers: 3 }, "wavefront", 8 + 2],
    ["three layers, one after another", { numLayers: 3 }, "step", 3 * 8],
    ["two normalised directions", { bidirectional: true, normalization: "layer" }, "loop", 1],
    ["two normalised directions", { bidirectional: true, normalization: "layer" }, "step", 8],
    ["a layer normalised over the batch", { normalization: "batch", normalizedSteps: 8 }, "step", 8],
  ] as const)("%s (%o) by %s: %i each way over 8 steps", async (_, options, strategy, each) => {
    const names = await dispatchesOf(new LSTM(4, 16, { seed: 1, ...options }), 8, strategy);
    for (const pass of ["forward", "backward"])
      expect(names.filter((name) => new RegExp(`^(step|loop|regularized)-${pass}:`).test(name))).toHaveLength(each);
  });
});

describe("a step more of", () => {
  it.each([
    ["a plain layer is one dispatch each way", {}, 1],
    ["layer normalisation is a product and a cell each way", { normalization: "layer" }, 2],
    ["batch normalisation is no more than that", { normalization: "batch", normalizedSteps: 4 }, 2],
  ] as const)("%s", async (_, options, each) => {
    const count = async (steps: number): Promise<number> =>
      (await dispatchesOf(new LSTM(4, 16, { seed: 1, ...options }), steps, "step")).length;
    expect((await count(6)) - (await count(4))).toBe(2 * 2 * each);
  });
});

describe.each(kinds)("memory on %s", (kind) => {
  it("stays the same from step to step", async () => {
    const on = await backend(kind);
    const { trainer, data } = trainerOn(on, { steps: 2, hidden: 4, batch: 1 });
    const bytes: number[] = [];
    const heaps: number[] = [];
    for await (const { step } of trainer.run({ steps: 400 })) {
      if (step % 100 !== 0) continue;
      bytes.push(on.counters.bytes);
      if (collect) heaps.push((await held(on)).heap);
    }
    // It may fall: models of other tests that nobody holds any more are freed on the way.
    expect(Math.max(...bytes), `bytes ${bytes.join(", ")}`).toBe(bytes[0]);
    // A page cannot ask for a collection.
    if (!inPage) expect(Math.max(...heaps) - heaps[0], `heap ${heaps.join(", ")}`).toBeLessThan(1e6);
    await generate(trainer.model, { backend: on, vocabulary: data.vocabulary, length: 40 });
    expect(on.counters.bytes).toBeLessThanOrEqual(bytes[0]);
  });
});
