/** An imported model as a file of another format. */
import { encodeSafetensors, RnnError, saveModel, type Module } from "webgpu-rnn";
import { exportOnnx, type ImportedModel } from "webgpu-rnn/formats";
import { axesOf } from "./trial.ts";

/** A model as `loadModel` reads it; where a file cannot describe it, its weights alone, and why. */
export async function writeModel(model: Module): Promise<{ file: Uint8Array<ArrayBuffer>; problem: string }> {
  try {
    return { file: await saveModel(model), problem: "" };
  } catch (error) {
    if (!(error instanceof RnnError) || error.kind !== "option") throw error;
    return { file: encodeSafetensors(await model.stateDict()), problem: error.message };
  }
}

/** A model as an ONNX graph, with the first input's sizes as its file has them; a graph of ONNX keeps its own. @throws RnnError `option` if ONNX cannot hold it */
export async function writeOnnx(imported: ImportedModel): Promise<Uint8Array<ArrayBuffer>> {
  if (["OnnxModel", "KerasNetwork"].includes((imported.model.constructor as { savedAs?: string }).savedAs ?? ""))
    return exportOnnx(imported.model);
  const [first] = imported.inputs;
  const { batch } = axesOf(imported, first);
  const input = first.shape?.map((size, axis) => size ?? (axis === batch ? "batch" : "steps"));
  return exportOnnx(imported.model, { input });
}
