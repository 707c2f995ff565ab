/** Settings: presets, and the limits that this page sets beside those that the library checks. */
import { RnnError } from "webgpu-rnn";
import type { BackendChoice, Sampling, Settings } from "./messages.ts";

/** Above these a browser tab runs out of memory or patience. */
const most = { embedding: 4096, hidden: 4096, layers: 8, batch: 1024, window: 1024, seed: 2 ** 32 - 1 } as const;
const least = { embedding: 1, hidden: 1, layers: 1, batch: 1, window: 1, seed: 0 } as const;

export const labels: Readonly<Record<keyof Settings, string>> = {
  cell: "Cell",
  embedding: "Embedding size",
  hidden: "Hidden size",
  layers: "Layers",
  batch: "Batch",
  window: "Window",
  learningRate: "Learning rate",
  seed: "Seed",
};

/** @throws RnnError `option`, naming the field as the page does */
export function checkSettings(settings: Settings): void {
  for (const name of Object.keys(most) as (keyof typeof most)[]) {
    checkWhole(labels[name], settings[name], least[name], most[name]);
  }
  const { learningRate, cell } = settings;
  checkLearningRate(learningRate);
  if (!["lstm", "gru", "rnn"].includes(cell)) throw new RnnError("option", labels.cell, `must be lstm, gru or rnn, got ${say(cell)}`);
}

/** @throws RnnError `option`, naming the field as the page does */
export function checkSampling({ prompt, length, temperature }: Sampling): void {
  if (typeof prompt !== "string" || prompt.length > longestPrompt)
    throw new RnnError("option", "Begins with", `must be a text of up to ${longestPrompt} characters`);
  checkWhole("Characters", length, 1, 5000);
  checkNumber("Temperature", temperature, 0, 1.5);
}

/** @throws RnnError `option`, naming the field as the page does */
export function checkBackend(choice: BackendChoice): void {
  if (!["auto", "webgpu", "cpu"].includes(choice))
    throw new RnnError("option", "Compute on", `must be auto, webgpu or cpu, got ${say(choice)}`);
}

const longestPrompt = 500;

export function checkWhole(label: string, value: unknown, from: number, to: number): void {
  if (Number.isInteger(value) && (value as number) >= from && (value as number) <= to) return;
  throw new RnnError("option", label, `must be a whole number from ${from} to ${to}, got ${say(value)}`);
}

export function checkNumber(label: string, value: unknown, from: number, to: number): void {
  if (!(typeof value === "number" && value >= from && value <= to))
    throw new RnnError("option", label, `must be a number from ${from} to ${to}, got ${say(value)}`);
}

export function checkLearningRate(value: number): void {
  if (!isLearningRate(value))
    throw new RnnError("option", labels.learningRate, `must be a number above 0 and at most 10, got ${say(value)}`);
}

export const isLearningRate = (value: unknown): value is number => typeof value === "number" && value > 0 && value <= 10;

/** Quotes only a few words, because files and addresses may contain anything. */
function say(value: unknown): string {
  if (typeof value === "number") return Number.isNaN(value) ? "nothing" : String(value);
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}

export type PresetName = "small" | "medium" | "large";

export const presets: Readonly<Record<PresetName, Omit<Settings, "cell" | "seed">>> = {
  small: { embedding: 32, hidden: 128, layers: 1, batch: 16, window: 48, learningRate: 0.005 },
  medium: { embedding: 64, hidden: 256, layers: 1, batch: 32, window: 64, learningRate: 0.005 },
  large: { embedding: 64, hidden: 512, layers: 2, batch: 64, window: 96, learningRate: 0.002 },
};
