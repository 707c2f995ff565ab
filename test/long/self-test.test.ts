// The test of a device before it is used, and what takes the place of kernels that fail it.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createBackend, explainStrategy, gradients, GRU, Linear, LSTM, type Backend, type Module, type ModelGradients } from "webgpu-rnn";
import { testedKernels } from "../../src/backend/self-test/self-test.ts";
import { allShaders } from "../../src/backend/webgpu/all-shaders.ts";
import { common } from "../../src/backend/webgpu/shaders.ts";
import { hasFallback } from "../../src/backend/self-test/tested.ts";
import { Avoided, type SelfTest } from "../../src/kernels/self-test.ts";
import { checkSelfTest } from "../../src/kernels/stored.ts";
import { backend, expectClose, numbers } from "../device/support.ts";

const shaders = await allShaders(common);

const input = { shape: [3, 2, 4], data: numbers(24, 5) };
const changed = (file: string, from: string, to: string): Record<string, string> => {
  expect(shaders[file]).toContain(from);
  return { [file]: shaders[file].replace(from, to) };
};
/** A result as the self-test would give it, without its half minute on a software adapter. */
const found = (on: Backend, ...kernels: string[]): SelfTest => ({
  ...on.selfTest!,
  failures: kernels.map((kernel) => ({ kernel, problem: "is changed" })),
});

async function gradientsOn(model: Module, on: Backend): Promise<ModelGradients> {
  const shape = [3, 2, model instanceof Linear ? 3 : 8];
  return gradients(
    model,
    { input },
    {
      output: {
        shape,
        data: numbers(
          shape.reduce((a, b) => a * b),
          6,
        ),
      },
    },
    { backend: on },
  );
}

async function expectRight(model: Module, on: Backend): Promise<void> {
  const [got, expected] = [await gradientsOn(model, on), await gradientsOn(model, await backend("cpu"))];
  expectClose("output", got.output.data, expected.output.data);
  for (const [name, { data }] of Object.entries(expected.gradients.parameters))
    expectClose(name, got.gradients.parameters[name].data, data);
}

describe("the self-test", () => {
  let sound: Backend;
  beforeAll(async () => void (sound = await createBackend("webgpu", { selfTest: true })));
  afterAll(() => sound.destroy());

  it("finds nothing on a sound device, in plain JSON that spares the next test", async () => {
    expect(sound.kind).toBe("webgpu");
    expect(sound.selfTest!.failures).toEqual([]);
    expect(sound.selfTest!.tested).toBe(testedKernels().length);
    const kept = JSON.parse(JSON.stringify(sound.selfTest)) as SelfTest;
    const next = await createBackend("webgpu", { selfTest: kept });
    expect(next.selfTest).toEqual(kept);
    // A test compiles kernels; here no kernel was compiled.
    expect(next.counters.pipelines).toBe(0);
    next.destroy();
  });

  it("covers every file but those that only add what another has", () => {
    const covered = new Set(testedKernels().flatMap(({ sources }) => sources));
    expect(Object.keys(shaders).filter((file) => !covered.has(file))).toEqual([]);
  });

  it("has a loop that is wrong replaced by steps, with the reason", async () => {
    const kept = found(sound, "loop-forward:lstm:64x4");
    const on = await createBackend("webgpu", { selfTest: kept });
    expect(on.reason).toMatch(/the self-test found loop-forward:lstm:64x4 wrong \(is changed\): other kernels take their place/);
    const { strategy, text } = explainStrategy({ T: 3, B: 2, H: 8, G: 4, training: true }, undefined, on.selfTest);
    expect([strategy, text]).toEqual([
      "step",
      expect.stringMatching(/step \(the self-test found the loop wrong on this device; no profile\)/),
    ]);
    await expectRight(new LSTM(4, 8, { seed: 1 }), on);
    on.destroy();
  });

  it.each([
    ["a product", ["matmul-block:strided-small", "matmul-block:nt-small", "matmul-block:nn-small"], () => new Linear(4, 3, { seed: 1 })],
    ["a product with sums", ["matmul-block:strided-small-sums", "matmul-block:tn-small-sums"], () => new Linear(4, 3, { seed: 1 })],
    [
      "a fused norm",
      ["regularized-forward:lstm:layer-zoneout-dropout-fused:64"],
      () => new LSTM(4, 8, { normalization: "layer", seed: 1 }),
    ],
    ["a loop of two phases", ["loop-two-phase-forward:gru-reset-before:64x4"], () => new GRU(4, 8, { reset: "before", seed: 1 })],
  ] as const)("goes round %s that is wrong", async (_, kernels, make) => {
    const on = await createBackend("webgpu", { selfTest: found(sound, ...kernels) });
    expect(on.kind).toBe("webgpu");
    await expectRight(make(), on);
    on.destroy();
  });

  it("has the CPU take the place of a device on which nothing else computes the same, and says which kernel it was", async () => {
    const on = await createBackend("webgpu", { selfTest: found(sound, "adam") });
    expect(on.kind).toBe("cpu");
    expect(on.reason).toMatch(/^the self-test found adam wrong on .*: is changed; nothing else there computes the same$/);
    expect(on.selfTest!.failures).toHaveLength(1);
    await expectRight(new LSTM(4, 8, { seed: 1 }), on);
  });

  it("tests anew where the adapter, the version or the shaders are others, and finds what is wrong", async () => {
    for (const kept of [{ ...sound.selfTest!, version: "0.0.9" }, sound.selfTest!]) {
      const on = await createBackend("webgpu", {
        selfTest: kept,
        shaders: changed("strategies/loop-forward", "putStates(copy + unit", "putStates(unit"),
      });
      expect(on.kind).toBe("webgpu");
      expect(on.selfTest!.failures.length).toBeGreaterThan(0);
      for (const { kernel } of on.selfTest!.failures) expect(kernel).toMatch(/^loop-forward:/);
      await expectRight(new LSTM(4, 8, { seed: 1 }), on);
      on.destroy();
    }
  });

  it("takes a shader that does not compile for wrong", async () => {
    const on = await createBackend("webgpu", { selfTest: true, shaders: changed("adam", "let v =", "let v := ") });
    expect([on.kind, on.reason]).toEqual(["cpu", expect.stringMatching(/found adam wrong on .* does not compile/)]);
  });
});

it("a result that is none is refused", () => {
  for (const value of [null, 1, "yes", {}, { version: "1", adapter: "a", tested: 1, failures: [{}] }])
    expect(() => checkSelfTest("createBackend", value)).toThrow(/^createBackend: selfTest must be true, false or an earlier/);
});

it("products stand in for each other as long as one for all operands is right", () => {
  const failures = ["matmul-naive", "matmul-block:strided-small"].map((kernel) => ({ kernel, problem: "" }));
  expect(failures.every((failure) => hasFallback(failure, new Avoided(failures.slice(1))))).toBe(true);
  expect(failures.some((failure) => hasFallback(failure, new Avoided(failures)))).toBe(false);
});
