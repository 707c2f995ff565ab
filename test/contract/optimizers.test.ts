// The optimisers' twins against PyTorch: parameters after each of twelve steps with the same gradients.
//
//   p = torch.nn.Parameter(initial); optimizer = torch.optim.X([p], **params)
//   for grad in grads: p.grad = grad; optimizer.step()
import { describe, expect, it } from "vitest";
import { gradientNorm, gradientNormPartial, normGroups } from "../../src/kernels/gradient-norm.ts";
import { adam, keptLength, rmsprop, sgd } from "../../src/kernels/optimizers.ts";
import * as host from "../../src/optim/optimizer.ts";
import clipCases from "../fixtures/pytorch/clip.json";
import optimizerCases from "../fixtures/pytorch/optimizers.json";
import { twinOf } from "../../src/backend/all-twins.ts";

interface Fixture {
  data: number[];
}

interface OptimizerCase {
  case: string;
  params: Record<string, number | boolean | string | number[] | undefined>;
  initial: Fixture[];
  grads: Fixture[][];
  afterEachStep: Fixture[][];
}

const flat = (tensors: readonly Fixture[]): Float64Array => Float64Array.from(tensors.flatMap(({ data }) => data));

/** The host's numbers for a step, counted from 1. */
const controlOf = (rule: host.Optimizer, step: number): Float64Array => Float64Array.from(rule.control(step - 1, step - 1));

/** One step of the optimiser that the case is about, or undefined if there is no kernel for it. */
function stepperOf(c: OptimizerCase, parameters: Float64Array): ((gradients: Float64Array, step: number) => void) | undefined {
  const length = parameters.length;
  const moments = Array.from({ length: 3 }, () => new Float64Array(length));
  const lastGood = new Float64Array(keptLength(length, 3));
  const norm = Float64Array.of(0, 1, 1, 0);
  const number = (name: string): number => Number(c.params[name] ?? 0);
  const learningRate = number("lr");
  const common = { length, weightDecay: number("weight_decay"), clipValue: 0 };
  const kind = c.case.split("_")[0];
  if (kind === "sgd") {
    const params = { ...common, momentum: number("momentum"), dampening: number("dampening"), nesterov: number("nesterov") };
    const rule = host.sgd({ learningRate, momentum: params.momentum, dampening: params.dampening });
    return (gradients, step) =>
      twinOf(sgd)({ parameters, gradients, lastGood, velocity: moments[0], norm, control: controlOf(rule, step) }, params);
  }
  if (kind === "rmsprop") {
    const params = { ...common, alpha: number("alpha"), eps: number("eps"), momentum: number("momentum"), centered: number("centered") };
    const [squareAverage, gradientAverage, velocity] = moments;
    const rule = host.rmsprop({ learningRate });
    return (gradients, step) =>
      twinOf(rmsprop)(
        { parameters, gradients, lastGood, squareAverage, gradientAverage, velocity, norm, control: controlOf(rule, step) },
        params,
      );
  }
  if ((kind === "adam" || kind === "adamw" || kind === "nadam") && !c.params.amsgrad) {
    const [beta1, beta2] = c.params.betas as number[];
    const params = { ...common, beta1, beta2, eps: number("eps"), decoupled: kind === "adamw" ? 1 : 0 };
    const [firstMoment, secondMoment] = moments;
    const betas = { learningRate, beta1, beta2 };
    const rule = kind === "nadam" ? host.nadam({ ...betas, momentumDecay: number("momentum_decay") }) : host[kind](betas);
    return (gradients, step) => {
      const control = controlOf(rule, step);
      twinOf(adam)({ parameters, gradients, lastGood, firstMoment, secondMoment, norm, control }, params);
    };
  }
  return undefined;
}

const cases = (optimizerCases as unknown as OptimizerCase[]).filter((c) => stepperOf(c, new Float64Array(1)));

describe("optimisers", () => {
  it("are tried on every PyTorch case that has a kernel", () => {
    expect(cases.map((c) => c.case)).toEqual([
      "sgd",
      "sgd_momentum",
      "sgd_momentum_dampening",
      "sgd_nesterov_wd",
      "adam",
      "adam_lr0.05_betas_wd",
      "adamw",
      "rmsprop",
      "rmsprop_centered_momentum",
      "nadam",
    ]);
  });

  it.each(cases.map((c) => [c.case, c] as const))("take PyTorch's steps: %s", (_, c) => {
    const parameters = flat(c.initial);
    const step = stepperOf(c, parameters)!;
    c.afterEachStep.forEach((tensors, i) => {
      step(flat(c.grads[i]), i + 1);
      flat(tensors).forEach((expected, at) => {
        // PyTorch worked in float32 here.
        expect(
          Math.abs(parameters[at] - expected),
          `step ${i + 1}, parameter ${at}: ${parameters[at]}, PyTorch has ${expected}`,
        ).toBeLessThan(2e-6);
      });
    });
  });

  it.each(["1", "2"] as const)(
    "mix moment and gradient in NAdam's steps as by hand, whatever step is asked for first: PyTorch %s",
    (pytorch) => {
      // The products of μ_t written out, with beta1 0.9 and momentumDecay 10.
      const mu = (t: number): number => 0.9 * (1 - 0.5 * 0.96 ** (10 * t));
      const again = (t: number): number => (pytorch === "1" ? mu(t) : 1);
      const options = { learningRate: 0.1, momentumDecay: 10, pytorch };
      const expectControl = (control: number[], expected: number[]): void =>
        control.forEach((value, i) => expect(value).toBeCloseTo(expected[i], 12));
      const optimizer = host.nadam(options);
      expectControl(optimizer.control(2, 2), [
        0.1,
        mu(4) / (1 - mu(1) * mu(2) * mu(3) * mu(4) * again(3)),
        1 - 0.999 ** 3,
        (1 - mu(3)) / (1 - mu(1) * mu(2) * mu(3)),
      ]);
      expectControl(optimizer.control(0, 0), [0.1, mu(2) / (1 - mu(1) * mu(2) * again(1)), 1 - 0.999, 1]);
      // In the end neither start at 0 is to be corrected, and μ is beta1.
      expectControl(optimizer.control(100_000, 100_000), [0.1, 0.9, 1, 0.1]);
      const inOrder = host.nadam(options);
      for (let step = 0; step < 500; step++) expect(inOrder.control(step, step)).toEqual(host.nadam(options).control(step, step));
    },
  );

  it("take no step while unhealthy, but give the last good parameters back", () => {
    const parameters = Float64Array.of(5, 6);
    const arrays = {
      parameters,
      gradients: Float64Array.of(NaN, 1),
      lastGood: new Float64Array(128),
      velocity: Float64Array.of(7, 8),
      norm: Float64Array.of(NaN, 0, 0, 1),
      control: Float64Array.of(1, 0, 0, 1),
    };
    arrays.lastGood.set([1, 2]);
    arrays.lastGood.set([3, 4], 64);
    twinOf(sgd)(arrays, { length: 2, momentum: 0.9, dampening: 0, nesterov: 0, weightDecay: 0, clipValue: 0 });
    expect([...parameters]).toEqual([1, 2]);
    expect([...arrays.velocity]).toEqual([3, 4]);
  });
});

interface ClipCase {
  case: string;
  max_norm: number;
  norm_type: string;
  grads: Fixture[];
  totalNorm: number;
  clipped: Fixture[];
}

describe("clipping", () => {
  const usable = (clipCases as unknown as ClipCase[]).filter((c) => c.norm_type === "L2");

  /** Plain descent from zeros with a learning rate of 1 gives the negative gradient. */
  function seenBySgd(gradients: Float64Array, norm: Float64Array, clipValue: number): number[] {
    const length = gradients.length;
    const parameters = new Float64Array(length);
    twinOf(sgd)(
      {
        parameters,
        gradients,
        lastGood: new Float64Array(keptLength(length, 0)),
        velocity: new Float64Array(1),
        norm,
        control: Float64Array.of(1, 0, 0, 1),
      },
      { length, momentum: 0, dampening: 0, nesterov: 0, weightDecay: 0, clipValue },
    );
    return [...parameters].map((p) => -p);
  }

  it.each(usable.map((c) => [c.case, c] as const))("scales as PyTorch does: %s", (_, c) => {
    const gradients = flat(c.grads);
    const length = gradients.length;
    const partial = new Float64Array(normGroups);
    const loss = { losses: new Float64Array(1), normalizer: new Float64Array(2), loss: new Float64Array(1) };
    const norm = Float64Array.of(0, 0, 1, 0);
    const norm2 = norm.slice();
    twinOf(gradientNormPartial)({ gradients, partial }, { length, groups: normGroups });
    twinOf(gradientNorm)(
      { values: partial, ...loss, norm: norm2 },
      { length: normGroups, squared: 1, rows: 1, maxNorm: c.max_norm, mostNorm: 0 },
    );
    twinOf(gradientNorm)({ values: gradients, ...loss, norm }, { length, squared: 0, rows: 1, maxNorm: c.max_norm, mostNorm: 0 });
    expect(norm[0]).toBeCloseTo(c.totalNorm, 5);
    norm.forEach((value, i) => expect(norm2[i]).toBeCloseTo(value, 10));
    const seen = seenBySgd(gradients, norm, 0);
    flat(c.clipped).forEach((expected, at) => expect(seen[at], `gradient ${at}`).toBeCloseTo(expected, 6));
  });

  it("by value comes behind the norm's scale", () => {
    expect(seenBySgd(Float64Array.of(-3, 0.5, 3), Float64Array.of(9, 0.5, 1, 0), 1)).toEqual([-1, 0.25, 1]);
    expect(seenBySgd(Float64Array.of(-3, 0.5, 3), Float64Array.of(9, 0.5, 1, 0), 2)).toEqual([-1.5, 0.25, 1.5]);
  });
});

describe("gradientNorm", () => {
  const run = (partial: number[], loss: number, healthy: number): number[] => {
    const norm = Float64Array.of(0, 0, healthy, 0);
    const arrays = {
      values: Float64Array.from(partial),
      losses: Float64Array.of(loss),
      normalizer: Float64Array.of(1, 0.5),
      loss: new Float64Array(1),
      norm,
    };
    twinOf(gradientNorm)(arrays, { length: partial.length, squared: 1, rows: 1, maxNorm: 0, mostNorm: 0 });
    expect(arrays.loss[0]).toBe(0.5 * loss);
    return [...norm];
  };

  it("reports a finite norm and a scale of 1 without maxNorm", () => {
    expect(run([9, 16], 0.5, 1)).toEqual([5, 1, 1, 1]);
  });

  it.each([
    ["a NaN loss", [1], NaN],
    ["an infinite loss", [1], -Infinity],
    ["a NaN gradient", [NaN], 1],
    ["an overflowing norm", [Infinity], 1],
  ])("calls %s unhealthy", (_, partial, loss) => {
    expect(run(partial, loss, 1).slice(1)).toEqual([0, 0, 0]);
  });

  it("stays unhealthy until the host says otherwise", () => {
    expect(run([9, 16], 0.5, 0)).toEqual([5, 0, 0, 0]);
  });
});
