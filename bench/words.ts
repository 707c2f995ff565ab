/** The names of cells, modes and rows on the page. */
import { inUnit } from "./amounts.mjs";
import { sizesOf, type Case, type Cell, type Mode, type Shape } from "./cases.ts";
import type { Row } from "./report.ts";

export const cellNames: Readonly<Record<Cell, string>> = { lstm: "LSTM", gru: "GRU", rnn: "RNN", "gru-reset-before": "GRU (reset before)" };

export const modeNames: Readonly<Record<Mode, string>> = {
  forward: "forward pass",
  training: "training step",
  model: "character model, training step",
  generation: "drawing a text",
  stream: "frames of a stream",
};

export const modeNotes: Readonly<Record<Mode, string>> = {
  forward: "One layer, from an array of yours to an array of yours.",
  training: "One layer alone: forward, mean squared error, gradients of all weights, an SGD update. The same in every library.",
  model: "Embedding, layer, logits; cross-entropy, backpropagation through time, clipping, Adam.",
  generation: "As many characters as there are steps, one after the other, from that model.",
  stream:
    "A call with the next frame, or with as many as there are steps: 128 in an AudioWorklet. The batch is the number of streams, which keep their states. With an input size of 1, a linear layer follows, as for sound. The floor only multiplies the weights: the least time that this can take.",
};

export const sizeName = (shape: Shape): string => sizesOf(shape).join(" × ");

export const caseTitle = (of: Case): string => `${cellNames[of.cell]}, ${modeNames[of.mode]}, ${sizeName(of)}`;

export const rowName = ({ library, backend }: Row): string => `${library} ${backend}`;

/** One sentence that compares this library's two backends, or says why it cannot. */
export function verdict(rows: readonly Row[], software: boolean): string {
  const own = rows.filter(({ library }) => library === "webgpu-rnn");
  const gpu = own.find(({ backend }) => backend === "webgpu");
  const cpu = own.find(({ backend }) => backend === "cpu");
  if (!gpu || !cpu) return own.length > 0 ? `${inUnit(own[0].median_ms, own[0].mode)} on ${own[0].backend}.` : "";
  const ratio = gpu.median_ms / cpu.median_ms;
  const adapter = software ? "the software adapter" : "the GPU";
  if (ratio > 0.9 && ratio < 1.1) return `The CPU and ${adapter} take the same time here.`;
  const times = (factor: number): string => (factor < 10 ? factor.toFixed(1) : factor.toFixed(0));
  return ratio > 1
    ? `The CPU is ${times(ratio)} times as fast as ${adapter} here.`
    : `${adapter[0].toUpperCase()}${adapter.slice(1)} is ${times(1 / ratio)} times as fast as the CPU here.`;
}
