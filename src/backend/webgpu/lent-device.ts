/**
 * A GPUDevice where the program's types know WebGPU (a recent DOM library, or the package `@webgpu/types`), else any
 * object: so that programs without these types compile, too.
 */
export type LentDevice = typeof globalThis extends { GPUDevice: { prototype: infer Device } } ? Device : object;
