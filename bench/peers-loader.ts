/** Loads the other libraries where they are installed: a bundle of its own beside the page, made by build-peers.mjs. */
import type { PeerOptions } from "./peers/peers.ts";
import type { Peers } from "./session.ts";

/** What lies in the page's folder in any case, so that asking is no error. */
interface Manifest {
  readonly installed: boolean;
  /** Why not. */
  readonly reason?: string;
}

export async function peersManifest(): Promise<Manifest> {
  const answer = await fetch(new URL("./peers/manifest.json", import.meta.url));
  return answer.ok ? (await answer.json()) as Manifest : { installed: false, reason: "this page was built without them" };
}

/** @param adapter the WebGPU adapter in words */
export async function loadPeers(adapter: string): Promise<Peers> {
  const { installed, reason = "" } = await peersManifest();
  if (!installed) return { libraries: [], absent: [{ library: "peers", backend: "", case: "", kind: "skipped", reason }] };
  const assets = new URL("./peers/", import.meta.url).href;
  // A computed address: the page's own bundle must not contain them.
  const { openPeers } = (await import(`${assets}peers.js`)) as { openPeers: (options: PeerOptions) => Promise<Peers> };
  return openPeers({ assets, adapter });
}
