// What `verify` checks, and what it does not touch.
import { describe, expect, it } from "vitest";
import {
  adam,
  binaryCrossEntropy,
  crossEntropy,
  Embedding,
  forward,
  GRU,
  Linear,
  LSTM,
  rmsprop,
  Sequential,
  sgd,
  squaredError,
  TextData,
  Trainer,
  verify,
  type Backend,
  type Module,
  type Report,
} from "webgpu-rnn";
import { backend, kinds, numbers, ownBackend } from "./support.ts";
import { shaderText } from "../../src/backend/webgpu/shaders.ts";
import { itThoroughly, sampledOn } from "../thorough.ts";

const data = TextData.from("the quick brown fox jumps over the lazy dog. ".repeat(40), { batch: 4, steps: 6 });
const characters = (): Sequential =>
  new Sequential([new Embedding(data.vocabulary.size, 5), new LSTM(5, 8), new Linear(8, data.vocabulary.size)], { seed: 1 });
const inputs = { input: data.batch(0).input };
const kernelsOf = ({ findings }: Report): Set<string> => new Set(findings.map(({ kernel }) => kernel.split(":")[0]));

/** The losses of a training, with something done beside it now and then and not waited for. */
async function losses(
  on: Backend,
  beside: (model: Module, step: number) => void,
): Promise<{ all: number[]; weights: Record<string, ArrayLike<number>> }> {
  const model = characters();
  const trainer = new Trainer(model, { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }) });
  const all: number[] = [];
  for await (const { step, loss } of trainer.run({ steps: 24 })) {
    all.push(loss);
    beside(model, step);
  }
  return { all, weights: Object.fromEntries(Object.entries(await model.stateDict()).map(([name, { data: values }]) => [name, values])) };
}

describe.each(kinds)("verify on %s", (kind) => {
  itThoroughly("takes a sound device for sound beside a training, and does not disturb it", async () => {
    const on = await backend(kind);
    const quiet = await losses(on, () => undefined);
    const reports: Promise<Report>[] = [];
    const disturbed = await losses(on, (model, step) => {
      if (step % 5 === 1) reports.push(verify(model, inputs, { backend: on }));
    });
    for (const report of await Promise.all(reports)) expect(report.passed, String(report)).toBe(true);
    expect(reports).toHaveLength(5);
    expect(disturbed).toEqual(quiet);
  });

  it("covers loss, clipping, optimiser, evaluation and sampler of a model of ids", async () => {
    const report = await verify(characters(), inputs, { backend: await backend(kind) });
    expect(report.passed, String(report)).toBe(true);
    for (const kernel of ["cross-entropy", "gradient-norm", "adam", "sample-token", "advance-position", "loss-sum", "embedding-scatter"])
      expect(kernelsOf(report), kernel).toContain(kernel);
    expect(report.cases).toBeGreaterThan(100);
    expect(report.findings.filter(({ command }) => command < 0).every(({ case: one }) => one !== undefined)).toBe(true);
  });

  it.each(
    sampledOn(
      kind,
      [
        ["squared error by default", {}, ["squared-error", "adam"]],
        ["the given loss", { loss: binaryCrossEntropy() }, ["binary-cross-entropy", "adam"]],
        ["the given optimizer", { loss: squaredError({ reduction: "sum" }), optimizer: sgd({ momentum: 0.9 }) }, ["squared-error", "sgd"]],
        [
          "the given targets",
          { optimizer: rmsprop({ centered: true, momentum: 0.5 }), targets: { shape: [3, 2, 8], data: numbers(48, 7) } },
          ["squared-error", "rmsprop"],
        ],
        [
          "class indices for numbers",
          { loss: crossEntropy(), targets: { shape: [3, 2], data: Int32Array.of(0, 1, 2, 7, -100, 3) } },
          ["cross-entropy"],
        ],
      ] as const,
      2,
    ),
  )("takes, for a model of numbers, %s", async (_, options, kernels) => {
    const report = await verify(
      new GRU(4, 8, { seed: 2 }),
      { input: { shape: [3, 2, 4], data: numbers(24, 3) } },
      { backend: await backend(kind), ...options },
    );
    expect(report.passed, String(report)).toBe(true);
    for (const kernel of kernels) expect(kernelsOf(report), kernel).toContain(kernel);
  });

  it("leaves running statistics as they are", async () => {
    const on = await backend(kind);
    const model = new LSTM(3, 4, { normalization: "batch", normalizedSteps: 2, seed: 3 });
    const input = { shape: [3, 4, 3], data: numbers(36, 5) };
    const before = await forward(model, input, { backend: on });
    await verify(model, { input }, { backend: on });
    expect(await forward(model, input, { backend: on })).toEqual(before);
  });
});

it("verify takes infinite and undefined numbers on both sides for equal", async () => {
  const on = await backend("cpu");
  const model = new Linear(2, 3, { seed: 1 });
  model.loadStateDict({ weight: { shape: [3, 2], data: new Float32Array(6).fill(3e38) }, bias: { shape: [3], data: new Float32Array(3) } });
  const report = await verify(model, { input: { shape: [2, 2], data: new Float32Array(4).fill(10) } }, { backend: on });
  expect(report.passed, String(report)).toBe(true);
});

it("verify finds what only an update of a second step, or one that is taken back, does", async () => {
  const adam = (await shaderText("adam"))!;
  for (const from of ["parameters[i] = lastGood[kept];", "lastGood[kept] = parameters[i];", "firstMoment[i] = lastGood[kept + 64u];"]) {
    const on = await ownBackend("webgpu", { shaders: { adam: adam.replace(from, "") } });
    try {
      const report = await verify(new Linear(3, 2, { seed: 1 }), { input: { shape: [2, 3], data: numbers(6, 2) } }, { backend: on });
      const bad = report.findings.filter(({ command, firstBadIndex }) => command >= 0 && firstBadIndex >= 0);
      expect(bad.map(({ kernel }) => kernel)).toContain("adam");
    } finally {
      on.destroy();
    }
  }
});
