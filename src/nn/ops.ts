/**
 * Differentiable operations for modules of your own. Each takes the context first, checks its operands, records its
 * forward pass and leaves its derivative. Axes count from 0, or from the end if negative.
 */
export * from "./ops/tensors.ts";
export * from "./ops/elementwise.ts";
export * from "./ops/axes.ts";
export * from "./ops/parts.ts";
export { avgPool1d, conv1d, convTranspose1d, maxPool1d, type Layout, type Padding, type WindowOptions } from "./ops/windows.ts";
export { batchNorm, instanceNorm, layerNorm, type NormalizationOptions } from "./ops/normalization.ts";
export { istft, stft, type StftOptions } from "./ops/stft.ts";
