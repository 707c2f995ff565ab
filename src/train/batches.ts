import { hasMethods } from "../options.ts";
import type { BatchLike, TrainingData } from "../data/batch.ts";
import type { LossRecorder, TakenBatch } from "./loss-recorder.ts";

/** Thrown away unless somebody waits for it: it may be asked for again. */
interface Ahead {
  readonly step: number;
  readonly batch: Promise<BatchLike>;
}

/** Whether a batch is still to come. */
export function isPromise(value: unknown): value is Promise<BatchLike> {
  return hasMethods(value, "then");
}

/** Batches one after the other. Where they come as promises, the next one is on its way while the present one is computed. */
export class Batches {
  private ahead: Ahead | undefined;
  private comeAsPromises = false;

  /**
   * @param taker copies and checks what comes
   * @param signal ends the waiting for a batch
   */
  constructor(
    private readonly data: TrainingData,
    private readonly batchFirst: boolean,
    private readonly taker: Pick<LossRecorder, "take">,
    private readonly signal?: AbortSignal,
  ) {}

  /** The batch of a step; undefined if the signal came first. */
  async take(step: number): Promise<TakenBatch | undefined> {
    const came = this.ahead?.step === step ? this.ahead.batch : this.data.batch(step, this.batchFirst);
    this.ahead = undefined;
    this.comeAsPromises = isPromise(came);
    const batch = isPromise(came) ? await unlessAborted(came, this.signal) : came;
    return batch === undefined && this.signal?.aborted ? undefined : this.taker.take(batch as BatchLike);
  }

  /** Asks for the batch of a step beforehand, unless batches are there at once. */
  ask(step: number): void {
    if (!this.comeAsPromises) return;
    // An error is that of the step, and told when it is taken.
    const batch = (async () => this.data.batch(step, this.batchFirst))();
    batch.catch(() => undefined);
    this.ahead = { step, batch };
  }
}

/** What a promise resolves to, or undefined as soon as the signal aborts. */
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

/** Whether `promise` is still open when `other` is settled. */
export function isLater(promise: Promise<unknown>, other: Promise<unknown>): Promise<boolean> {
  const [no, yes] = [() => false, () => true];
  return Promise.race([promise.then(no, no), other.then(yes, yes)]);
}
