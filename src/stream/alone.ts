/** What `webgpu-rnn/stream` exports: streams and the models for them, without anything that loads code later. */
import { CpuBackend } from "../backend/cpu/cpu-backend.ts";
import { compiledModule } from "../backend/cpu/wasm-kernels.ts";
import { checkSize, RnnError, show } from "../errors.ts";
import { takeBytes } from "../io/bytes.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { readModel } from "../saving/model-file.ts";
import { checkModel } from "../session/session.ts";
import type { Stream } from "./cpu-stream.ts";
import { layers } from "./layers.ts";
import { streamOf } from "./stream-of.ts";

/** Options of `createStream`. */
export interface StreamOptions {
  /** Sequences side by side, the rows of a frame (default 1). */
  batch?: number;
  /** How many numbers a row of a frame has. Only for models that do not say it themselves. */
  features?: number;
  /** What `compile` gave elsewhere, where WebAssembly may not be compiled here, or should not be (`processorOptions`). */
  module?: WebAssembly.Module;
}

/** Most rows of a stream. */
const mostRows = 2 ** 20;

/** One backend for all streams with the same module, or without one. */
const backends = new Map<WebAssembly.Module | undefined, Promise<CpuBackend>>();

async function backendWith(module: WebAssembly.Module | undefined): Promise<CpuBackend> {
  const known = backends.get(module);
  if (known) return known;
  const made = CpuBackend.create({ module, reason: "for streams" }).then((backend) => {
    if (backend.hasWasm) return backend;
    throw new RnnError(
      "device",
      "createStream",
      `${backend.adapter}; give a module that compile() has made where it can be, on the page's thread say`,
    );
  });
  backends.set(module, made);
  made.catch(() => backends.delete(module));
  return made;
}

/**
 * Compiles the WebAssembly that streams run on, to be handed over to a worklet or a worker as `module`.
 * @throws RnnError `device` if this engine cannot
 */
export async function compile(): Promise<WebAssembly.Module> {
  const found = await compiledModule();
  if (found) return found;
  throw new RnnError("device", "compile", "this engine has no WebAssembly SIMD");
}

/** The model in a file that `saveModel` of `webgpu-rnn` wrote. @throws RnnError `format` if it cannot be read */
export function loadModel(file: Uint8Array | ArrayBuffer): Module {
  return readModel(takeBytes(file, "loadModel"), { modules: layers, cells: {} });
}

/**
 * Makes a stream of a model that `loadModel` gave. Everything after it is synchronous.
 * @throws RnnError `option` if the model reads backwards, `device` without WebAssembly, `load` if a layer needs code that
 * is only in `webgpu-rnn` and `webgpu-rnn/static`
 */
export async function createStream(model: Module, given: StreamOptions = {}): Promise<Stream> {
  const where = "createStream";
  const { batch = 1, features, module } = takeOptions(where, given, ["batch", "features", "module"]);
  checkModel(model);
  checkSize(where, "batch", batch, 1, mostRows);
  if (module !== undefined && !(module instanceof WebAssembly.Module))
    throw new RnnError("option", where, `module must be a WebAssembly.Module, as compile() gives it, got ${show(module)}`);
  if (module !== undefined && !WebAssembly.Module.exports(module).some(({ name }) => name === "scratchBytes"))
    throw new RnnError("option", where, "module must be what compile() of this version gave, got another WebAssembly.Module");
  return streamOf(model, await backendWith(module), features, batch);
}
