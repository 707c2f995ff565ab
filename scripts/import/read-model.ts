/** Reads files as a model; weights alone become one by a description of the layers beside them. */
import { encodeSafetensors, RnnError } from "webgpu-rnn";
import { importModel, readTensors, type FileBytes, type ImportedModel, type ImportOptions } from "webgpu-rnn/formats";

/** `{ "@": "Sequential", "of": [{ "rnn": { "@": "LSTM", "of": [4, 8] } }] }`, as the files of `saveModel` have it. */
export function isDescription(bytes: FileBytes): boolean {
  const text = new TextDecoder().decode(bytes.byteLength > 1e6 ? new Uint8Array() : bytes);
  if (!/^\s*\{\s*"@"/.test(text)) return false;
  try {
    return typeof (JSON.parse(text) as { "@": unknown })["@"] === "string";
  } catch {
    return false;
  }
}

/**
 * Reads the files of a model by name. Of weights alone, one of the files may describe the layers.
 * @throws RnnError as `importModel` does
 */
export async function readModel(
  files: Readonly<Record<string, FileBytes>>,
  constants?: ImportOptions["constants"],
): Promise<ImportedModel> {
  const entries = Object.entries(files);
  const description = entries.find(([, bytes]) => isDescription(bytes));
  const others = entries.filter((entry) => entry !== description);
  if (!description) return importModel(entries.length === 1 ? entries[0][1] : files, { constants });
  if (others.length !== 1)
    throw new RnnError("format", "files", `a description of layers needs one file of weights beside it, got ${others.length}`);
  const tensors = await readTensors(others[0][1]);
  const model = new TextDecoder().decode(description[1]);
  return importModel(encodeSafetensors(tensors, { format: "webgpu-rnn model 1", model }));
}
