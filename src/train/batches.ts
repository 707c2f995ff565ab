import { hasMethods } from "../options.ts";
import type { BatchLike, TrainingData } from "../data/batch.ts";
import type { LossRecorder, TakenBatch } from "./loss-recorder.ts";

/** Dropped unless someone waits for it: it can be requested again. */
interface Ahead {
  readonly step: number;
  readonly batch: Promise<BatchLike>;
}

/** True if the batch has not arrived yet. */
export function isPromise(value: unknown): value is Promise<BatchLike> {
  return hasMethods(value, "then");
}

/**
 * Delivers batches in order. If they come as promises, it requests the next batch while the present one is computed.
 */
export class Batches {
  private ahead: Ahead | undefined;
  private comeAsPromises = false;

  /**
   * @param taker copies and checks a batch
   * @param signal ends the wait for a batch
   */
  constructor(
    private readonly data: TrainingData,
    private readonly batchFirst: boolean,
    private readonly taker: Pick<LossRecorder, "take">,
    private readonly signal?: AbortSignal,
  ) {}

  /** The batch of a step; undefined if the signal aborted first. */
  async take(step: number): Promise<TakenBatch | undefined> {
    const came = this.ahead?.step === step ? this.ahead.batch : this.data.batch(step, this.batchFirst);
    this.ahead = undefined;
    this.comeAsPromises = isPromise(came);
    const batch = isPromise(came) ? await unlessAborted(came, this.signal) : came;
    return batch === undefined && this.signal?.aborted ? undefined : this.taker.take(batch as BatchLike);
  }

  /** Requests the batch of a step beforehand, if batches come as promises. */
  ask(step: number): void {
    if (!this.comeAsPromises) return;
    // An error belongs to that step, and is thrown when the step takes its batch.
    const batch = (async () => this.data.batch(step, this.batchFirst))();
    batch.catch(() => undefined);
    this.ahead = { step, batch };
  }
}

/** The value of a promise, or undefined as soon as the signal aborts. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T | undefined> {
  if (!signal) return promise;
  promise.catch(() => undefined);
  let stop!: () => void;
  try {
    return await Promise.race([
      promise,
      new Promise<undefined>((resolve) => {
        stop = () => resolve(undefined);
        signal.addEventListener("abort", stop);
        if (signal.aborted) stop();
      }),
    ]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** True if `other` settles before `promise`. */
export function isLater(promise: Promise<unknown>, other: Promise<unknown>): Promise<boolean> {
  const [no, yes] = [() => false, () => true];
  return Promise.race([promise.then(no, no), other.then(yes, yes)]);
}
