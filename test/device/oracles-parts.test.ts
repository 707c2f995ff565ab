/** Losses, optimisers, clipping, single modules and schedules against values computed by PyTorch. */
import {
  adam,
  adamw,
  binaryCrossEntropy,
  cosine,
  crossEntropy,
  Embedding,
  forward,
  gradients,
  Linear,
  LogSoftmax,
  nadam,
  ReLU,
  rmsprop,
  sgd,
  Sigmoid,
  Softmax,
  squaredError,
  stepDecay,
  Tanh,
  type Loss,
  type Module,
  type Optimizer,
  type Tensor,
} from "webgpu-rnn";
import { lossAndGradient, optimizerSteps } from "webgpu-rnn/inspect";
import { describe, expect, it } from "vitest";
import clips from "../fixtures/pytorch/clip.json";
import losses from "../fixtures/pytorch/losses.json";
import modules from "../fixtures/pytorch/modules.json";
import optimizers from "../fixtures/pytorch/optimizers.json";
import schedulers from "../fixtures/pytorch/schedulers.json";
import { backend, expectClose, fixture, kinds } from "./support.ts";

interface Fixture {
  shape: number[];
  dtype: string;
  data: number[];
}

const reductionOf = (name: string): "mean" | "sum" => (name.endsWith("/mean") ? "mean" : "sum");
const makeLoss: Record<string, (reduction: "mean" | "sum") => Loss> = {
  cross_entropy: (reduction) => crossEntropy({ reduction }),
  cross_entropy_ignore_index: (reduction) => crossEntropy({ reduction, ignoreIndex: -100 }),
  cross_entropy_extreme_logits: (reduction) => crossEntropy({ reduction }),
  mse: (reduction) => squaredError({ reduction }),
  bce_with_logits: (reduction) => binaryCrossEntropy({ reduction }),
  bce_with_logits_extreme: (reduction) => binaryCrossEntropy({ reduction }),
};

const lossCases = (losses as unknown as { case: string; input: Fixture; target: Fixture; expected: Fixture; gradInput: Fixture }[]).filter(
  (c) => c.case.split("/")[0] in makeLoss,
);

describe.each(kinds)("losses on %s agree with PyTorch", (kind) => {
  it.each(lossCases.map((c) => [c.case, c] as const))("%s", async (name, c) => {
    const reduction = reductionOf(name);
    const result = await lossAndGradient(
      makeLoss[name.split("/")[0]](reduction),
      { prediction: fixture(c.input), targets: fixture(c.target) },
      { backend: await backend(kind) },
    );
    // Without reduction PyTorch's gradient is that of the sum.
    expectClose("loss", [result.loss], [c.expected.data.reduce((a, b) => a + b, 0)]);
    expectClose("gradient", result.gradient.data, c.gradInput.data);
  });

  it("half the sum of squares is half of the sum, and the mask leaves elements out", async () => {
    const prediction: Tensor = { shape: [3], data: Float32Array.of(1, 2, 5) };
    const targets: Tensor = { shape: [3], data: Float32Array.of(0, 4, 5.5) };
    const mask: Tensor = { shape: [3], data: Float32Array.of(1, 0, 1) };
    const half = await lossAndGradient(
      squaredError({ reduction: "halfSum" }),
      { prediction, targets, mask },
      { backend: await backend(kind) },
    );
    expectClose("loss", [half.loss], [0.5 * (1 + 0.25)]);
    expectClose("gradient", half.gradient.data, [1, 0, -0.5]);
  });
});

const makeOptimizer: Record<string, (p: Record<string, number & boolean>) => Optimizer> = {
  sgd: (p) => sgd({ learningRate: p.lr, momentum: p.momentum, dampening: p.dampening, nesterov: p.nesterov, weightDecay: p.weight_decay }),
  rmsprop: (p) =>
    rmsprop({ learningRate: p.lr, alpha: p.alpha, eps: p.eps, momentum: p.momentum, centered: p.centered, weightDecay: p.weight_decay }),
  adamw: (p) => adamw({ learningRate: p.lr, ...betas(p), eps: p.eps, weightDecay: p.weight_decay }),
  nadam: (p) => nadam({ learningRate: p.lr, ...betas(p), eps: p.eps, momentumDecay: p.momentum_decay }),
  adam: (p) => adam({ learningRate: p.lr, ...betas(p), eps: p.eps, weightDecay: p.weight_decay }),
};
const betas = ({ betas: b }: { betas?: unknown }): { beta1?: number; beta2?: number } =>
  Array.isArray(b) ? { beta1: b[0] as number, beta2: b[1] as number } : {};

interface OptimizerCase {
  case: string;
  params: Record<string, number & boolean>;
  initial: Fixture[];
  grads: Fixture[][];
  afterEachStep: Fixture[][];
}
const familyOf = (name: string): string | undefined =>
  Object.keys(makeOptimizer).find((family) => name === family || name.startsWith(`${family}_`));
const optimizerCases = (optimizers as unknown as OptimizerCase[]).filter(
  (c) => familyOf(c.case) && !("amsgrad" in c.params) && !("maximize" in c.params),
);
const named = (values: readonly Fixture[]): Record<string, Tensor> => Object.fromEntries(values.map((v, i) => [`p${i}`, fixture(v)]));

describe.each(kinds)("optimisers on %s agree with PyTorch", (kind) => {
  it.each(optimizerCases.map((c) => [c.case, c] as const))("%s", async (name, c) => {
    const results = await optimizerSteps(makeOptimizer[familyOf(name)!](c.params), named(c.initial), c.grads.map(named), {
      backend: await backend(kind),
    });
    c.afterEachStep.forEach((expected, step) =>
      expected.forEach((value, i) => expectClose(`step ${step}, p${i}`, results[step][`p${i}`].data, value.data)),
    );
  });

  it.each(
    (clips as unknown as { case: string; max_norm: number; norm_type: string; grads: Fixture[]; clipped: Fixture[] }[])
      .filter((c) => c.norm_type === "L2")
      .map((c) => [c.case, c] as const),
  )("%s", async (_name, c) => {
    // With learning rate 1 and no momentum the step is the clipped gradient itself.
    const zeros = c.grads.map((g) => ({ ...g, data: g.data.map(() => 0) }));
    const [after] = await optimizerSteps(sgd({ learningRate: 1 }), named(zeros), [named(c.grads)], {
      backend: await backend(kind),
      clipNorm: c.max_norm,
    });
    c.clipped.forEach((value, i) =>
      expectClose(
        `p${i}`,
        after[`p${i}`].data,
        value.data.map((x) => -x),
      ),
    );
  });

  it("clipping by value clips each gradient", async () => {
    const [after] = await optimizerSteps(
      sgd({ learningRate: 1 }),
      { p: { shape: [3], data: new Float32Array(3) } },
      [{ p: { shape: [3], data: Float32Array.of(-3, 0.25, 9) } }],
      { backend: await backend(kind), clipValue: 0.5 },
    );
    expectClose("p", after.p.data, [0.5, -0.25, -0.5]);
  });
});

interface ModuleCase {
  case: string;
  params: Record<string, number | boolean>;
  weights: Record<string, Fixture>;
  x: Fixture;
  cotangent: Fixture;
  expected: Fixture;
  dx: Fixture | null;
  gradients: Record<string, Fixture>;
}
const makeModule: Record<string, (p: Record<string, number | boolean>) => Module> = {
  linear: (p) => new Linear(p.in as number, p.out as number),
  linear_3d_nobias: (p) => new Linear(p.in as number, p.out as number, { bias: false }),
  embedding: (p) => new Embedding(p.num as number, p.dim as number),
  act_sigmoid: () => new Sigmoid(),
  act_tanh: () => new Tanh(),
  act_relu: () => new ReLU(),
  act_softmax: () => new Softmax(),
  act_log_softmax: () => new LogSoftmax(),
};
const moduleCases = (modules as unknown as ModuleCase[]).filter((c) => c.case in makeModule);

describe.each(kinds)("modules on %s agree with PyTorch", (kind) => {
  it.each(moduleCases.map((c) => [c.case, c] as const))("%s", async (name, c) => {
    const module = makeModule[name](c.params);
    module.loadStateDict(Object.fromEntries(Object.entries(c.weights).map(([key, value]) => [key, fixture(value)])));
    const result = await gradients(module, fixture(c.x), { output: fixture(c.cotangent) }, { backend: await backend(kind) });
    expectClose("output", result.output.data, c.expected.data);
    for (const [key, value] of Object.entries(c.gradients)) expectClose(`d.${key}`, result.gradients.parameters[key].data, value.data);
    if (c.dx && result.gradients.input) expectClose("d.x", result.gradients.input.data, c.dx.data);
    expect((await forward(module, fixture(c.x), { backend: await backend(kind) })).output.shape).toEqual(c.expected.shape);
  });
});

describe("schedules agree with PyTorch", () => {
  const find = (name: string): { baseLr: number; params: Record<string, number>; lrAfterStep: number[] } =>
    (schedulers as unknown as { case: string; baseLr: number; params: Record<string, number>; lrAfterStep: number[] }[]).find(
      (c) => c.case === name,
    )!;

  it("step", () => {
    const { baseLr, params, lrAfterStep } = find("step");
    const schedule = stepDecay({ learningRate: baseLr, stepSize: params.step_size, gamma: params.gamma });
    expectClose(
      "learning rate",
      lrAfterStep.map((_, step) => schedule(step)),
      lrAfterStep,
      { atol: 1e-12, rtol: 1e-9 },
    );
  });

  it("cosine, up to its end", () => {
    const { baseLr, params, lrAfterStep } = find("cosine");
    const schedule = cosine({ learningRate: baseLr, totalSteps: params.T_max, minimum: params.eta_min });
    const upToEnd = lrAfterStep.slice(0, params.T_max + 1);
    expectClose(
      "learning rate",
      upToEnd.map((_, step) => schedule(step)),
      upToEnd,
      { atol: 1e-12, rtol: 1e-9 },
    );
  });
});
