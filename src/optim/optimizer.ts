/** Optimisers with PyTorch's update rules, names and defaults; each is one dispatch over all parameters. */
import { checkBoolean, checkChoice, checkNumber, RnnError, show } from "../errors.ts";
import { adam as adamKernel, rmsprop as rmspropKernel, sgd as sgdKernel } from "../kernels/optimizers.ts";
import { hasMethods, takeOptions } from "../options.ts";
import type { Recording, View } from "../recording/recording.ts";
import { constant, type Schedule } from "./schedules.ts";

export interface OptimizerViews {
  readonly parameters: View;
  readonly gradients: View;
  /** Parameters and slots before the last healthy step; restored when a step is not healthy. */
  readonly lastGood: View;
  /** One per slot name; [1] for a slot that the options leave unused. */
  readonly slots: readonly View[];
  /** [4] norm, scale, healthy, keeps: from the gradient-norm kernel. */
  readonly norm: View;
  /** [4] written by the host each step; see `control`. */
  readonly control: View;
}

/** An update rule with its options; made by `sgd`, `rmsprop`, `adam`, `adamw` or `nadam`. It holds no state. */
export interface Optimizer {
  readonly name: string;
  readonly schedule: Schedule;
  /** Names of its state arrays, each as long as the parameters if `used`. */
  readonly slots: readonly { readonly name: string; readonly used: boolean }[];
  record(recording: Recording, views: OptimizerViews, length: number, clipValue: number): void;
  /** The kernel's `control` for step `step` (from 0) after this many `updates`; the learning rate comes first. */
  control(step: number, updates: number): number[];
}

/** @throws RnnError `option` unless `optimizer` is one */
export function checkOptimizer(where: string, optimizer: unknown): void {
  const complete =
    hasMethods(optimizer, "record", "control", "schedule") &&
    typeof (optimizer as Optimizer).name === "string" &&
    Array.isArray((optimizer as Optimizer).slots);
  if (!complete)
    throw new RnnError("option", where, `optimizer must come from adam() or another optimiser function, got ${show(optimizer)}`);
}

interface Common {
  /** A number or a schedule. */
  learningRate?: number | Schedule;
  weightDecay?: number;
}

function scheduleOf(where: string, learningRate: number | Schedule): Schedule {
  // A schedule is the caller's function. Unchecked, a bad result would show only as a NaN loss.
  if (typeof learningRate === "function")
    return (step) => checkNumber(where, `learningRate of step ${step}`, learningRate(step), { least: 0 });
  checkNumber(where, "learningRate", learningRate, { least: 0 });
  return constant(learningRate);
}

const fraction = (where: string, name: string, value: number): number => {
  checkNumber(where, name, value, { least: 0 });
  if (value >= 1) throw new RnnError("option", where, `${name} must be at least 0 and below 1, got ${value}`);
  return value;
};

/**
 * Stochastic gradient descent; learningRate 0.01, momentum 0, dampening 0, nesterov false, weightDecay 0:
 * v = momentum·v + (1 - dampening)·g;  θ -= learningRate·v, or learningRate·(g + momentum·v) with `nesterov`.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function sgd(given: Common & { momentum?: number; dampening?: number; nesterov?: boolean } = {}): Optimizer {
  const options = takeOptions("sgd", given, ["learningRate", "weightDecay", "momentum", "dampening", "nesterov"]);
  const schedule = scheduleOf("sgd", options.learningRate ?? 0.01);
  const momentum = checkNumber("sgd", "momentum", options.momentum ?? 0, { least: 0 });
  const dampening = checkNumber("sgd", "dampening", options.dampening ?? 0);
  const nesterov = checkBoolean("sgd", "nesterov", options.nesterov ?? false);
  const weightDecay = checkNumber("sgd", "weightDecay", options.weightDecay ?? 0, { least: 0 });
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new RnnError("option", "sgd", "nesterov needs a momentum above 0 and no dampening");
  return {
    name: "sgd",
    schedule,
    slots: [{ name: "velocity", used: momentum > 0 }],
    control: (step, updates) => [schedule(step), 0, 0, updates === 0 ? 1 : 0],
    record(recording, { slots: [velocity], ...views }, length, clipValue) {
      recording.dispatch(
        sgdKernel,
        { ...views, velocity },
        { length, momentum, dampening, nesterov: nesterov ? 1 : 0, weightDecay, clipValue },
      );
    },
  };
}

/**
 * RMSprop (Hinton 2012; centred: Graves 2013); learningRate 0.01, alpha 0.99, eps 1e-8, momentum 0, centered false,
 * weightDecay 0: s = alpha·s + (1 - alpha)·g²;  θ -= learningRate · g / (√s + eps), s less the square of the mean
 * gradient if `centered`.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function rmsprop(given: Common & { alpha?: number; eps?: number; momentum?: number; centered?: boolean } = {}): Optimizer {
  const options = takeOptions("rmsprop", given, ["learningRate", "weightDecay", "alpha", "eps", "momentum", "centered"]);
  const schedule = scheduleOf("rmsprop", options.learningRate ?? 0.01);
  const alpha = fraction("rmsprop", "alpha", options.alpha ?? 0.99);
  const eps = checkNumber("rmsprop", "eps", options.eps ?? 1e-8, { least: 0, open: true });
  const momentum = checkNumber("rmsprop", "momentum", options.momentum ?? 0, { least: 0 });
  const centered = checkBoolean("rmsprop", "centered", options.centered ?? false);
  const weightDecay = checkNumber("rmsprop", "weightDecay", options.weightDecay ?? 0, { least: 0 });
  return {
    name: "rmsprop",
    schedule,
    slots: [
      { name: "squareAverage", used: true },
      { name: "gradientAverage", used: centered },
      { name: "velocity", used: momentum > 0 },
    ],
    control: (step) => [schedule(step), 0, 0, 0],
    record(recording, { slots: [squareAverage, gradientAverage, velocity], ...views }, length, clipValue) {
      recording.dispatch(
        rmspropKernel,
        { ...views, squareAverage, gradientAverage, velocity },
        { length, alpha, eps, momentum, centered: centered ? 1 : 0, weightDecay, clipValue },
      );
    },
  };
}

interface AdamOptions extends Common {
  beta1?: number;
  beta2?: number;
  eps?: number;
}

/** After this many updates, the factors of the first moment and of the gradient in the next update. */
type Mixture = (updates: number) => { readonly moment: number; readonly gradient: number };

const adamOptions = ["learningRate", "weightDecay", "beta1", "beta2", "eps"];

interface AdamRule {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly decoupled: 0 | 1;
  readonly mixture: (beta1: number) => Mixture;
}

function adamLike(where: string, options: AdamOptions, rule: AdamRule): Optimizer {
  const schedule = scheduleOf(where, options.learningRate ?? rule.learningRate);
  const beta1 = fraction(where, "beta1", options.beta1 ?? 0.9);
  const beta2 = fraction(where, "beta2", options.beta2 ?? 0.999);
  const eps = checkNumber(where, "eps", options.eps ?? 1e-8, { least: 0, open: true });
  const weightDecay = checkNumber(where, "weightDecay", options.weightDecay ?? rule.weightDecay, { least: 0 });
  const mixture = rule.mixture(beta1);
  const { decoupled } = rule;
  return {
    name: where,
    schedule,
    slots: [
      { name: "firstMoment", used: true },
      { name: "secondMoment", used: true },
    ],
    control(step, updates) {
      const { moment, gradient } = mixture(updates);
      return [schedule(step), moment, 1 - beta2 ** (updates + 1), gradient];
    },
    record(recording, { slots: [firstMoment, secondMoment], ...views }, length, clipValue) {
      recording.dispatch(
        adamKernel,
        { ...views, firstMoment, secondMoment },
        { length, beta1, beta2, eps, weightDecay, decoupled, clipValue },
      );
    },
  };
}

/** The first moment alone, corrected for its start at 0. */
const corrected =
  (beta1: number): Mixture =>
  (updates) => ({ moment: 1 / (1 - beta1 ** (updates + 1)), gradient: 0 });

/**
 * Adam (Kingma & Ba 2015); learningRate 0.001, beta1 0.9, beta2 0.999, eps 1e-8, weightDecay 0 (added to the gradient):
 * m = beta1·m + (1 - beta1)·g;  v = beta2·v + (1 - beta2)·g²;  θ -= learningRate · m̂ / (√v̂ + eps), both corrected for
 * their start at 0.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function adam(given: AdamOptions = {}): Optimizer {
  const options = takeOptions("adam", given, adamOptions);
  return adamLike("adam", options, { learningRate: 0.001, weightDecay: 0, decoupled: 0, mixture: corrected });
}

/**
 * AdamW (Loshchilov & Hutter 2019): as Adam, but weightDecay (default 0.01) shrinks the parameters themselves.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function adamw(given: AdamOptions = {}): Optimizer {
  const options = takeOptions("adamw", given, adamOptions);
  return adamLike("adamw", options, { learningRate: 0.001, weightDecay: 0.01, decoupled: 1, mixture: corrected });
}

/** The factors of NAdam's doc comment, for t = updates + 1. */
const lookingAhead =
  (momentumDecay: number, pytorch: "1" | "2") =>
  (beta1: number): Mixture => {
    const mu = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay));
    // products[t] = μ_1···μ_t, multiplied in the same order in a resumed run; 0 once 1 - product rounds to 1.
    const products = [1];
    const product = (t: number): number => {
      for (let n = products.length; n <= t && products[n - 1] > 2 ** -60; n++) products.push(products[n - 1] * mu(n));
      return products[t] ?? 0;
    };
    return (updates) => {
      const t = updates + 1;
      const once = product(t + 1);
      return { moment: mu(t + 1) / (1 - (pytorch === "1" ? once * mu(t) : once)), gradient: (1 - mu(t)) / (1 - product(t)) };
    };
  };

/**
 * NAdam (Dozat 2016), Adam with Nesterov's momentum; learningRate 0.002, beta1 0.9, beta2 0.999, eps 1e-8, weightDecay 0
 * (added to the gradient), momentumDecay 0.004: m and v as Adam's, μ_t = beta1·(1 - 0.96^(t·momentumDecay) / 2),
 * θ -= learningRate · (μ_{t+1}·m / (1 - p_{t+1}) + (1 - μ_t)·g / (1 - μ_1···μ_t)) / (√v̂ + eps), where
 * p_{t+1} = μ_1···μ_{t+1}·μ_t with pytorch "1", as PyTorch up to 1.13 has it, and μ_1···μ_{t+1} with "2", as the paper and
 * PyTorch from 2.0 on. They differ in the first ten steps only; after that, p_{t+1} is almost 0.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function nadam(given: AdamOptions & { momentumDecay?: number; pytorch?: "1" | "2" } = {}): Optimizer {
  const options = takeOptions("nadam", given, [...adamOptions, "momentumDecay", "pytorch"]);
  const momentumDecay = checkNumber("nadam", "momentumDecay", options.momentumDecay ?? 0.004, { least: 0 });
  const pytorch = checkChoice("nadam", "pytorch", options.pytorch ?? "1", ["1", "2"]);
  return adamLike("nadam", options, { learningRate: 0.002, weightDecay: 0, decoupled: 0, mixture: lookingAhead(momentumDecay, pytorch) });
}
