/** The bench under Node, with Dawn (npm `webgpu`) as the WebGPU implementation. */
import { readFile } from "node:fs/promises";
import { join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { dawnFlags } from "../src/backend/webgpu/device.ts";
import { openPeers, type PeerEntry, type PeerModule } from "./peers.ts";
import { planFrom, type PlanOptions } from "./plan.ts";
import type { Report } from "./report.ts";
import type { Event } from "./runner.ts";
import { bench, findDevices } from "./session.ts";

export { reportText } from "./table.ts";

export interface NodeOptions {
  /** Where build-peers.mjs has put the other libraries. */
  readonly peersFolder: string;
  /** Also those that are not measured by default. */
  readonly all: boolean;
  readonly machine: string;
  readonly onEvent: (event: Event) => void;
}

export async function benchInNode(options: PlanOptions, { peersFolder, all, machine, onEvent }: NodeOptions): Promise<Report> {
  await pretendToBeAPage();
  const devices = await findDevices();
  const entries = JSON.parse(await readFile(join(peersFolder, "manifest.json"), "utf8")) as PeerEntry[];
  const load = (file: string): Promise<PeerModule> => import(pathToFileURL(join(peersFolder, file)).href) as Promise<PeerModule>;
  const peers = await openPeers(entries, all, load, { assets: peersFolder + sep, adapter: devices.adapter });
  return bench({ plan: planFrom(options), devices, peers, browser: `Node ${process.version}`, machine, onEvent });
}

/** The other libraries look for WebGPU where a page has it. */
async function pretendToBeAPage(): Promise<void> {
  try {
    const { create, globals } = await import("webgpu");
    Object.assign(globalThis, globals);
    Object.defineProperty(globalThis, "navigator", {
      value: { gpu: create([...dawnFlags]), userAgent: "Node", hardwareConcurrency: 1 },
      configurable: true,
    });
  } catch {
    // No Dawn for this system: the libraries say so themselves.
  }
}
