/** Says how long time steps take on any GPU. The WebGPU backend brings it, because only there a choice depends on it. */
import { estimatedMicroseconds } from "./estimate.ts";

export const stepTimes = { estimated: estimatedMicroseconds };
export type StepTimes = typeof stepTimes;
