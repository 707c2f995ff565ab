/** The facts about a recording's device by which ops choose between ways to compute the same. */
import type { Measured } from "../recurrent/strategies/measured.ts";
import type { StepTimes } from "../recurrent/strategies/step-times.ts";
import { nothingAvoided, type Avoided } from "../kernels/self-test.ts";

export interface Target {
  readonly kind: "cpu" | "webgpu";
  /** Whether a GPU computes the shaders; on a software adapter a CPU does. */
  readonly isGpu: boolean;
  /** Threads that a workgroup may have. */
  readonly mostThreads: number;
  /** Elements that one buffer can hold. */
  readonly mostElements: number;
  /** What follows from the measurements of `calibrate` on the device; undefined without any. */
  readonly measured?: Measured;
  /** Estimates times of steps on any GPU; a CPU has none. */
  readonly stepTimes?: StepTimes;
  /** Kernels that the self-test found wrong on it. */
  readonly avoided: Avoided;
}

/** A CPU about which nothing is known. */
export const anyCpu: Target = { kind: "cpu", isGpu: false, mostThreads: 256, mostElements: Infinity, avoided: nothingAvoided };
