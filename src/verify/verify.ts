/** Checks on the user's own device that its results are right. */
import type { Backend } from "../backend/backend.ts";
import { checkBoolean, checkNumber } from "../errors.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import { squaredError } from "../losses/element-losses.ts";
import { checkLoss, takeTargets, type Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import { adam, checkOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { checkLayerOptions, layerOptionNames, takeInputs, type LayerOptions, type ModelInputs } from "../session/plan.ts";
import { checkParts } from "../session/session.ts";
import type { TensorLike } from "../tensor/take.ts";

const verification = new Part("verify", () => import("./verification.ts"));

/** Options of `verify`. */
export interface VerifyOptions extends LayerOptions {
  /** The backend to check. */
  backend: Backend;
  /** Allowed: |device - twin| <= atol + rtol·|twin| (defaults 1e-5 and 1e-4). */
  atol?: number;
  rtol?: number;
  /** True (the default) if dropout is active, so that its kernels are checked too. */
  training?: boolean;
  /** Default: cross-entropy for a model of ids, squared error for one of numbers. */
  loss?: Loss;
  /** Default: Adam. */
  optimizer?: Optimizer;
  /** Targets in the loss's shape for the model's output. Default: generated, with some that are ignored. */
  targets?: TensorLike;
}

/** One buffer after one command of a training step, or after a kernel on one of the package's own cases. */
export interface Finding {
  /** Position of the command in the recording; -1 for a case. */
  readonly command: number;
  /** The case in words. */
  readonly case?: string;
  readonly kernel: string;
  readonly buffer: string;
  /** Greatest |device - twin|. */
  readonly worstDifference: number;
  /** First element outside the tolerance, or -1. */
  readonly firstBadIndex: number;
  /** The two values there. */
  readonly device?: number;
  readonly twin?: number;
}

/** The result of `verify`. */
export interface Report {
  /** True if every element of every buffer, after every command and case, is within the tolerance. */
  readonly passed: boolean;
  readonly adapter: string;
  /** Number of commands in the training step. */
  readonly commands: number;
  /** Number of cases on which single kernels ran. */
  readonly cases: number;
  /** Number of compared elements. */
  readonly compared: number;
  /** The worst finding for each kernel and buffer; failures first. */
  readonly findings: readonly Finding[];
  /** The report in words, a line for each finding. */
  toString(): string;
}

/**
 * Compares a device with the CPU's twins, number by number. It works on private copies, so training may run meanwhile.
 *
 * First it runs a training step of the model on these inputs, command by command: forward pass, loss, backward pass,
 * clipping, then three updates (a first one, a second one, and one that must be undone). After each command the device
 * gets the twins' values, so an error shows only at the kernel that causes it. Then it runs each kernel that the model
 * needs, also for generation, alone on cases that reach all its branches. This finds errors for which these inputs are
 * too few or too regular.
 * @throws RnnError `shape`, `data` or `option` if inputs, targets or options do not fit the model
 */
export async function verify(model: Module, inputs: ModelInputs | TensorLike, given: VerifyOptions): Promise<Report> {
  const options = takeOptions(
    "verify",
    given,
    ["backend", "atol", "rtol", "training", "loss", "optimizer", "targets", ...layerOptionNames],
    { needed: true },
  );
  const { backend, targets } = options;
  checkParts(model, backend);
  const loss = options.loss ?? (model.idCount === undefined ? squaredError() : crossEntropy());
  const optimizer = options.optimizer ?? adam();
  checkLoss("verify", loss);
  checkOptimizer("verify", optimizer);
  const tolerance = {
    atol: checkNumber("verify", "atol", options.atol ?? 1e-5, { least: 0 }),
    rtol: checkNumber("verify", "rtol", options.rtol ?? 1e-4, { least: 0 }),
  };
  const training = checkBoolean("verify", "training", options.training ?? true);
  const layerOptions = checkLayerOptions("verify", options);
  const taken = takeInputs(model, inputs);
  const parts = {
    loss,
    optimizer,
    targets: targets === undefined ? undefined : takeTargets(loss, targets),
    ignores: options.loss === undefined,
  };
  const { runVerification } = await verification.load();
  return runVerification(model, taken, backend, { tolerance, training, layerOptions, parts });
}
