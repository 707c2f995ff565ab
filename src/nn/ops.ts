/**
 * Differentiable operations for modules of your own. Each takes the context first, checks its operands, records its
 * forward pass and leaves its derivative. Axes count from 0, or from the end if negative.
 */
export * from "./ops/tensors.ts";
export * from "./ops/elementwise.ts";
