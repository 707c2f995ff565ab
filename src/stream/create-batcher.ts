/** `createBatcher`, whose work is loaded when it is first called. */
import type { Backend } from "../backend/backend.ts";
import { checkFunction, checkNumber, checkSize, RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { checkBackend, checkModel } from "../session/session.ts";
import type { Batcher } from "./batcher.ts";
import { cpuStream, mostRows } from "./create-stream.ts";

/** Options of `createBatcher`. */
export interface BatcherOptions {
  /** Most frames that are computed together, each of another stream (default 64). */
  maxBatch?: number;
  /** How long a frame waits for those of other streams, in milliseconds (default 1). With 0, it takes those that come in the same turn of the event loop. */
  maxWaitMs?: number;
  /** Most streams whose states are kept (default 1024). Memory for all of them is allocated at once. */
  maxStreams?: number;
  /** Most frames of one stream that may wait; `step` refuses further ones (default 16). */
  maxWaiting?: number;
  /**
   * A stream without a frame for so many milliseconds is closed (default 600,000: ten minutes). One whose state `onIdle` cannot
   * get, for want of memory, say, stays open for as long again; its next frame is refused with the error.
   */
  idleMs?: number;
  /** Called when a stream has been closed because it was idle, with its last state, as `batcher.state` gives it. */
  onIdle?: (id: string, state: Uint8Array<ArrayBuffer>) => void;
  /** A CPU backend to run on (default: one that all streams share). */
  backend?: Backend;
  /** How many numbers a frame has. Only for models that do not say it themselves. */
  features?: number;
}

const names = ["maxBatch", "maxWaitMs", "maxStreams", "maxWaiting", "idleMs", "onIdle", "backend", "features"] as const;
/** Most milliseconds that timers accept. */
const longest = 2 ** 31 - 1;

const code = new Part("createBatcher", () => import("./batcher.ts"));

/**
 * Makes a batcher for a server: it takes the frames of many streams, one at a time, and computes those together that
 * come at the same time. Each stream gets the results that it would get alone, bit for bit.
 * @example
 * const batcher = await createBatcher(model, { maxBatch: 64 });
 * const out = await batcher.step("a user", frame);
 * @throws RnnError `option` or `limit`, as `createStream` does
 */
export async function createBatcher(model: Module, given: BatcherOptions = {}): Promise<Batcher> {
  const where = "createBatcher";
  const options = takeOptions<BatcherOptions>(where, given, names);
  const { maxBatch = 64, maxWaitMs = 1, maxStreams = 1024, maxWaiting = 16, idleMs = 600_000, onIdle, backend, features } = options;
  checkModel(model);
  checkSize(where, "maxBatch", maxBatch, 1, mostRows);
  checkNumber(where, "maxWaitMs", maxWaitMs, { least: 0, most: longest });
  checkSize(where, "maxStreams", maxStreams, 1, mostRows);
  checkSize(where, "maxWaiting", maxWaiting, 1);
  checkNumber(where, "idleMs", idleMs, { least: 0, most: longest, open: true });
  if (onIdle !== undefined) checkFunction(where, "onIdle", onIdle);
  const { Batcher } = await code.load();
  if (backend !== undefined) checkBackend(backend, where);
  if (backend?.kind === "webgpu") throw new RnnError("option", where, "backend must be a CPU backend, got one on WebGPU");
  const stream = await cpuStream(model, backend, { where, batch: maxStreams, features });
  try {
    return new Batcher(stream, model, { maxBatch: Math.min(maxBatch, maxStreams), maxWaitMs, maxWaiting, idleMs, onIdle });
  } catch (error) {
    stream.dispose();
    throw error;
  }
}
