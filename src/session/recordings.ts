/**
 * The recordings of one owner, a session or a trainer: each is made once, lent to callers, and freed when nobody needs
 * it.
 */
import type { Program } from "../backend/backend.ts";
import type { RunContext } from "./run-context.ts";

/** A recording with its context and the program that runs it. */
export interface Prepared {
  readonly context: RunContext;
  readonly program: Program;
}

/** A kept recording, lent to one caller. */
export interface Lent extends Prepared {
  /** Must be called when the downloads have arrived. Until then the recording is not freed. */
  readonly release: () => void;
}

interface Entry {
  readonly made: Promise<Prepared>;
  /** Set when it has been made, so that it can be freed without waiting. */
  program?: Program;
  /** Number of callers that hold it. */
  users: number;
  /** True once it has left the map; it is freed when its last user releases it. */
  dropped: boolean;
}

/** Most recordings kept, so that inputs of ever new shapes do not fill the device. */
const most = 16;

function free({ program, made }: Entry): void {
  if (program) program.free();
  else
    made.then(
      (late) => late.program.free(),
      () => undefined,
    );
}

export class Recordings {
  private readonly entries = new Map<string, Entry>();
  /** The one asked for latest, which may have left the map since. */
  private latest: Entry | undefined;

  /** The recording with this key, made by `make` the first time. The caller holds it until `release`. */
  async lend(key: string, make: () => Promise<Prepared>): Promise<Lent> {
    const entry: Entry = this.entries.get(key) ?? { made: make(), users: 0, dropped: false };
    // The map's last entry is the one used latest; the first is evicted first.
    if (entry !== this.latest) {
      this.entries.delete(key);
      this.entries.set(key, (this.latest = entry));
    }
    entry.users++;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      entry.users--;
      if (entry.dropped && entry.users === 0) free(entry);
      this.evict();
    };
    try {
      const made = await entry.made;
      entry.program = made.program;
      return { ...made, release };
    } catch (error) {
      if (this.entries.get(key) === entry) this.entries.delete(key);
      throw error;
    }
  }

  /** Drops all recordings; one that is lent is freed when its last user releases it. */
  clear(): void {
    for (const key of this.entries.keys()) this.drop(key);
  }

  /** Frees all recordings at once: a caller that still uses one gets an error. */
  dispose(): void {
    for (const one of this.entries.values()) free(one);
    this.entries.clear();
  }

  /** Drops the recordings that were used longest ago and are not in use. */
  private evict(): void {
    for (const [key, { users }] of this.entries) {
      if (this.entries.size <= most) return;
      if (users === 0) this.drop(key);
    }
  }

  private drop(key: string): void {
    const entry = this.entries.get(key)!;
    this.entries.delete(key);
    entry.dropped = true;
    if (entry.users === 0) free(entry);
  }
}
