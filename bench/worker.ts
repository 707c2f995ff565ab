/** Everything that computes, so that the page never freezes; the terminal program talks to it in the same words. */
import { findDevices, bench, type Devices, type Peers } from "./session.ts";
import { browserName } from "./browser-name.ts";
import type { Reply, Request } from "./messages.ts";
import { loadPeers, peersManifest } from "./peers-loader.ts";
import { planFrom } from "./plan.ts";
import { reportText } from "./table.ts";

let devices: Devices | undefined;
let peers: Peers = { libraries: [], absent: [] };
let running: AbortController | undefined;

addEventListener("message", ({ data: request }: MessageEvent<Request>) => {
  handle(request).catch((error: unknown) => reply({ kind: "problem", message: error instanceof Error ? error.message : String(error) }));
});

async function handle(request: Request): Promise<void> {
  switch (request.kind) {
    case "open": return open(request.peers);
    case "run": return run(request);
    case "stop": return running?.abort();
  }
}

async function open(withPeers: boolean): Promise<void> {
  devices = await findDevices();
  peers = withPeers ? await loadPeers(devices.adapter) : { libraries: [], absent: [] };
  const { adapter, software, note, ours } = devices;
  const libraries = [...ours, ...peers.libraries].map(({ name, backend, adapter: of, version }) => ({ name, backend, adapter: of, version }));
  reply({ kind: "opened", adapter, software, note, libraries, peersInstalled: (await peersManifest()).installed });
}

async function run({ options, machine, browser }: Request & { kind: "run" }): Promise<void> {
  if (!devices) throw new Error("the devices are not known yet");
  if (running) throw new Error("a run is under way already");
  const control = (running = new AbortController());
  try {
    const report = await bench({
      plan: planFrom(options), devices, peers, signal: control.signal,
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
