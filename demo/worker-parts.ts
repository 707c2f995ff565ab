/** What the workers of all pages need: requests that wait for their turn, a backend that may be exchanged, errors as messages. */
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

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  /** The next request if it is there already and is one that `may` be answered now. */
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

  /** Puts a fresh backend, and what `make` makes on it, in the place of the present ones once both exist. */
  async exchange<T>(choice: BackendChoice, make: (fresh: Backend) => T | Promise<T>): Promise<T> {
    const fresh = await createBackend(choice);
    let made: T;
    try {
      made = await make(fresh);
    } catch (error) {
      fresh.destroy();
      throw error;
    }
    // A device holds the memory of a model until it is destroyed.
    this.present?.destroy();
    this.present = fresh;
    void fresh.lost.then((error) => {
      if (this.present === fresh) this.on.lost(error);
    });
    this.on.ready({ choice, backend: fresh.kind, adapter: fresh.adapter, reason: fresh.reason });
    return made;
  }
}

export function problemOf(during: Problem["during"], error: unknown): Problem {
  if (error instanceof RnnError) return { during, kind: error.kind, message: error.message };
  console.error(error);
  return { during, kind: "other", message: error instanceof Error ? error.message : String(error) };
}
