/** Computes everything, so that the page never freezes. The terminal program sends it the same messages. */
import { browserName } from "./browser-name.ts";
import type { Reply, Request } from "./messages.ts";
import { openPeers, type PeerEntry, type PeerModule, type Peers } from "./peers.ts";
import { planFrom } from "./plan.ts";
import type { Ceiling } from "./report.ts";
import { bench, findDevices, librariesOf, type Devices } from "./session.ts";
import { reportText } from "./table.ts";

/** Where build-peers.mjs has put the other libraries. */
const peersFolder = new URL("./peers/", import.meta.url).href;

let devices: Devices | undefined;
let peers: Peers = { libraries: [], absent: [] };
let running: AbortController | undefined;
/** A visitor may press Run many times; the adapter stays the same. */
const matmul: Record<string, Ceiling> = {};

addEventListener("message", ({ data: request }: MessageEvent<Request>) => {
  handle(request).catch((error: unknown) => reply({ kind: "problem", message: error instanceof Error ? error.message : String(error) }));
});

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case "open":
      return open(request.all);
    case "run":
      return run(request);
    case "stop":
      return running?.abort();
  }
}

async function open(all: boolean): Promise<void> {
  const [found, manifest] = await Promise.all([findDevices(), fetch(`${peersFolder}manifest.json`)]);
  devices = found;
  const entries = (await manifest.json()) as PeerEntry[];
  // A computed address: the page's own bundle must not contain them.
  peers = await openPeers(entries, all, (file) => import(peersFolder + file) as Promise<PeerModule>, {
    assets: peersFolder,
    adapter: devices.adapter,
  });
  const { adapter, software, note } = devices;
  const libraries = librariesOf(devices, peers).map(({ name, backend, adapter: of, version, modes }) => ({
    name,
    backend,
    adapter: of,
    version,
    modes,
  }));
  reply({
    kind: "opened",
    adapter,
    software,
    note,
    libraries,
    absent: [...devices.absent, ...peers.absent],
    more: entries.some(({ always, file }) => !always && file !== undefined),
  });
}

async function run({ options, machine, browser }: Request & { kind: "run" }): Promise<void> {
  if (!devices) throw new Error("the devices are not known yet");
  if (running) throw new Error("a run is under way already");
  const control = (running = new AbortController());
  try {
    const report = await bench({
      plan: planFrom(options),
      devices,
      peers,
      matmul,
      signal: control.signal,
      browser: browser ?? browserName(navigator.userAgent),
      machine: machine ?? `${navigator.hardwareConcurrency} cores`,
      onEvent: (event) => reply({ kind: "event", event }),
    });
    reply({ kind: "done", report, text: reportText(report), stopped: control.signal.aborted });
  } finally {
    running = undefined;
  }
}

function reply(message: Reply): void {
  postMessage(message);
}
