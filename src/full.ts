/**
 * webgpu-rnn/full: everything. The core, the operations for modules of one's own, Jacobians, losses and optimisers by
 * themselves, and what works with sentences: batches of different lengths, their probability, encoders and decoders
 * with attention; and cells of one's own.
 */
export * from "./index.ts";
export * from "./language/index.ts";
export { LastStep } from "./recurrent/layer/last-step.ts";
export { stackWeights, unstackWeights, type StackedCell } from "./io/stacked-weights.ts";
export * as ops from "./nn/ops.ts";
export { CustomRNN, defineCell, type CustomCell } from "./recurrent/layer/custom-cell.ts";
export { jacobian } from "./session/jacobian.ts";
export { lossAndGradient, optimizerSteps } from "./train/alone.ts";
export { gradientFlow, type FlowBatch, type GradientFlow } from "./train/gradient-flow.ts";
