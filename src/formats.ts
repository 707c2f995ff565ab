/** webgpu-rnn/formats: files of weights, and weights in other layouts. */
export { decodeSafetensors, encodeSafetensors, type TensorFile } from "./io/safetensors.ts";
export { stackWeights, unstackWeights, type StackedCell } from "./io/stacked-weights.ts";
