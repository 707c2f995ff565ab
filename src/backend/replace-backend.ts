/** A backend in the place of one whose device is lost; loaded when that happens. */
import type { Backend } from "./backend.ts";
import { cpuBackend, createBackend, madeWith, type BackendOptions } from "./create-backend.ts";

/**
 * Replaces a backend whose device is lost: by one like it on a new device, if there is an equal device, else by the CPU
 * backend.
 * @param mayBeGpu if false, the CPU backend takes its place at once
 */
export async function replaceBackend(lost: Backend, mayBeGpu: boolean): Promise<Backend> {
  const { shaders, wasm, threads } = madeWith.get(lost) ?? {};
  let problem = "its devices do not last";
  if (mayBeGpu) {
    try {
      const options: BackendOptions = { shaders, wasm, threads, profile: lost.profile, selfTest: lost.selfTest };
      const next = await createBackend("webgpu", Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)));
      if (!lost.isGpu || next.isGpu) return next;
      next.destroy();
      problem = `the only adapter left is ${next.adapter}`;
    } catch (error) {
      problem = (error as Error).message;
    }
  }
  return cpuBackend({ wasm, threads, reason: `the device of ${lost.adapter} was lost, and ${problem}` });
}
