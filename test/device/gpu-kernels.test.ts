/** In the kernels of GPUs threads share sums. Software adapters, on which tests run, are given others unless told. */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { createBackend, forward, gradients, GRU, LSTM, RNN, type Backend, type Module, type StrategyName } from "webgpu-rnn";
import { isSoftware } from "../../src/backend/webgpu/device.ts";
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

/** The names of the kernels that a backend is given from now on. */
function kernelsOf(on: Backend): Set<string> {
  const used = new Set<string>();
  const prepare = on.prepare.bind(on);
  on.prepare = (recording, ...rest) => {
    for (const command of recording.commands) if (command.kind === "dispatch") used.add(command.kernel.name);
    return prepare(recording, ...rest);
  };
  return used;
}

describe("software adapters", () => {
  it.each([
    [{ vendor: "nvidia", architecture: "ampere" }, false],
    [{ vendor: "amd", architecture: "gcn-5", isFallbackAdapter: false }, false],
    [{ vendor: "", architecture: "" }, false],
    [{ vendor: "", architecture: "", isFallbackAdapter: true }, true],
    [{ vendor: "google", architecture: "swiftshader" }, true],
    [{ vendor: "mesa", architecture: "", description: "llvmpipe (LLVM 15.0.6, 256 bits)" }, true],
    [{ vendor: "microsoft", architecture: "warp" }, true],
  ])("are known by what the adapter says or is called: %o", (info, software) => {
    expect(isSoftware(info as GPUAdapterInfo)).toBe(software);
  });

  it("keep kernels whose threads share nothing, and GPUs do not", async () => {
    const on = await createBackend("webgpu");
    onTestFinished(() => on.destroy());
    expect(on.isGpu).toBe(!on.adapter.includes("(software)"));
    const used = kernelsOf(on);
    for (const strategy of ["loop", "step"] as const) await expectShared(on, used, strategy, on.isGpu);
    Object.defineProperty(on, "isGpu", { value: !on.isGpu });
    for (const strategy of ["loop", "step"] as const) await expectShared(on, used, strategy, on.isGpu);
  });

  async function expectShared(on: Backend, used: Set<string>, strategy: StrategyName, shared: boolean): Promise<void> {
    used.clear();
    await forward(new GRU(3, 5, { seed: 1 }), { shape: [2, 1, 3], data: numbers(6, 1) }, { backend: on, strategy });
    const recurrent = [...used].filter((name) => name.startsWith(strategy));
    expect(recurrent.map((name) => name.includes("-shared:"))).toEqual([shared]);
  }
});

describe("layers by the kernels of GPUs", () => {
  let gpu: Backend;
  let used: Set<string>;
  beforeAll(async () => {
    gpu = await createBackend("webgpu");
    Object.defineProperty(gpu, "isGpu", { value: true });
    used = kernelsOf(gpu);
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

  const large = [
    { name: "LSTM", layer: new LSTM(3, 258, { seed: 1 }) },
    { name: "GRU", layer: new GRU(3, 258, { seed: 2 }) },
    { name: "GRU, reset before", layer: new GRU(3, 258, { seed: 3, reset: "before" }) },
    { name: "two LSTMs in a wavefront", layer: new LSTM(3, 258, { seed: 4, numLayers: 2 }) },
  ];
  it.each(sampled(large, 1))("steps of many rows read weights once for eight: $name", async ({ layer }) => {
    const two = layer.numLayers === 2;
    await expectRight(layer, 258, 2, 33, two ? "wavefront" : "step");
    const steps = [...used].filter((name) => /^(step|two-phase)-/.test(name));
    expect(steps.length).toBeGreaterThan(1);
    expect(steps.filter((name) => !name.endsWith(":rows8"))).toEqual([]);
    used.clear();
  });

  it.each(sampled([1, 3, 4], 1))("steps with norms share the long sums of their products in a batch of %i too", async (B) => {
    // 132 units are 528 gates, the K of the product in BPTT.
    await expectRight(new LSTM(3, 132, { normalization: "layer", seed: B }), 132, 4, B, "step");
    expect([...used].filter((name) => name.startsWith("matmul-s")).map((name) => name.replace(/:.*/, ""))).toContain("matmul-split");
    expect(used).not.toContain("matmul-small-m");
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
