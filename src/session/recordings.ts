/** Recordings that one owner keeps, a session or a trainer: made once, lent to callers, freed when nobody needs them. */
import type { Program } from "../backend/backend.ts";
import type { RunContext } from "./run-context.ts";

/** A recording with its context and the program that runs it. */
export interface Prepared {
  readonly context: RunContext;
  readonly program: Program;
}

/** A kept recording, lent to one caller. */
export interface Lent extends Prepared {
  /** To be called when the downloads have come: until then it is not freed. */
  readonly release: () => void;
}

interface Kept {
  readonly made: Promise<Prepared>;
  /** Set once it is made, so that it can be freed without waiting. */
  program?: Program;
  /** Callers it is lent to. */
  users: number;
  /** Nobody finds it any more; it is freed with its last user. */
  dropped: boolean;
}

/** Recordings kept; a stream of ever new shapes must not fill the device. */
const most = 16;

function free({ program, made }: Kept): void {
  if (program) program.free();
  else
    made.then(
      (late) => late.program.free(),
      () => undefined,
    );
}

export class Recordings {
  private readonly kept = new Map<string, Kept>();

  /** The recording of this key, made by `make` the first time. It is the caller's until `release`. */
  async lend(key: string, make: () => Promise<Prepared>): Promise<Lent> {
    const kept: Kept = this.kept.get(key) ?? { made: make(), users: 0, dropped: false };
    // The latest used stands last; the first is the one to go.
    this.kept.delete(key);
    this.kept.set(key, kept);
    kept.users++;
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      kept.users--;
      if (kept.dropped && kept.users === 0) free(kept);
      this.evict();
    };
    try {
      const made = await kept.made;
      kept.program = made.program;
      return { ...made, release };
    } catch (error) {
      if (this.kept.get(key) === kept) this.kept.delete(key);
      throw error;
    }
  }

  /** Drops all; those that are lent are freed with their last user. */
  clear(): void {
    for (const key of this.kept.keys()) this.drop(key);
  }

  /** Frees all, at once: whoever uses one gets an error. */
  dispose(): void {
    for (const one of this.kept.values()) free(one);
    this.kept.clear();
  }

  /** Drops the recordings used longest ago, as far as nobody uses them now. */
  private evict(): void {
    for (const [key, { users }] of this.kept) {
      if (this.kept.size <= most) return;
      if (users === 0) this.drop(key);
    }
  }

  private drop(key: string): void {
    const kept = this.kept.get(key)!;
    this.kept.delete(key);
    kept.dropped = true;
    if (kept.users === 0) free(kept);
  }
}
