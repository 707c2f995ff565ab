/** Whether a backend still works, and who waits for it. */
import type { RnnError } from "../errors.ts";

/**
 * Why a backend does not work any more:
 * - "destroyed": `destroy()` was called
 * - "lost": the device is gone; another backend can go on
 * - "failed": the device refused what it should have done, so that nothing is known about its memory
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

  /** Ends it, unless it has ended; all that waits is rejected. Returns the error that everybody gets. */
  end(how: Ending, error: RnnError): RnnError {
    if (this.error) return this.error;
    this.ended = how;
    this.error = error;
    if (how !== "failed") this.resolveLost(error);
    for (const reject of this.waiting) reject(error);
    this.waiting.clear();
    return error;
  }

  /** @throws RnnError what has ended it */
  check(): void {
    if (this.error) throw this.error;
  }

  /** The same promise, rejected when this ends: a device that is gone may leave promises open. */
  async until<T>(promise: Promise<T>): Promise<T> {
    // Whoever waits gets one error; that of the promise itself has been dealt with then.
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
