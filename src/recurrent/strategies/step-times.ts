/** Predicts how long time steps take on a GPU. The WebGPU backend brings it, because only there a choice depends on it. */
import { predictedMilliseconds } from "./cost.ts";
import { estimatedMicroseconds } from "./estimate.ts";

export const stepTimes = { predicted: predictedMilliseconds, estimated: estimatedMicroseconds };
export type StepTimes = typeof stepTimes;
