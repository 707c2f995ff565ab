// An option left out is the default that the documents name, and a schedule gives at each step what its formula says.
import { describe, expect, it } from "vitest";
import {
  adam,
  adamw,
  binaryCrossEntropy,
  cosine,
  createBackend,
  crossEntropy,
  Dropout,
  forward,
  GRU,
  Linear,
  LSTM,
  SLSTM,
  nadam,
  rmsprop,
  RNN,
  sgd,
  squaredError,
  stepDecay,
  TextData,
  type Loss,
  type Module,
  type Optimizer,
} from "webgpu-rnn";
import { Recording } from "../../src/recording/recording.ts";

/** The params of an optimiser's kernel, and the host's numbers for the first steps. */
function rule(optimizer: Optimizer): unknown {
  const recording = new Recording();
  const made = (label: string, length = 8) => recording.buffer(label, [length], "external");
  const slots = optimizer.slots.map(({ name, used }) => made(name, used ? 8 : 1));
  optimizer.record(
    recording,
    {
      parameters: made("parameters"),
      gradients: made("gradients"),
      lastGood: made("good"),
      norm: made("norm", 4),
      control: made("control", 4),
      slots,
    },
    8,
    0,
  );
  return {
    name: optimizer.name,
    slots: optimizer.slots,
    commands: recording.commands,
    controls: [0, 1, 2, 9, 1000].map((step) => optimizer.control(step, step)),
  };
}

describe("an optimiser", () => {
  const common = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
  it.each<[string, (options?: object) => Optimizer, object]>([
    ["sgd", sgd, { learningRate: 0.01, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 }],
    ["rmsprop", rmsprop, { learningRate: 0.01, alpha: 0.99, eps: 1e-8, momentum: 0, centered: false, weightDecay: 0 }],
    ["adam", adam, { ...common, weightDecay: 0 }],
    ["adamw", adamw, { ...common, weightDecay: 0.01 }],
    ["nadam", nadam, { ...common, learningRate: 0.002, weightDecay: 0, momentumDecay: 0.004, pytorch: "1" }],
  ])("has the defaults that its comment names: %s", (_, make, defaults) => {
    const expected = rule(make(defaults));
    expect(rule(make())).toEqual(expected);
    for (const [name, value] of Object.entries(defaults)) {
      const { [name]: _left, ...others } = defaults as Record<string, unknown>;
      expect(rule(make(others)), `${name} left out`).toEqual(expected);
      // And the comparison sees the option.
      const [base, other] =
        typeof value === "boolean"
          ? [{ ...defaults, momentum: 0.5 }, true]
          : [defaults, typeof value === "string" ? "2" : value === 0 ? 0.5 : (value as number) / 2];
      expect(rule(make({ ...base, [name]: other })), `another ${name}`).not.toEqual(rule(make(base)));
    }
  });
});

describe("a loss", () => {
  const targets = Int32Array.of(0, 1, -100);
  const normalizers = (loss: Loss): unknown => [targets, Int32Array.of(1, 1, 1)].map((some) => [...loss.normalizer(some, undefined)]);
  it.each<[string, (options?: object) => Loss, object[]]>([
    ["crossEntropy", crossEntropy, [{ reduction: "mean" }, { ignoreIndex: -100 }]],
    ["binaryCrossEntropy", binaryCrossEntropy, [{ reduction: "mean" }]],
    ["squaredError", squaredError, [{ reduction: "mean" }]],
  ])("is a mean unless it is told otherwise, over what is not left out: %s", (_, make, defaults) => {
    for (const one of defaults) expect(normalizers(make(one))).toEqual(normalizers(make()));
    expect(normalizers(make({ reduction: "sum" }))).not.toEqual(normalizers(make()));
  });

  it("leaves -100 out of the classes, and another index where it is told so", () => {
    expect(() => crossEntropy().checkTargets(targets, [3, 2])).not.toThrow();
    expect(() => crossEntropy({ ignoreIndex: -1 }).checkTargets(targets, [3, 2])).toThrow(/-100/);
    expect([...crossEntropy().normalizer(targets, undefined)]).toEqual([2, 0.5]);
  });
});

describe("a layer", () => {
  const shared = {
    numLayers: 1,
    bias: true,
    batchFirst: false,
    dropout: 0,
    bidirectional: false,
    variational: false,
    recurrentInit: "uniform",
    inputInit: "uniform",
  };
  const onSequence: [string, (options?: object) => Module, Record<string, unknown>][] = [
    ["RNN", (options) => new RNN(3, 4, options), { ...shared, nonlinearity: "tanh" }],
    ["GRU", (options) => new GRU(3, 4, options), { ...shared, reset: "after", updateGate: "keeps" }],
    [
      "LSTM",
      (options) => new LSTM(3, 4, options),
      { ...shared, forgetGate: "gate", outputActivation: "tanh", peepholes: false, projSize: 0 },
    ],
    ["SLSTM", (options) => new SLSTM(3, 4, options), { ...shared, forgetGate: "sigmoid", heads: 1 }],
    ["Linear", (options) => new Linear(3, 4, options), { bias: true }],
  ];
  it.each(onSequence)("has the defaults that its comment names: %s", async (_, make, defaults) => {
    const backend = await createBackend("cpu");
    const input = { shape: [3, 2, 3], data: Float32Array.from({ length: 18 }, (_, i) => Math.sin(i)) };
    const of = async (options: object): Promise<unknown> => {
      const model = make({ seed: 1, ...options });
      return [await model.stateDict(), await forward(model, { input }, { backend, training: true, seed: 2 })];
    };
    expect(await of(defaults)).toEqual(await of({}));
  });

  it("drops half of what it gets, and does not care which axis is time, unless it is told otherwise: Dropout", () => {
    const { p, saysBatchFirst } = new Dropout();
    expect([p, saysBatchFirst]).toEqual([0.5, undefined]);
  });
});

it("a text is read in 32 rows of 64 characters", () => {
  const text = "abcdefghijklmnopqrstuvwxyz".repeat(80);
  expect(TextData.from(text).batch(0)).toEqual(TextData.from(text, { batch: 32, steps: 64 }).batch(0));
  expect(TextData.from(text).batch(0).input.shape).toEqual([64, 32]);
});

describe("a schedule", () => {
  // From the formulas in their comments, written out for each step.
  const most = 0.8;
  it.each([0, 1, 2, 5])(
    "warms up in equal parts over its first steps, the last of which has the whole rate, then falls by half a cosine: %i steps of warm-up",
    (warmupSteps) => {
      for (const totalSteps of [warmupSteps + 1, warmupSteps + 2, warmupSteps + 10]) {
        for (const minimum of [0, 0.1]) {
          const schedule = cosine({ learningRate: most, totalSteps, warmupSteps, minimum });
          for (let step = 0; step < warmupSteps; step++) expect(schedule(step)).toBeCloseTo((most / warmupSteps) * (step + 1), 12);
          if (warmupSteps > 0) expect(schedule(warmupSteps - 1)).toBe(most);
          expect(schedule(warmupSteps)).toBe(most);
          const steps = totalSteps - warmupSteps;
          for (let i = 1; i < steps; i++)
            expect(schedule(warmupSteps + i)).toBeCloseTo(minimum + ((most - minimum) / 2) * (1 + Math.cos((Math.PI * i) / steps)), 12);
          for (const step of [totalSteps, totalSteps + 1, totalSteps + 1000]) expect(schedule(step)).toBe(minimum);
        }
      }
    },
  );

  it("starts at the whole rate, falls to 0 and stays there, unless it is told otherwise", () => {
    const schedule = cosine({ learningRate: most, totalSteps: 4 });
    expect([0, 2, 4, 5].map(schedule)).toEqual([most, expect.closeTo(most / 2, 12), 0, 0]);
  });

  it("falls by gamma after each so many steps, by a tenth unless it is told otherwise", () => {
    const schedule = stepDecay({ learningRate: most, stepSize: 3, gamma: 0.5 });
    expect([0, 1, 2, 3, 4, 5, 6, 9].map(schedule)).toEqual([most, most, most, most / 2, most / 2, most / 2, most / 4, most / 8]);
    const byDefault = stepDecay({ learningRate: most, stepSize: 2 });
    expect([1, 2, 3, 4].map(byDefault)).toEqual([most, most * 0.1, most * 0.1, most * 0.1 ** 2]);
  });
});
