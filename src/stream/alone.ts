/** What `webgpu-rnn/stream` exports: streams of saved files, without the code of modules and layers. */
import { unpack } from "../backend/cpu/unpack.ts";
import * as build from "../backend/cpu/wasm-builds/stream.ts";
import { compile as compileCode } from "../backend/cpu/wasm-code.ts";
import { reasonOf, RnnError, show } from "../errors.ts";
import { bytesOf } from "../io/bytes.ts";
import { takeOptions } from "../options.ts";
import { Stream } from "./cpu-stream.ts";
import { OpenedFile } from "./file-executor.ts";
import { inJavaScript, workOf } from "./stream-file.ts";

/** Options of `createStream`. */
export interface StreamOptions {
  /** What `compile` gave elsewhere, where WebAssembly may not be compiled here, or should not be (`processorOptions`). */
  module?: WebAssembly.Module;
}

/** Compiled once for all streams that are given no module. */
let compiled: Promise<WebAssembly.Module> | undefined;

async function compileNow(): Promise<WebAssembly.Module> {
  let problem = "this engine has no WebAssembly SIMD";
  try {
    const found = await compileCode(unpack(build));
    if (found) return found.module;
  } catch (error) {
    // A page's content security policy may forbid compiling.
    problem = `WebAssembly cannot be compiled here: ${reasonOf(error)}`;
  }
  throw new RnnError(
    "device",
    "compile",
    `${problem}; createStream takes a module that compile() has made elsewhere, on the page's thread say`,
  );
}

/**
 * Compiles the WebAssembly that streams run on, to be handed over to a worklet or a worker as `module`.
 * @throws RnnError `device` if this engine cannot
 */
export function compile(): Promise<WebAssembly.Module> {
  const compiling = (compiled ??= compileNow());
  compiling.catch(() => (compiled = undefined));
  return compiling;
}

/** @throws RnnError `option` unless it is what `compile` gives */
function takeModule(module: unknown): WebAssembly.Module {
  const where = "createStream";
  if (!(module instanceof WebAssembly.Module))
    throw new RnnError("option", where, `module must be a WebAssembly.Module, as compile() gives it, got ${show(module)}`);
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  if (!names.has("scratchBytes") || Object.keys(workOf).some((name) => !inJavaScript.includes(name) && !names.has(name)))
    throw new RnnError("option", where, "module must be what compile() of this version gave, got another WebAssembly.Module");
  return module;
}

/**
 * Makes the stream of a file that `saveStream` of `webgpu-rnn` wrote. Everything after it is synchronous.
 * @throws RnnError `format` if the file is damaged or holds no stream, `device` without WebAssembly, `limit` if there is not
 * enough memory
 */
export async function createStream(file: Uint8Array | ArrayBuffer, given: StreamOptions = {}): Promise<Stream> {
  const where = "createStream";
  const { module } = takeOptions(where, given, ["module"]);
  const bytes = bytesOf(file, where, "; saveStream of webgpu-rnn writes it, and createStream of webgpu-rnn takes a model");
  // Engines compile on other threads while the file is read.
  const code = module === undefined ? compile() : Promise.resolve(takeModule(module));
  // Its values are taken before the first wait: the caller may do with it what they like.
  const opened = new OpenedFile(bytes);
  const stream = new Stream(await opened.executor(await code));
  stream.reset();
  return stream;
}
