/** Proof on the user's own device that its numbers are right. */
import type { Backend } from "../backend/backend.ts";
import type { Module } from "../nn/module.ts";
import type { LayerOptions, ModelInputs } from "../session/plan.ts";

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
export async function verify(model: Module, inputs: ModelInputs, options: VerifyOptions): Promise<Report> {
  const { runVerification } = await import("./verification.ts");
  return runVerification(model, inputs, options);
}
