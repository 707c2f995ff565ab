/** `createStream`, whose work is loaded when it is first called. */
import type { Backend } from "../backend/backend.ts";
import { cpuBackend } from "../backend/create-backend.ts";
import { checkSize, RnnError } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { checkBackend, checkModel } from "../session/session.ts";
import type { Stream } from "./cpu-stream.ts";

/** Options of `createStream`. */
export interface StreamOptions {
  /** Sequences side by side, the rows of a frame (default 1). */
  batch?: number;
  /** A CPU backend to run on (default: one that all streams share). */
  backend?: Backend;
  /** How many numbers a row of a frame has. Only for models that do not say it themselves. */
  features?: number;
}

/** Most rows of a stream. */
export const mostRows = 2 ** 20;

const code = new Part("createStream", () => import("./stream-of.ts"));

/** The backend of streams without one. */
let shared: Promise<Backend> | undefined;

async function sharedBackend(): Promise<Backend> {
  const known = await shared?.catch(() => undefined);
  if (known && !known.ended) return known;
  return (shared = cpuBackend({ reason: "for streams" }));
}

/**
 * Makes a stream of a model: it takes a frame and gives the result at once, without a promise, and keeps the states.
 * @example
 * const stream = await createStream(model);
 * const out = stream.step(frame);
 * @throws RnnError `option` if the model reads backwards, `limit` if its memory is not to be had
 */
export async function createStream(model: Module, given: StreamOptions = {}): Promise<Stream> {
  const where = "createStream";
  const { batch = 1, backend, features } = takeOptions(where, given, ["batch", "backend", "features"]);
  checkModel(model);
  if (backend !== undefined) checkBackend(backend, where);
  if (backend?.kind === "webgpu") throw new RnnError("option", where, "backend must be a CPU backend, got one on WebGPU");
  checkSize(where, "batch", batch, 1, mostRows);
  const { streamOf } = await code.load();
  return streamOf(model, backend ?? (await sharedBackend()), features, batch);
}
