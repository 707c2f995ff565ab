/** The other libraries. Each is a separate bundle beside the page or the program, made by build-peers.mjs. */
import type { Library } from "./library.ts";
import type { Absence } from "./report.ts";

/** The contents of manifest.json in the peers' folder: every library that the bench knows. */
export interface PeerEntry {
  readonly library: string;
  /** Measured without being asked for. */
  readonly always: boolean;
  /** Its bundle, or undefined where it is missing, with the reason. */
  readonly file?: string;
  readonly reason?: string;
}

export interface PeerOptions {
  /** Address of the folder with their WebAssembly files, with a slash at the end. */
  readonly assets: string;
  /** The WebGPU adapter in words: all use the same. */
  readonly adapter: string;
  /** True if everything is asked for, not only what is always measured. */
  readonly all: boolean;
}

/** What a bundle exports: the backends of the library that work here. */
export interface PeerModule {
  open(options: PeerOptions): Promise<Library[]>;
}

/** The other libraries that can be measured, and the reasons why others are missing. */
export interface Peers {
  readonly libraries: readonly Library[];
  readonly absent: readonly Absence[];
}

/**
 * Opens the libraries that are always measured, with `all` the others too. One that fails is absent, with its reason.
 * @param load imports a bundle
 */
export async function openPeers(
  entries: readonly PeerEntry[],
  all: boolean,
  load: (file: string) => Promise<PeerModule>,
  options: Omit<PeerOptions, "all">,
): Promise<Peers> {
  const libraries: Library[] = [];
  const absent: Absence[] = [];
  for (const { library, file, reason = "" } of entries.filter(({ always }) => all || always)) {
    const miss = (why: string): void => void absent.push({ library, backend: "", case: "", kind: "skipped", reason: why });
    if (file === undefined) {
      miss(reason);
      continue;
    }
    try {
      const found = await (await load(file)).open({ ...options, all });
      if (found.length === 0) miss("none of its backends works here");
      libraries.push(...found);
    } catch (error) {
      miss(`it does not start here: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { libraries, absent };
}
