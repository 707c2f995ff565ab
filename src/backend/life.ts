/** The end of a backend: whether it still works, and who waits for it. */
import type { RnnError } from "../errors.ts";

/**
 * Why a backend no longer works:
 * - "destroyed": `destroy()` was called
 * - "lost": the device is gone; another backend can continue
 * - "failed": the device refused a run, so the contents of its memory are unknown
 */
export type Ending = "destroyed" | "lost" | "failed";

export class Life {
  /** Resolves when the backend is destroyed or its device is lost. */
  readonly lost: Promise<Error>;
  ended: Ending | undefined;
  private error: RnnError | undefined;
  private resolveLost!: (error: Error) => void;
  private readonly waiting = new Set<(error: Error) => void>();

  constructor() {
    this.lost = new Promise((resolve) => (this.resolveLost = resolve));
  }

  /** Ends it, unless it has ended, and rejects everything that waits. Returns the error that all callers get. */
  end(how: Ending, error: RnnError): RnnError {
    if (this.error) return this.error;
    this.ended = how;
    this.error = error;
    if (how !== "failed") this.resolveLost(error);
    for (const reject of this.waiting) reject(error);
    this.waiting.clear();
    return error;
  }

  /** @throws RnnError the error that ended it */
  check(): void {
    if (this.error) throw this.error;
  }

  /** The same promise, but rejected when the backend ends: a lost device may leave promises open. */
  async until<T>(promise: Promise<T>): Promise<T> {
    // A caller gets only one error, so a later rejection of the promise itself is ignored.
    promise.catch(() => undefined);
    this.check();
    let reject!: (error: Error) => void;
    try {
      return await new Promise<T>((resolve, fail) => {
        this.waiting.add((reject = fail));
        promise.then(resolve, fail);
      });
    } finally {
      this.waiting.delete(reject);
    }
  }
}
