/** The panel at the top of each page: the present device, and why it was chosen. */
import { block } from "./dom.ts";
import type { BackendReport } from "./messages.ts";

export const isSoftware = (adapter: string): boolean => adapter.includes("(software)");

export function showDevice({ backend, adapter, reason }: BackendReport): void {
  const webgpu = backend === "webgpu";
  block("device").dataset.backend = backend;
  // Only a device that is slower than necessary is marked; a CPU is no reason for a warning.
  block("device").dataset.software = String(webgpu && isSoftware(adapter));
  block("device-name").textContent = webgpu ? `WebGPU on ${adapter}` : adapter;
  block("device-reason").textContent = webgpu && isSoftware(adapter) ? `${reason}; a software adapter, slower than the CPU itself` : reason;
}
