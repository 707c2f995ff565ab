/** webgpu-rnn/ops: differentiable operations for modules of your own. */
export * from "./nn/ops.ts";
