/** Estimates how long time steps take on a GPU. The WebGPU backend has it, because only there a choice depends on it. */
import { estimatedMicroseconds } from "./estimate.ts";

export const stepTimes = { estimated: estimatedMicroseconds };
export type StepTimes = typeof stepTimes;
