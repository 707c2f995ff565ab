/** Devices that can be lost at any moment. */
import { createBackend, type Backend } from "webgpu-rnn";
import { backend, deviceOf } from "./support.ts";

const ends = new WeakMap<GPUDevice, () => void>();
/**
 * A backend whose device can be lost in an instant: it stands for the one that all tests share, which has compiled the
 * kernels already.
 */
export async function mortal(): Promise<Backend> {
  const shared = deviceOf(await backend("webgpu"));
  let end!: (info: { reason: string; message: string }) => void;
  const lost = new Promise((resolve) => (end = resolve));
  const device = new Proxy(shared, {
    get(target, name) {
      if (name === "lost") return lost;
      const value = (target as unknown as Record<string | symbol, unknown>)[name];
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  ends.set(device, () => end({ reason: "unknown", message: "the driver hangs" }));
  return createBackend("webgpu", { device });
}
export const lose = (on: Backend): void => (ends.get(deviceOf(on)) ?? (() => deviceOf(on).destroy()))();
