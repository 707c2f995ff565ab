/** `createStream`, whose work is loaded when it is first called. */
import type { Backend } from "../backend/backend.ts";
import { cpuBackend } from "../backend/create-backend.ts";
import { checkSize, reading, RnnError } from "../errors.ts";
import { areBytes } from "../io/bytes.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { checkBackend, checkModel } from "../session/session.ts";
import type { Stream } from "./cpu-stream.ts";
import type { DeviceStream } from "./device-stream.ts";
import type { FrameOptions } from "./stream-of.ts";

/** Options of `createStream`. */
export interface StreamOptions {
  /** Sequences side by side, the rows of a frame (default 1). */
  batch?: number;
  /** Where it runs (default: a CPU backend that all streams share). */
  backend?: Backend;
  /** How many numbers a row of a frame has. Only for models that do not say it themselves. */
  features?: number;
  /**
   * On the CPU, for a model of which each call is a step, with states between calls, as ONNX graphs of voice detectors and
   * noise suppressors are: the shape of a call's input, which is the frame. The batch is 1 then.
   */
  inputShape?: readonly number[];
}

/** Most rows of a stream. */
export const mostRows = 2 ** 20;

const code = new Part("createStream", () => import("./stream-of.ts"));
const deviceCode = new Part("createStream", () => import("./device-stream.ts"));

/** The backend of streams without one. */
let shared: Promise<Backend> | undefined;

/** The CPU backend of streams that are given none. */
export async function sharedBackend(): Promise<Backend> {
  const before = shared;
  const known = await before?.catch(() => undefined);
  if (known && !known.ended) return known;
  // Another call may have made one meanwhile.
  if (shared === before || shared === undefined) shared = cpuBackend({ reason: "for streams" });
  return shared;
}

/** A backend whose kind the compiler knows. */
type On<Kind extends Backend["kind"]> = Backend & { readonly kind: Kind };

/**
 * Makes a stream of a model: it takes a frame and gives the result, and keeps the states. On the CPU, the result comes at
 * once, without a promise; on a WebGPU backend, `step` returns a promise. `await stream.step(frame)` does for both.
 * @example
 * const stream = await createStream(model);
 * const out = stream.step(frame);
 * @throws RnnError `option` if the model reads backwards, `limit` if there is not enough memory for it
 */
export function createStream(model: Module, given?: StreamOptions & { backend?: On<"cpu"> }): Promise<Stream>;
export function createStream(model: Module, given: StreamOptions & { backend: On<"webgpu"> }): Promise<DeviceStream>;
export function createStream(model: Module, given?: StreamOptions): Promise<Stream | DeviceStream>;
export async function createStream(model: Module, given: StreamOptions = {}): Promise<Stream | DeviceStream> {
  const where = "createStream";
  const { batch = 1, backend, features, inputShape } = takeOptions(where, given, ["batch", "backend", "features", "inputShape"]);
  if (reading("option", where, "model", () => areBytes(model)))
    throw new RnnError(
      "option",
      where,
      "must get a model, got bytes; createStream of webgpu-rnn/stream plays what saveStream wrote, and loadModel makes the model of a file",
    );
  checkModel(model);
  if (backend !== undefined) checkBackend(backend, where);
  checkSize(where, "batch", batch, 1, mostRows);
  if (backend?.kind === "webgpu" && inputShape !== undefined)
    throw new RnnError("option", where, "takes inputShape on the CPU only; leave backend out");
  if (backend?.kind === "webgpu") return (await deviceCode.load()).deviceStreamOf(model, backend, features, batch);
  return cpuStream(model, backend, { where, batch, features, inputShape });
}

/** A stream on the CPU, on the shared backend if there is none. @throws RnnError as `createStream` does, with the caller's `where` */
export async function cpuStream(model: Module, backend: Backend | undefined, options: FrameOptions): Promise<Stream> {
  const { streamOf } = await code.load();
  return (await streamOf(model, backend ?? (await sharedBackend()), options)).stream;
}
