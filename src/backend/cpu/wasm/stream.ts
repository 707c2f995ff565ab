// What streams of saved files need (src/stream/): the forward passes of all parts in one module.
export { scratchBytes } from "./scratch";
export { matmul, packPanels } from "./matmul";
export { stepForward } from "./recurrent-step";
export { twoPhaseForward } from "./two-phase";
export { regularizedForward } from "./regularized-forward";
export { scanForward } from "./scan";
export { columnSum, softmaxForward } from "./rows";
export { activationForward } from "./elementwise";
export { embeddingGather, stridedCopy } from "./copies";
export { binary, normalizeForward, pick, unfold } from "./operators";
