/** The bench under Node (Dawn by npm `webgpu`); bench/run.mjs bundles it. */
import { cpus } from "node:os";
import { planFrom, type PlanOptions } from "./plan.ts";
import type { Report } from "./report.ts";
import type { Event } from "./runner.ts";
import { bench, findDevices, type Peers } from "./session.ts";

export { reportText } from "./table.ts";

export const machine = (): string => `${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${cpus().length} cores`;

export async function benchInNode(options: PlanOptions, peers: Peers, onEvent: (event: Event) => void, signal?: AbortSignal): Promise<Report> {
  const devices = await findDevices();
  return bench({ plan: planFrom(options), devices, peers, browser: `Node ${process.version}`, machine: machine(), signal, onEvent });
}
