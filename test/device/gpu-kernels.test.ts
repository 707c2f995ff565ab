/** In the kernels of GPUs threads share sums. Software adapters, on which tests run, are given others unless told. */
import { beforeAll, describe, expect, it } from "vitest";
import { createBackend, gradients, GRU, LSTM, RNN, type Backend, type StrategyName } from "webgpu-rnn";
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

  it.each(sampled(cases, 5))("$cell by $strategy with $H units", async ({ cell, strategy, H }) => {
    const numLayers = strategy === "wavefront" ? 2 : 1;
    // Batches for which a workgroup of the loop has one row, two and four.
    const more = strategy !== "loop" ? 0 : H === 64 ? 65 : H === 16 ? 29 : 0;
    const [T, B, I] = [4, H % 2 === 0 ? 5 + more : 1, 3];
    const model = layers[cell](I, H, { numLayers, seed: H });
    const input = { shape: [T, B, I], data: numbers(T * B * I, H) };
    const cotangents = { output: { shape: [T, B, H], data: numbers(T * B * H, H + 1) } };
    const [actual, expected] = [
      await gradients(model, input, cotangents, { backend: gpu, strategy }),
      await gradients(model, input, cotangents, { backend: await backend("cpu", "float64") }),
    ];
    expect([...used].filter((name) => /^(loop|step|two-phase)-/.test(name) && !name.includes("-shared:"))).toEqual([]);
    const shared = cell.includes("with")
      ? (name: string) => /^regularized-backward.*x/.test(name)
      : (name: string) => /backward-shared:/.test(name) && name.startsWith("loop") === (strategy === "loop");
    expect([...used].some(shared)).toBe(true);
    used.clear();
    expectClose("output", actual.output.data, expected.output.data);
    for (const [name, { data }] of Object.entries(expected.gradients.parameters))
      expectClose(name, actual.gradients.parameters[name].data, data, { ...float32, atol: 1e-4 });
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
