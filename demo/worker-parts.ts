/** Shared by the workers of all pages: a queue of requests, a backend that can be replaced, errors as messages. */
import { createBackend, RnnError, type Backend } from "webgpu-rnn";
import type { BackendChoice, BackendReport, Problem } from "./messages.ts";

/** Requests are answered one after the other. */
export class RequestQueue<R> {
  private readonly waiting: R[] = [];
  private wake = (): void => undefined;

  add(request: R): void {
    this.waiting.push(request);
    this.wake();
  }

  /** Before all others. */
  addFirst(request: R): void {
    this.waiting.unshift(request);
    this.wake();
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** The next request, if there is one and `may` allows it now. */
  takeIf(may: (request: R) => boolean): R | undefined {
    return this.waiting.length > 0 && may(this.waiting[0]) ? this.waiting.shift() : undefined;
  }

  async serve(answer: (request: R) => Promise<void>): Promise<never> {
    for (;;) {
      const request = this.waiting.shift();
      if (request) await answer(request);
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

/** The backend that a page computes on. */
export class Device {
  private present: Backend | undefined;

  constructor(private readonly on: { ready: (report: BackendReport) => void; lost: (error: Error) => void }) {}

  get backend(): Backend {
    if (!this.present) throw new RnnError("device", "Compute on", "no backend has been chosen yet");
    return this.present;
  }

  /** Makes a new backend and calls `make` on it, then replaces the present ones. */
  async exchange<T>(choice: BackendChoice, make: (fresh: Backend) => T | Promise<T>): Promise<T> {
    const { made, adopt } = await this.prepare(choice, make);
    adopt();
    return made;
  }

  /** Makes a new backend and calls `make` on it. `adopt` then replaces the present one, which works until then. */
  async prepare<T>(choice: BackendChoice, make: (fresh: Backend) => T | Promise<T>): Promise<{ made: T; adopt: () => void }> {
    const fresh = await createBackend(choice);
    try {
      const made = await make(fresh);
      return { made, adopt: () => this.adopt(choice, fresh) };
    } catch (error) {
      fresh.destroy();
      throw error;
    }
  }

  private adopt(choice: BackendChoice, fresh: Backend): void {
    // A device holds the memory of a model until it is destroyed.
    this.present?.destroy();
    this.present = fresh;
    void fresh.lost.then((error) => {
      if (this.present === fresh) this.on.lost(error);
    });
    this.on.ready({ choice, backend: fresh.kind, adapter: fresh.adapter, reason: fresh.reason });
  }
}

export function problemOf(during: Problem["during"], error: unknown): Problem {
  if (error instanceof RnnError) return { during, kind: error.kind, message: error.message };
  console.error(error);
  return { during, kind: "other", message: error instanceof Error ? error.message : String(error) };
}
