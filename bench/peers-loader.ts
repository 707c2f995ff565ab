/** Loads the other libraries where they are installed: a bundle of its own beside the page, made by build-peers.mjs. */
import type { Peers } from "./session.ts";

/** What the page's folder says of them; always there, so that asking is no error. */
interface Manifest {
  readonly installed: boolean;
}

const notInstalled: Peers = {
  libraries: [],
  absent: [{ library: "peers", backend: "", case: "", kind: "skipped", reason: "the other libraries are not installed; `npm run bench -- --peers` installs them into bench/node_modules" }],
};

export async function peersInstalled(): Promise<boolean> {
  const answer = await fetch(new URL("./peers/manifest.json", import.meta.url));
  return answer.ok && ((await answer.json()) as Manifest).installed;
}

export async function loadPeers(): Promise<Peers> {
  if (!(await peersInstalled())) return notInstalled;
  // A computed address: the page's own bundle must not contain them.
  const address = new URL("./peers/peers.js", import.meta.url).href;
  const { openPeers } = (await import(address)) as { openPeers: (assets: string) => Promise<Peers> };
  return openPeers(new URL("./peers/", import.meta.url).href);
}
