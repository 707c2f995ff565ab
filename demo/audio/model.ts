/** Makes of a visitor's files what the processor plays: the reading and the layers stay on the page. */
import { RnnError, saveStream } from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import { compile } from "webgpu-rnn/stream";
import type { Files, Playable } from "./messages.ts";

/** @throws RnnError `format` or `option` if no stream of samples can be made of the files */
export async function playableOf(files: Files): Promise<Playable> {
  const given = Object.values(files);
  const { model, format, inputs } = await importModel(given.length === 1 ? given[0] : files);
  if (model.idCount !== undefined)
    throw new RnnError("option", "The model", "must read one sample and give one in each step; this one reads ids");
  const file = await saveStream(model, inputs.length > 0 ? { features: inputs[0].shape?.at(-1) ?? 1 } : {});
  return { file, module: await compile(), format, parameters: model.parameterCount };
}
