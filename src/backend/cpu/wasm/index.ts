// The kernels of the CPU backend in WebAssembly SIMD (AssemblyScript, no runtime). Pointers are byte addresses in the
// memory that src/backend/cpu/wasm-heap.ts manages; src/backend/cpu/fast-kernels.ts calls these functions.
export { scratchBytes } from "./scratch";
export { matmul } from "./matmul";
export { gateProduct } from "./gate-product";
export { stepBackward, stepForward } from "./recurrent-step";
export { regularizedForward } from "./regularized-forward";
export { regularizedBackward } from "./regularized-backward";
export { columnSum, crossEntropy, softmaxBackward, softmaxForward } from "./rows";
export { activationBackward, activationForward, dropout, maskSteps } from "./elementwise";
export { embeddingGather, embeddingScatter, stridedCopy } from "./copies";
export { adam, gradientNormPartial, rmsprop, sgd } from "./optimizers";
export { twoPhaseBackward, twoPhaseForward } from "./two-phase";
