/** Proof on the user's own device that its numbers are right. */
import type { Backend } from "../backend/backend.ts";
import { checkBoolean, checkNumber } from "../errors.ts";
import { checkLoss, crossEntropy, squaredError, takeTargets, type Loss } from "../losses/loss.ts";
import type { Module } from "../nn/module.ts";
import { adam, checkOptimizer, type Optimizer } from "../optim/optimizer.ts";
import { takeOptions } from "../options.ts";
import { checkLayerOptions, layerOptionNames, takeInputs, type LayerOptions, type ModelInputs } from "../session/plan.ts";
import { checkParts } from "../session/session.ts";
import type { TensorLike } from "../tensor/take.ts";

/** What is checked, and how closely. */
export interface VerifyOptions extends LayerOptions {
  /** The backend to be checked. */
  backend: Backend;
  /** Allowed: |device - twin| <= atol + rtol·|twin| (defaults 1e-5 and 1e-4). */
  atol?: number;
  rtol?: number;
  /** Whether dropout is active (default true, so that its kernels are checked too). */
  training?: boolean;
  /** Default: cross-entropy for a model of ids, squared error for one of numbers. */
  loss?: Loss;
  /** Default: Adam. */
  optimizer?: Optimizer;
  /** In the loss's shape for the model's output. Default: made up, with some that are ignored. */
  targets?: TensorLike;
}

/** One buffer after one command of a training step, or after a kernel on one of the package's own cases. */
export interface Finding {
  /** Position of the command in the recording; -1 for a case. */
  readonly command: number;
  /** What the case is, in words. */
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

/** What `verify` has found. */
export interface Report {
  /** Whether every element of every buffer after every command and case is within the tolerance. */
  readonly passed: boolean;
  readonly adapter: string;
  /** Commands of the training step. */
  readonly commands: number;
  /** Cases on which kernels were run by themselves. */
  readonly cases: number;
  /** Numbers compared. */
  readonly compared: number;
  /** Per kernel and buffer, the worst that was seen; bad ones first. */
  readonly findings: readonly Finding[];
  /** The report in words, a line for each finding. */
  toString(): string;
}

/**
 * Compares a device with the CPU's twins, number by number, on private copies: a training that goes on beside it neither
 * disturbs it nor is disturbed.
 *
 * First a whole training step of the model on these inputs, command by command: forward pass, loss, backward pass,
 * clipping, then three updates (a first one, a second one, and one that has to be taken back). After each command the
 * device is given the twins' values, so that an error is found at the kernel that makes it, and not again in all that
 * follow. Then each kernel that the model needs, for generation too, by itself on cases that reach its every branch:
 * what these inputs are too few or too regular for is found there.
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
  const { runVerification } = await import("./verification.ts");
  return runVerification(model, taken, backend, { tolerance, training, layerOptions, parts });
}
