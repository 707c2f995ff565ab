/** Finds out which calls a device refuses, by error scopes. */
import { RnnError } from "../../errors.ts";

export interface Refusal {
  readonly filter: "validation" | "out-of-memory";
  readonly message: string;
}

export interface Watched<T> {
  readonly result: T;
  /** Resolves when the device has checked the calls; undefined if it accepted them, or is lost. */
  readonly refusal: Promise<Refusal | undefined>;
}

/** The first one counts, because a buffer without memory is invalid too. */
const filters = ["out-of-memory", "validation"] as const;

/**
 * Makes calls and reports the device's errors about these calls only. All users of a device share one stack of error
 * scopes, also the page that lent it. So nothing is awaited between push and pop.
 */
export function watched<T>(device: GPUDevice, calls: () => T): Watched<T> {
  for (const filter of filters) device.pushErrorScope(filter);
  try {
    const result = calls();
    return { result, refusal: popped(device) };
  } catch (error) {
    void popped(device);
    throw error;
  }
}

async function popped(device: GPUDevice): Promise<Refusal | undefined> {
  // The scope pushed last is popped first. Some browsers reject when the device is lost.
  const errors = filters.map(() => device.popErrorScope().catch(() => null)).reverse();
  for (const [i, error] of (await Promise.all(errors)).entries()) if (error) return { filter: filters[i], message: error.message };
  return undefined;
}

/** The error for the caller. */
export function refused(what: string, { filter, message }: Refusal): RnnError {
  return filter === "out-of-memory"
    ? new RnnError(
        "limit",
        "WebGPU",
        `out of device memory: ${message}; use a smaller batch, fewer steps or a smaller layer, or dispose of models and trainers that are done`,
      )
    : new RnnError("device", "WebGPU", `the device refused ${what}: ${message}`);
}
