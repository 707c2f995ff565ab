/** Whether this is Firefox, which checks whether the device is done at each submit, and otherwise only every 100 ms. */
const looksSeldom = (): boolean => /firefox/i.test((globalThis as { navigator?: { userAgent?: string } }).navigator?.userAgent ?? "");

/** Milliseconds. After several timeouts in a row, browsers raise this to 4 ms. */
const pause = 1;

/**
 * While a read-back is awaited in Firefox, this class submits empty lists: a small read-back then takes 2 ms. Other
 * browsers need no help.
 */
export class Nudge {
  private awaited = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly queue: Pick<GPUQueue, "submit">,
    private readonly needed = looksSeldom(),
  ) {}

  /** The same promise; until it settles, empty lists are submitted. */
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
