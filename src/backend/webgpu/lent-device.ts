/**
 * The type GPUDevice if the program's types include WebGPU (a recent DOM library, or the package `@webgpu/types`), else
 * any object. So programs without these types compile too.
 */
export type LentDevice = typeof globalThis extends { GPUDevice: { prototype: infer Device } } ? Device : object;
