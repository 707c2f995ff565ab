import { encodeSafetensors, RnnError, saveModel, type Module } from "webgpu-rnn";

/** A model as `loadModel` reads it; where a file cannot describe it, its weights alone, and why. */
export async function writeModel(model: Module): Promise<{ file: Uint8Array<ArrayBuffer>; problem: string }> {
  try {
    return { file: await saveModel(model), problem: "" };
  } catch (error) {
    if (!(error instanceof RnnError) || error.kind !== "option") throw error;
    return { file: encodeSafetensors(await model.stateDict()), problem: error.message };
  }
}
