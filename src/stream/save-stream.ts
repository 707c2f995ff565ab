import { checkSize, RnnError, show } from "../errors.ts";
import { Module } from "../nn/module.ts";
import { isA, takeOptions } from "../options.ts";
import { Part } from "../part.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";
import { saveOptionNames, takeSaveOptions, type SaveOptions } from "../saving/models.ts";
import { save } from "../saving/save-and-load.ts";
import { mostRows } from "./create-stream.ts";

/** Options of `saveStream`. */
export interface SaveStreamOptions extends SaveOptions {
  /** Sequences side by side, the rows of a frame (default 1). */
  readonly batch?: number;
  /** How many numbers a row of a frame has. Only for models that do not say it themselves. */
  readonly features?: number;
  /** The shape of a call's input, as for `createStream`, for a model of which each call is a step. */
  readonly inputShape?: readonly number[];
}

const code = new Part("saveStream", () => import("./saved-stream.ts"));

/**
 * Writes what `saveModel` writes, and how to compute the steps of a stream of so many rows. `createStream` of
 * `webgpu-rnn/stream` plays it without the code of layers; `loadModel` reads it too.
 * @throws RnnError as `saveModel`; `option` if the model cannot be streamed, or if a part of it is not in WebAssembly
 */
export async function saveStream(model: Module, given: SaveStreamOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  const where = "saveStream";
  if (!isA(model, Module)) throw new RnnError("option", where, `must get a module, got ${show(model)}`);
  const options = takeOptions(where, given, [...saveOptionNames, "batch", "features", "inputShape"]);
  const { names, ...saved } = takeSaveOptions(where, options);
  const { batch = 1, features, inputShape } = options;
  checkSize(where, "batch", batch, 1, mostRows);
  const values = await model.stateDict();
  const { savedStream } = await code.load();
  // First states are computed now, from the parameters as the file will have them.
  const rounded = decodeSafetensors(encodeSafetensors(values, {}, { dtype: saved.dtype })).tensors as typeof values;
  return save(model, values, names, saved, await savedStream(model, rounded, { where, batch, features, inputShape }));
}
