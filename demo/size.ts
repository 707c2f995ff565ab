/** Computes the size of a network before anything is made, and refuses one that cannot fit. */
import { RnnError } from "webgpu-rnn";
import type { Settings } from "./messages.ts";
import { labels } from "./settings.ts";

const gates = { lstm: 4, gru: 3, rnn: 1 } as const;

/** Weights and biases of the model in model.ts. */
export function parameterCount(
  { cell, embedding, hidden, layers }: Pick<Settings, "cell" | "embedding" | "hidden" | "layers">,
  vocabulary: number,
): number {
  const layer = (inputs: number): number => gates[cell] * hidden * (inputs + hidden + 2);
  return vocabulary * embedding + layer(embedding) + (layers - 1) * layer(hidden) + vocabulary * (hidden + 1);
}

/** Most bytes that this page uses. Beyond that, browsers end a tab without a message. */
export const mostBytes = 2 ** 31;

/** In training each parameter has a gradient, two averages, a copy to fall back on, and copies for checkpoints: four bytes each. */
const bytesPerParameter = 32;

export const bytesOfParameters = (parameters: number): number => bytesPerParameter * parameters;

export function inBytes(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${Number((bytes / size).toPrecision(3)).toLocaleString("en")} ${unit}`;
}

/** @throws RnnError `limit`, in the page's words, if the parameters alone are too many */
export function checkParameters(settings: Settings, vocabulary: number): number {
  const parameters = parameterCount(settings, vocabulary);
  const bytes = bytesOfParameters(parameters);
  if (bytes <= mostBytes) return parameters;
  throw new RnnError(
    "limit",
    labels.hidden,
    `this network would have ${parameters.toLocaleString("en")} parameters, which take ${inBytes(bytes)} in training; this page takes ${inBytes(mostBytes)} at most. Choose a smaller ${labels.hidden} or fewer ${labels.layers}`,
  );
}

/** @throws RnnError `limit`, in the page's words, if a training step takes too much */
export function checkStep(bytes: number): void {
  if (bytes <= mostBytes) return;
  throw new RnnError(
    "limit",
    labels.batch,
    `a training step with these settings would take ${inBytes(bytes)}; this page takes ${inBytes(mostBytes)} at most. Choose a smaller ${labels.batch} or ${labels.window}, or a smaller network`,
  );
}
