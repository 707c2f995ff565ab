/** Optimisers with PyTorch's update rules, names and defaults; each is one dispatch over all parameters. */
import { checkBoolean, checkNumber, checkOptionNames, RnnError } from "../errors.ts";
import { adam as adamKernel, rmsprop as rmspropKernel, sgd as sgdKernel } from "../kernels/optimizers.ts";
import type { Recording, View } from "../recording/recording.ts";
import { constant, type Schedule } from "./schedules.ts";

export interface OptimizerViews {
  readonly parameters: View;
  readonly gradients: View;
  /** The parameters whose loss was last found finite; taken back when a step is not healthy. */
  readonly lastGood: View;
  /** One per slot name; [1] for a slot that the options leave unused. */
  readonly slots: readonly View[];
  /** [4] norm, scale, healthy, 0: from the gradient-norm kernel. */
  readonly norm: View;
  /** [4] written by the host each step; see `control`. */
  readonly control: View;
}

/** An update rule with its options; made by `sgd`, `rmsprop`, `adam` or `adamw`. It has no state of its own. */
export interface Optimizer {
  readonly name: string;
  readonly schedule: Schedule;
  /** Names of its state arrays, each as long as the parameters if `used`. */
  readonly slots: readonly { readonly name: string; readonly used: boolean }[];
  record(recording: Recording, views: OptimizerViews, length: number, clipValue: number): void;
  /** What the kernel needs to know of step `step` (from 0): learning rate, bias corrections, whether it is the first. */
  control(step: number): number[];
}

interface Common {
  /** A number or a schedule. */
  learningRate?: number | Schedule;
  weightDecay?: number;
}

function scheduleOf(where: string, learningRate: number | Schedule): Schedule {
  // A schedule is the caller's own function; what it gives would else be found as a loss of NaN.
  if (typeof learningRate === "function") return (step) => checkNumber(where, `learningRate of step ${step}`, learningRate(step), { least: 0 });
  checkNumber(where, "learningRate", learningRate, { least: 0 });
  return constant(learningRate);
}

const fraction = (where: string, name: string, value: number): number => {
  if (value >= 1) throw new RnnError("option", where, `${name} must be at least 0 and below 1, got ${value}`);
  return checkNumber(where, name, value, { least: 0 });
};

/**
 * Stochastic gradient descent; learningRate 0.01, momentum 0, dampening 0, nesterov false, weightDecay 0:
 * v = momentum·v + (1 - dampening)·g;  θ -= learningRate·v, or learningRate·(g + momentum·v) with `nesterov`.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function sgd(options: Common & { momentum?: number; dampening?: number; nesterov?: boolean } = {}): Optimizer {
  checkOptionNames("sgd", options, ["learningRate", "weightDecay", "momentum", "dampening", "nesterov"]);
  const schedule = scheduleOf("sgd", options.learningRate ?? 0.01);
  const momentum = checkNumber("sgd", "momentum", options.momentum ?? 0, { least: 0 });
  const dampening = checkNumber("sgd", "dampening", options.dampening ?? 0);
  const nesterov = checkBoolean("sgd", "nesterov", options.nesterov ?? false);
  const weightDecay = checkNumber("sgd", "weightDecay", options.weightDecay ?? 0, { least: 0 });
  if (nesterov && (momentum === 0 || dampening !== 0)) throw new RnnError("option", "sgd", "nesterov needs a momentum above 0 and no dampening");
  return {
    name: "sgd",
    schedule,
    slots: [{ name: "velocity", used: momentum > 0 }],
    control: (step) => [schedule(step), 0, 0, step === 0 ? 1 : 0],
    record(recording, { slots: [velocity], ...views }, length, clipValue) {
      recording.dispatch(sgdKernel, { ...views, velocity }, { length, momentum, dampening, nesterov: nesterov ? 1 : 0, weightDecay, clipValue });
    },
  };
}

/**
 * RMSprop (Hinton 2012; centred: Graves 2013); learningRate 0.01, alpha 0.99, eps 1e-8, momentum 0, centered false,
 * weightDecay 0: s = alpha·s + (1 - alpha)·g²;  θ -= learningRate · g / (√s + eps), s less the square of the mean
 * gradient if `centered`.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function rmsprop(options: Common & { alpha?: number; eps?: number; momentum?: number; centered?: boolean } = {}): Optimizer {
  checkOptionNames("rmsprop", options, ["learningRate", "weightDecay", "alpha", "eps", "momentum", "centered"]);
  const schedule = scheduleOf("rmsprop", options.learningRate ?? 0.01);
  const alpha = fraction("rmsprop", "alpha", options.alpha ?? 0.99);
  const eps = checkNumber("rmsprop", "eps", options.eps ?? 1e-8, { least: 0, open: true });
  const momentum = checkNumber("rmsprop", "momentum", options.momentum ?? 0, { least: 0 });
  const centered = checkBoolean("rmsprop", "centered", options.centered ?? false);
  const weightDecay = checkNumber("rmsprop", "weightDecay", options.weightDecay ?? 0, { least: 0 });
  return {
    name: "rmsprop",
    schedule,
    slots: [{ name: "squareAverage", used: true }, { name: "gradientAverage", used: centered }, { name: "velocity", used: momentum > 0 }],
    control: (step) => [schedule(step), 0, 0, step === 0 ? 1 : 0],
    record(recording, { slots: [squareAverage, gradientAverage, velocity], ...views }, length, clipValue) {
      recording.dispatch(rmspropKernel, { ...views, squareAverage, gradientAverage, velocity }, { length, alpha, eps, momentum, centered: centered ? 1 : 0, weightDecay, clipValue });
    },
  };
}

interface AdamOptions extends Common {
  beta1?: number;
  beta2?: number;
  eps?: number;
}

function adamLike(where: string, options: AdamOptions, decoupled: 0 | 1, defaultDecay: number): Optimizer {
  checkOptionNames(where, options, ["learningRate", "weightDecay", "beta1", "beta2", "eps"]);
  const schedule = scheduleOf(where, options.learningRate ?? 0.001);
  const beta1 = fraction(where, "beta1", options.beta1 ?? 0.9);
  const beta2 = fraction(where, "beta2", options.beta2 ?? 0.999);
  const eps = checkNumber(where, "eps", options.eps ?? 1e-8, { least: 0, open: true });
  const weightDecay = checkNumber(where, "weightDecay", options.weightDecay ?? defaultDecay, { least: 0 });
  return {
    name: where,
    schedule,
    slots: [{ name: "firstMoment", used: true }, { name: "secondMoment", used: true }],
    control: (step) => [schedule(step), 1 - beta1 ** (step + 1), 1 - beta2 ** (step + 1), step === 0 ? 1 : 0],
    record(recording, { slots: [firstMoment, secondMoment], ...views }, length, clipValue) {
      recording.dispatch(adamKernel, { ...views, firstMoment, secondMoment }, { length, beta1, beta2, eps, weightDecay, decoupled, clipValue });
    },
  };
}

/**
 * Adam (Kingma & Ba 2015); learningRate 0.001, beta1 0.9, beta2 0.999, eps 1e-8, weightDecay 0 (added to the gradient):
 * m = beta1·m + (1 - beta1)·g;  v = beta2·v + (1 - beta2)·g²;  θ -= learningRate · m̂ / (√v̂ + eps), both corrected for
 * their start at 0.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export const adam = (options: AdamOptions = {}): Optimizer => adamLike("adam", options, 0, 0);

/**
 * AdamW (Loshchilov & Hutter 2019): as Adam, but weightDecay (default 0.01) shrinks the parameters themselves.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export const adamw = (options: AdamOptions = {}): Optimizer => adamLike("adamw", options, 1, 0.01);
