/**
 * Firefox looks whether the device is done when something is submitted, and else every 100 ms. While a read-back is
 * awaited there, submits of nothing make it look: a small one takes 2 ms then. Other browsers look by themselves.
 */
const looksSeldom = (): boolean => /firefox/i.test((globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "");

/** Browsers make 4 ms of it after some in a row. */
const pause = 1;

export class Nudge {
  private awaited = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly queue: Pick<GPUQueue, "submit">,
    private readonly needed = looksSeldom(),
  ) {}

  /** The same promise, with the device looked at until it is settled. */
  async until<T>(promise: Promise<T>): Promise<T> {
    this.awaited++;
    if (this.needed) this.timer ??= setInterval(() => this.queue.submit([]), pause);
    try {
      return await promise;
    } finally {
      if (--this.awaited === 0) {
        clearInterval(this.timer);
        this.timer = undefined;
      }
    }
  }
}
