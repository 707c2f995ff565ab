/** Compares each kernel of a model, on the visitor's own device, with its twin on the CPU. Lives in the worker. */
import { verify, type Backend, type Module } from "webgpu-rnn";
import type { DeviceReport, Settings } from "./messages.ts";

/** The twins are slow, and a few steps run every kernel. */
const mostSteps = 4;
const mostRows = 16;

export async function checkDevice(model: Module, backend: Backend, { batch, window }: Settings): Promise<DeviceReport> {
  const shape = [Math.min(window, mostSteps), Math.min(batch, mostRows)];
  const ids = Uint32Array.from({ length: shape[0] * shape[1] }, (_, i) => (i * 7 + 3) % (model.idCount ?? 1));
  const report = await verify(model, { input: { shape, data: ids } }, { backend });
  const { passed, adapter, commands, compared } = report;
  return { passed, adapter, commands, compared, findings: report.findings.map((finding) => ({ ...finding })), text: report.toString() };
}
