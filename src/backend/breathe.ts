import { now } from "./clock.ts";

/**
 * Lets the event loop run (messages, painting, signals) without the 4 ms that nested timeouts cost in browsers. Worklets
 * that have nothing to let it run by go straight on.
 */
export function breathe(): Promise<void> {
  if (typeof MessageChannel === "undefined") return Promise.resolve();
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

/** Milliseconds that calls in a row may keep the event loop waiting. */
const longest = 8;

/** When calls that compute on this very thread should let the event loop run. */
export class Breath {
  private since = 0;
  private ended = -Infinity;

  /** To be called when work begins. What comes soon after other work continues it: nobody knows whether the loop ran in between. */
  begin(): void {
    const present = now();
    if (present - this.ended > longest) this.since = present;
  }

  /** Whether the event loop has waited long enough. */
  isDue(): boolean {
    return now() - this.since > longest;
  }

  async take(): Promise<void> {
    await breathe();
    this.since = now();
  }

  end(): void {
    this.ended = now();
  }
}
