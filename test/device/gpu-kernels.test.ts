/** In the kernels of GPUs threads share sums. Software adapters, on which tests run, are given others unless told. */
import { beforeAll, describe, expect, it } from "vitest";
import { createBackend, gradients, GRU, LSTM, RNN, type Backend, type Module, type StrategyName } from "webgpu-rnn";
import { backend, expectClose, float32, numbers } from "./support.ts";
import { sampled } from "../thorough.ts";

const layers = {
  LSTM: (I: number, H: number, options: object) => new LSTM(I, H, options),
  GRU: (I: number, H: number, options: object) => new GRU(I, H, options),
  RNN: (I: number, H: number, options: object) => new RNN(I, H, options),
  // Only their loops share sums.
  "LSTM with norms": (I: number, H: number, options: object) => new LSTM(I, H, { ...options, normalization: "layer", zoneout: 0.2 }),
  "GRU with zoneout": (I: number, H: number, options: object) => new GRU(I, H, { ...options, zoneout: 0.2 }),
  // Its candidate has a recurrent product of its own.
  "GRU, reset before": (I: number, H: number, options: object) => new GRU(I, H, { ...options, reset: "before" }),
};
const strategies: readonly StrategyName[] = ["loop", "step", "wavefront"];
/** Units below, at and above what a thread reads at once or keeps, and beyond what a step brings into workgroup memory at once. */
const sizes = [1, 7, 8, 9, 16, 63, 64, 71, 130];
const strategiesOf = (cell: string): readonly StrategyName[] =>
  cell.includes("with") ? ["loop"] : cell.includes("before") ? ["loop", "step"] : strategies;
const cases = Object.keys(layers).flatMap((cell) =>
  strategiesOf(cell).flatMap((strategy) => sizes.map((H) => ({ cell: cell as keyof typeof layers, strategy, H }))),
);

/** Beyond the 256 threads that WebGPU guarantees a workgroup, with three threads a unit, two and one. */
const largeCases = (["LSTM", "GRU", "RNN", "GRU, reset before"] as const).flatMap((cell) => [257, 512, 600].map((H) => ({ cell, H })));

describe("layers by the kernels of GPUs", () => {
  let gpu: Backend;
  const used = new Set<string>();
  beforeAll(async () => {
    gpu = await createBackend("webgpu");
    Object.defineProperty(gpu, "isGpu", { value: true });
    const prepare = gpu.prepare.bind(gpu);
    gpu.prepare = (recording, ...rest) => {
      for (const command of recording.commands) if (command.kind === "dispatch") used.add(command.kernel.name);
      return prepare(recording, ...rest);
    };
    return () => gpu.destroy();
  });

  async function expectRight(model: Module, H: number, T: number, B: number, strategy: StrategyName): Promise<void> {
    const input = { shape: [T, B, 3], data: numbers(T * B * 3, H) };
    const cotangents = { output: { shape: [T, B, H], data: numbers(T * B * H, H + 1) } };
    const [actual, expected] = [
      await gradients(model, input, cotangents, { backend: gpu, strategy }),
      await gradients(model, input, cotangents, { backend: await backend("cpu", "float64") }),
    ];
    expectClose("output", actual.output.data, expected.output.data);
    for (const [name, { data }] of Object.entries(expected.gradients.parameters))
      expectClose(name, actual.gradients.parameters[name].data, data, { ...float32, atol: 1e-4 });
  }

  it.each(sampled(cases, 5))("$cell by $strategy with $H units", async ({ cell, strategy, H }) => {
    const numLayers = strategy === "wavefront" ? 2 : 1;
    // Batches for which a workgroup of the loop has one row, two and four.
    const more = strategy !== "loop" ? 0 : H === 64 ? 65 : H === 16 ? 29 : 0;
    await expectRight(layers[cell](3, H, { numLayers, seed: H }), H, 4, H % 2 === 0 ? 5 + more : 1, strategy);
    expect([...used].filter((name) => /^(loop|step|two-phase)-/.test(name) && !name.includes("-shared:"))).toEqual([]);
    const shared = cell.includes("with")
      ? (name: string) => /^regularized-backward.*x/.test(name)
      : (name: string) => /backward-shared:/.test(name) && name.startsWith("loop") === (strategy === "loop");
    expect([...used].some(shared)).toBe(true);
    used.clear();
  });

  // SwiftShader gives a workgroup 256 threads, Firefox's adapter 1,024: the first must refuse what the second computes.
  it.each(sampled(largeCases, 4))("$cell with $H units in one dispatch, where a workgroup has so many threads", async ({ cell, H }) => {
    const model = layers[cell](3, H, { seed: H });
    // Enough rows for two in a workgroup where each has two threads a unit.
    const run = expectRight(model, H, 3, H === 512 ? 18 : 3, "loop");
    if (H > gpu.mostThreads) return expect(run).rejects.toThrow(`needs at most ${gpu.mostThreads} units`);
    await run;
    expect([...used].some((name) => /^loop-.*backward-shared:/.test(name))).toBe(true);
    used.clear();
  });

  it.each(sampled([7, 33, 64, 70, 128], 2))("halves of %i units stay in registers, and compute what they stand for", async (H) => {
    const model = new LSTM(3, H, { seed: H });
    const [T, B] = [5, 3];
    const input = { shape: [T, B, 3], data: numbers(T * B * 3, H) };
    const cotangents = { output: { shape: [T, B, H], data: numbers(T * B * H, H + 1) } };
    const half = { storage: "float16", strategy: "loop" } as const;
    const [actual, expected] = [
      await gradients(model, input, cotangents, { backend: gpu, ...half }),
      // The same halves, in float64.
      await gradients(model, input, cotangents, { backend: await backend("cpu", "float64"), ...half }),
    ];
    expect([...used].filter((name) => name.startsWith("loop-")).map((name) => name.includes(":held:half"))).toEqual([true, true]);
    used.clear();
    // Sums are in float32, so nothing is lost but what rounding the weights costs; gates of the backward pass are halves too.
    expectClose("output", actual.output.data, expected.output.data);
    expectClose("weight_hh", actual.gradients.parameters.weight_hh_l0.data, expected.gradients.parameters.weight_hh_l0.data, {
      atol: 1e-3,
      rtol: 1e-3,
    });
  });
});
