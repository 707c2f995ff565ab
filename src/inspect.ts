/** webgpu-rnn/inspect: what a model and the parts of a training step compute, one by one. */
export { jacobian } from "./session/jacobian.ts";
export { lossAndGradient, optimizerSteps } from "./train/alone.ts";
export { gradientFlow, type FlowBatch, type GradientFlow } from "./train/gradient-flow.ts";
