/** Settings: presets, and the limits that this page sets beside those that the library checks. */
import { RnnError } from "webgpu-rnn";
import type { Settings } from "./messages.ts";

/** Above these a browser tab runs out of memory or patience. */
const most = { embedding: 4096, hidden: 4096, layers: 8, batch: 1024, window: 1024, seed: 2 ** 32 - 1 } as const;
const least = { embedding: 1, hidden: 1, layers: 1, batch: 1, window: 1, seed: 0 } as const;

export const labels: Readonly<Record<keyof Settings, string>> = {
  cell: "Cell", embedding: "Embedding size", hidden: "Hidden size", layers: "Layers",
  batch: "Batch", window: "Window", learningRate: "Learning rate", seed: "Seed",
};

/** @throws RnnError `option`, naming the field as the page does */
export function checkSettings(settings: Settings): void {
  for (const name of Object.keys(most) as (keyof typeof most)[]) {
    const value: unknown = settings[name];
    if (Number.isInteger(value) && (value as number) >= least[name] && (value as number) <= most[name]) continue;
    throw new RnnError("option", labels[name], `must be a whole number from ${least[name]} to ${most[name]}, got ${say(value)}`);
  }
  const { learningRate, cell } = settings;
  if (!isLearningRate(learningRate)) throw new RnnError("option", labels.learningRate, `must be a number above 0 and at most 10, got ${say(learningRate)}`);
  if (!["lstm", "gru", "rnn"].includes(cell)) throw new RnnError("option", labels.cell, `must be lstm, gru or rnn, got ${say(cell)}`);
}

export const isLearningRate = (value: number): boolean => value > 0 && value <= 10;

function say(value: unknown): string {
  return typeof value === "number" && Number.isNaN(value) ? "nothing" : JSON.stringify(value);
}

export type PresetName = "small" | "medium" | "large";

export const presets: Readonly<Record<PresetName, Omit<Settings, "cell" | "seed">>> = {
  small: { embedding: 32, hidden: 128, layers: 1, batch: 16, window: 48, learningRate: 0.005 },
  medium: { embedding: 64, hidden: 256, layers: 1, batch: 32, window: 64, learningRate: 0.005 },
  large: { embedding: 64, hidden: 512, layers: 2, batch: 64, window: 96, learningRate: 0.002 },
};
