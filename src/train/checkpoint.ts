import { RnnError, show } from "../errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../io/safetensors.ts";
import type { NumericArray, Tensor } from "../tensor/tensor.ts";

export interface Checkpoint {
  parameters: Record<string, Tensor>;
  /** `<slot>.<parameter>`. */
  optimizer: Record<string, Tensor>;
  carried: Record<string, NumericArray>;
  step: number;
  /** Number of updates by parameter path, where it is not `step`. */
  updates: Readonly<Record<string, number>>;
  seed: number;
  optimizerName: string;
  metadata: Readonly<Record<string, string>>;
}

const format = "webgpu-rnn checkpoint 1";

export function encodeCheckpoint({
  parameters,
  optimizer,
  carried,
  step,
  updates,
  seed,
  optimizerName,
  metadata,
}: Checkpoint): Uint8Array<ArrayBuffer> {
  const tensors: Record<string, Tensor> = { ...parameters };
  for (const [name, value] of Object.entries(optimizer)) tensors[`optimizer.${name}`] = value;
  const taken = ["format", "step", "updates", "seed", "optimizer"].find((key) => Object.hasOwn(metadata, key));
  if (taken !== undefined)
    throw new RnnError("option", "checkpoint", `metadata cannot be named "${taken}", which the checkpoint itself uses`);
  for (const [label, data] of Object.entries(carried)) tensors[label] = { shape: [data.length], data };
  const counted: Record<string, string> = Object.keys(updates).length > 0 ? { updates: JSON.stringify(updates) } : {};
  return encodeSafetensors(tensors, { ...metadata, format, step: String(step), ...counted, seed: String(seed), optimizer: optimizerName });
}

/** @throws RnnError `format` if the file is no checkpoint, or one with another optimiser or seed */
export function decodeCheckpoint(file: Uint8Array | ArrayBuffer, expected: { optimizerName: string; seed: number }): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(file);
  if (metadata.format !== format) {
    throw new RnnError(
      "format",
      "checkpoint",
      `metadata must say format "${format}", got ${show(metadata.format)}; a file of weights alone goes through decodeSafetensors and loadStateDict`,
    );
  }
  if (metadata.optimizer !== expected.optimizerName)
    throw new RnnError(
      "format",
      "checkpoint",
      `was made with the optimizer ${show(metadata.optimizer)}, this trainer has ${show(expected.optimizerName)}`,
    );
  const step = countOf("step", metadata.step);
  const seed = countOf("seed", metadata.seed);
  if (seed !== expected.seed)
    throw new RnnError("format", "checkpoint", `was made with seed ${seed}, this trainer has ${expected.seed}; give it the same seed`);
  const updates = updatesOf(metadata.updates);
  const part = (prefix: string): Record<string, Tensor> =>
    Object.fromEntries(
      Object.entries(tensors)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), value]),
    );
  const parameters = Object.fromEntries(Object.entries(tensors).filter(([name]) => !/^(optimizer|carried)\./.test(name)));
  const carried = Object.fromEntries(Object.entries(part("carried.")).map(([name, { data }]) => [`carried.${name}`, data]));
  return { parameters, optimizer: part("optimizer."), carried, step, updates, seed, optimizerName: metadata.optimizer, metadata };
}

/** Parses a count as `encodeCheckpoint` writes it. `Number` alone would accept an empty text as 0. */
function countOf(name: string, text: string | undefined): number {
  if (text === undefined || !/^\d{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new RnnError("format", "checkpoint", `${name} must be a number, got ${show(text)}`);
  return Number(text);
}

function updatesOf(text: string | undefined): Record<string, number> {
  if (text === undefined) return {};
  let updates: unknown;
  try {
    updates = JSON.parse(text);
  } catch {
    // Text that is not JSON is refused below.
  }
  const fits =
    typeof updates === "object" &&
    updates !== null &&
    !Array.isArray(updates) &&
    Object.values(updates).every((count) => Number.isSafeInteger(count) && count >= 0);
  if (!fits) throw new RnnError("format", "checkpoint", `updates must be numbers by parameter, got ${show(text)}`);
  return updates as Record<string, number>;
}
