/** Learning rates by step. A schedule is a plain function, so apps can write their own. */
import { checkInteger, checkNumber } from "../errors.ts";
import { takeOptions } from "../options.ts";

/** The learning rate of step `step`, counted from 0. */
export type Schedule = (step: number) => number;

/** The same learning rate at every step. @throws RnnError `option` if it is negative or not finite */
export const constant = (learningRate: number): Schedule => {
  checkNumber("constant", "learningRate", learningRate, { least: 0 });
  return () => learningRate;
};

/**
 * Multiplied by `gamma` (default 0.1) every `stepSize` steps, as PyTorch's `StepLR`.
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function stepDecay(given: { learningRate: number; stepSize: number; gamma?: number }): Schedule {
  const options = takeOptions("stepDecay", given, ["learningRate", "stepSize", "gamma"], { needed: true });
  const learningRate = checkNumber("stepDecay", "learningRate", options.learningRate, { least: 0 });
  const stepSize = checkInteger("stepDecay", "stepSize", options.stepSize, 1);
  const gamma = checkNumber("stepDecay", "gamma", options.gamma ?? 0.1, { least: 0 });
  return (step) => learningRate * gamma ** Math.floor(step / stepSize);
}

/**
 * Linear warm-up over `warmupSteps` (default 0), then half a cosine down to `minimum` (default 0) at `totalSteps`,
 * where it stays (Loshchilov & Hutter 2017): minimum + ½(learningRate - minimum)(1 + cos(π·progress)).
 * @throws RnnError `option` if an option is unknown or out of range
 */
export function cosine(given: { learningRate: number; totalSteps: number; warmupSteps?: number; minimum?: number }): Schedule {
  const options = takeOptions("cosine", given, ["learningRate", "totalSteps", "warmupSteps", "minimum"], { needed: true });
  const learningRate = checkNumber("cosine", "learningRate", options.learningRate, { least: 0 });
  const minimum = checkNumber("cosine", "minimum", options.minimum ?? 0, { least: 0 });
  const warmupSteps = checkInteger("cosine", "warmupSteps", options.warmupSteps ?? 0, 0);
  const totalSteps = checkInteger("cosine", "totalSteps", options.totalSteps, warmupSteps + 1);
  return (step) => {
    if (step < warmupSteps) return (learningRate * (step + 1)) / warmupSteps;
    const progress = Math.min(1, (step - warmupSteps) / (totalSteps - warmupSteps));
    return minimum + 0.5 * (learningRate - minimum) * (1 + Math.cos(Math.PI * progress));
  };
}
