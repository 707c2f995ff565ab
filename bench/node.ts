/** The bench under Node, with Dawn (npm `webgpu`) as the WebGPU implementation. */
import { readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { dawnFlags } from "../src/backend/webgpu/device.ts";
import type { PeerOptions } from "./peers/peers.ts";
import { planFrom, type PlanOptions } from "./plan.ts";
import type { Report } from "./report.ts";
import type { Event } from "./runner.ts";
import { bench, findDevices, type Peers } from "./session.ts";

export { reportText } from "./table.ts";

export interface NodeOptions {
  /** Where build-peers.mjs has put the other libraries; none if left out. */
  readonly peersFolder?: string;
  readonly machine: string;
  readonly onEvent: (event: Event) => void;
}

export async function benchInNode(options: PlanOptions, { peersFolder, machine, onEvent }: NodeOptions): Promise<Report> {
  if (peersFolder !== undefined) await pretendToBeAPage();
  const devices = await findDevices();
  const peers = peersFolder === undefined ? { libraries: [], absent: [] } : await loadPeers(peersFolder, devices.adapter);
  return bench({ plan: planFrom(options), devices, peers, browser: `Node ${process.version}`, machine, onEvent });
}

/** The other libraries look for WebGPU where a page has it. */
async function pretendToBeAPage(): Promise<void> {
  try {
    const { create, globals } = await import("webgpu");
    Object.assign(globalThis, globals);
    Object.defineProperty(globalThis, "navigator", { value: { gpu: create([...dawnFlags]), userAgent: "Node", hardwareConcurrency: 1 }, configurable: true });
  } catch {
    // No Dawn for this system: the libraries say so themselves.
  }
}

async function loadPeers(folder: string, adapter: string): Promise<Peers> {
  const { installed, reason } = JSON.parse(await readFile(join(folder, "manifest.json"), "utf8")) as { installed: boolean; reason?: string };
  if (!installed) return { libraries: [], absent: [{ library: "peers", backend: "", case: "", kind: "skipped", reason: reason ?? "not in this bundle" }] };
  const { openPeers } = (await import(pathToFileURL(join(folder, "peers.mjs")).href)) as { openPeers: (options: PeerOptions) => Promise<Peers> };
  return openPeers({ assets: folder + sep, adapter });
}
