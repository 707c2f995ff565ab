import { now } from "./clock.ts";

/** Resolves the calls of `breathe` that wait for the event loop, in order. */
const breathing: (() => void)[] = [];
/** One channel for all calls: making one takes as long as running a small layer. */
let channel: MessageChannel | undefined;

/**
 * Lets the event loop run (messages, painting, signals) without the 4 ms that nested timeouts cost in browsers. In
 * worklets, which have no MessageChannel, it does nothing.
 */
export function breathe(): Promise<void> {
  // Node and Deno, where a channel costs more.
  if (typeof setImmediate === "function") return new Promise((resolve) => void setImmediate(resolve));
  if (typeof MessageChannel === "undefined") return Promise.resolve();
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => breathing.shift()!();
  }
  channel.port2.postMessage(0);
  return new Promise((resolve) => void breathing.push(resolve));
}

/** The most milliseconds that successive calls may block the event loop. */
const longest = 8;

/** Tells calls that compute on this thread when to let the event loop run. */
export class Breath {
  private since = 0;
  private ended = -Infinity;

  /**
   * Must be called when work begins. Work that begins soon after other work counts as its continuation, because the
   * event loop may not have run in between.
   */
  begin(): void {
    const present = now();
    if (present - this.ended > longest) this.since = present;
  }

  /** True if the event loop has waited too long. */
  isDue(): boolean {
    return now() - this.since > longest;
  }

  /** Lets the event loop run. */
  async take(): Promise<void> {
    await breathe();
    this.since = now();
  }

  /** Must be called when work ends. */
  end(): void {
    this.ended = now();
  }
}
