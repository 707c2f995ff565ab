// What running models needs, in WebAssembly SIMD (AssemblyScript, no runtime). Pointers are byte addresses in the memory that
// src/backend/cpu/wasm-heap.ts manages; src/backend/cpu/fast-kernels.ts makes the calls. training.ts, regularized.ts,
// two-phase.ts, scan.ts and operators.ts are further modules over the same memory, loaded when they are needed.
export { scratchBytes } from "./scratch";
export { matmul, packPanels } from "./matmul";
export { stepForward } from "./recurrent-step";
export { columnSum, softmaxForward } from "./rows";
export { activationForward, maskSteps } from "./elementwise";
export { embeddingGather, stridedCopy } from "./copies";
