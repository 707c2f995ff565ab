/** What a device has against the calls that were made to it. */
import { RnnError } from "../../errors.ts";

export interface Refusal {
  readonly filter: "validation" | "out-of-memory";
  readonly message: string;
}

export interface Watched<T> {
  readonly result: T;
  /** Resolves when the device has looked at the calls; undefined if it had nothing against them, or is lost. */
  readonly refusal: Promise<Refusal | undefined>;
}

/** The first counts: what had no memory is invalid too. */
const filters = ["out-of-memory", "validation"] as const;

/**
 * Makes calls and learns what the device has against these, and against no others: error scopes are one stack for all who
 * use a device, the page that lent it among them. So nothing is awaited between push and pop.
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
  // The last pushed comes first. Some browsers reject when the device is lost.
  const errors = filters.map(() => device.popErrorScope().catch(() => null)).reverse();
  for (const [i, error] of (await Promise.all(errors)).entries()) if (error) return { filter: filters[i], message: error.message };
  return undefined;
}

/** The error for whoever made the calls. */
export function refused(what: string, { filter, message }: Refusal): RnnError {
  return filter === "out-of-memory"
    ? new RnnError(
        "limit",
        "WebGPU",
        `out of device memory: ${message}; use a smaller batch, fewer steps or a smaller layer, or dispose of models and trainers that are done`,
      )
    : new RnnError("device", "WebGPU", `the device refused ${what}: ${message}`);
}
