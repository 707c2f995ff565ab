/** Proof on the user's own device that its numbers are right. */
import type { Backend } from "../backend/backend.ts";
import { checkBoolean, checkNumber } from "../errors.ts";
import type { Module } from "../nn/module.ts";
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
}

/** One buffer after one command. */
export interface Finding {
  /** Position of the command in the recording. */
  readonly command: number;
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
  /** Whether every element of every buffer after every command is within the tolerance. */
  readonly passed: boolean;
  readonly adapter: string;
  readonly commands: number;
  /** Numbers compared. */
  readonly compared: number;
  /** Per kernel and buffer, the worst that was seen; bad ones first. */
  readonly findings: readonly Finding[];
  /** The report in words, a line for each finding. */
  toString(): string;
}

/**
 * Runs a model forward and backward on a device and on the CPU's twins, command by command, and compares every buffer
 * that a command writes. After each command the device is given the twins' values, so that an error is found at the
 * kernel that makes it, and not again in all that follow.
 * @throws RnnError `shape`, `data` or `option` if the inputs do not fit the model
 */
export async function verify(model: Module, inputs: ModelInputs | TensorLike, given: VerifyOptions): Promise<Report> {
  const options = takeOptions("verify", given, ["backend", "atol", "rtol", "training", ...layerOptionNames], { needed: true });
  const settings = {
    atol: checkNumber("verify", "atol", options.atol ?? 1e-5, { least: 0 }),
    rtol: checkNumber("verify", "rtol", options.rtol ?? 1e-4, { least: 0 }),
    training: checkBoolean("verify", "training", options.training ?? true),
    layerOptions: checkLayerOptions("verify", options),
  };
  checkParts(model, options.backend);
  const taken = takeInputs(model, inputs);
  const { runVerification } = await import("./verification.ts");
  return runVerification(model, taken, options.backend, settings);
}
