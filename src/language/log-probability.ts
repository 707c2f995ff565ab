import type { Backend } from "../backend/backend.ts";
import type { BatchLike } from "../data/batch.ts";
import { RnnError } from "../errors.ts";
import { crossEntropy } from "../losses/cross-entropy.ts";
import type { Module } from "../nn/module.ts";
import { takeOptions } from "../options.ts";
import { CarriedStates } from "../session/carried-states.ts";
import { batchOf } from "../session/run-context.ts";
import { Session } from "../session/session.ts";
import { checkShape } from "../tensor/shape.ts";
import { checkIds } from "../tensor/tensor.ts";
import { LossRecorder } from "../train/loss-recorder.ts";

/** The probability of each row of a batch under a model. */
export interface RowProbabilities {
  /** ln P of each row, the sum over its tokens of ln P(token | those before it). */
  logProbabilities: number[];
  /** Number of tokens of each row that count, with its end. */
  tokens: number[];
  /** e^(-Σ ln P / Σ tokens) over all rows. */
  perplexity: number;
}

/**
 * ln P(sentence) = Σ_t ln P(w_t | w_1 … w_{t-1}) of each row of a batch, from zero states and with dropout off. Targets
 * that are left out (-100, as past a row's end, or 0 in the mask) do not count. Of a `Seq2Seq` it is ln P(target | source).
 * @example await logProbability(model, sentenceBatch([[3, 1, 2], [4]], { end: 0 }), { backend })
 * @throws RnnError `shape` or `data` if the batch does not fit the model, if its mask has other numbers than 0 and 1, or
 * if no token counts
 */
export async function logProbability(model: Module, given: BatchLike, options: { backend: Backend }): Promise<RowProbabilities> {
  const { backend } = takeOptions("logProbability", options, ["backend"], { needed: true });
  const session = Session.of(model, backend);
  const loss = crossEntropy({ reduction: "sum" });
  const recorder = new LossRecorder(session, loss, new CarriedStates(backend), false);
  const batch = recorder.take(given);
  const { program, context, release } = await recorder.prepare(batch);
  try {
    const B = batchOf(model, batch.inputs.input.shape);
    checkShape(
      "logProbability",
      "the model's output",
      context.output.shape,
      model.batchFirst ? [B, "steps", "tokens"] : ["steps", B, "tokens"],
    );
    const inputs = recorder.inputs(context, batch, recorder.normalizer(batch), 0, 0);
    const mask = batch.mask?.data;
    // Weights between 0 and 1 make no sense for probabilities.
    if (mask) checkIds("logProbability", "mask", mask, 2);
    const { shape, data } = batch.targets;
    const counts = Array.from(data, (target, i) => (target === -100 || mask?.[i] === 0 ? 0 : 1));
    if (!counts.includes(1)) throw new RnnError("data", "logProbability", "targets must have at least one token that counts, got none");
    const { downloads } = await session.run(program, inputs);
    const { losses } = await downloads;
    const [rows, steps] = model.batchFirst ? shape : [shape[1], shape[0]];
    const [row, step] = model.batchFirst ? [steps, 1] : [1, rows];
    const over = (b: number, term: (i: number) => number): number =>
      Array.from({ length: steps }, (_, t) => term(b * row + t * step)).reduce((a, c) => a + c, 0);
    const logProbabilities = Array.from({ length: rows }, (_, b) => -over(b, (i) => losses[i]));
    const tokens = Array.from({ length: rows }, (_, b) => over(b, (i) => counts[i]));
    const total = (list: number[]): number => list.reduce((a, c) => a + c, 0);
    return { logProbabilities, tokens, perplexity: Math.exp(-total(logProbabilities) / total(tokens)) };
  } finally {
    release();
    recorder.dispose();
  }
}
