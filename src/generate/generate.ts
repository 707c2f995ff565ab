import type { Backend } from "../backend/backend.ts";
import { Vocabulary } from "../data/vocabulary.ts";
import { checkFunction, checkOptionNames, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { Session } from "../session/session.ts";

/** How tokens are drawn, and how many. */
export interface SamplingOptions {
  backend: Backend;
  /** Tokens to draw (default 100). */
  length?: number;
  /** Divides the logits: below 1 bolder, above 1 wilder, 0 always the likeliest (default 1). */
  temperature?: number;
  /** Draw from the k likeliest tokens only (default: all). */
  topK?: number;
  /** The same seed draws the same tokens (default 0). */
  seed?: number;
  /** Ends the generation when it is drawn, e.g. the end of a sentence; it is not in the result. */
  stop?: number;
  /** Ends the generation after the tokens on their way. */
  signal?: AbortSignal;
}

/**
 * Draws tokens from a model of the next token, in pieces of up to 32. State, logits and sampling stay on the device;
 * nothing is read back within a piece.
 * @param prompt ids that come before; at least one
 * @throws RnnError `data` if the prompt is empty or has ids outside the model's, `option` for options out of range
 */
export async function* generateTokens(model: Module, prompt: ArrayLike<number>, options: SamplingOptions): AsyncGenerator<Uint32Array, void, undefined> {
  const { drawTokens } = await import("./sampling.ts");
  yield* drawTokens(model, prompt, options);
}

/**
 * Draws text from a character model, `length` characters or up to the first `stop`.
 * @example await generate(model, { backend, vocabulary, prompt: "Call me", length: 200, temperature: 0.8 })
 * @param options.prompt text that comes before (default the first character of the vocabulary); it is not in the result
 * @param options.onText called with each piece as it comes
 * @throws RnnError `data` if the prompt has a character outside the vocabulary
 */
export async function generate(model: Module, options: Omit<SamplingOptions, "stop"> & { vocabulary: Vocabulary; prompt?: string; stop?: string; onText?: (text: string) => void }): Promise<string> {
  checkOptionNames("generate", options, ["backend", "length", "temperature", "topK", "seed", "stop", "signal", "vocabulary", "prompt", "onText"], { needed: true });
  Session.of(model, options.backend);
  if (!(options.vocabulary instanceof Vocabulary)) throw new RnnError("option", "generate", `vocabulary must be a Vocabulary, got ${show(options.vocabulary)}`);
  const { vocabulary, prompt = vocabulary.characters[0], stop: end, onText, ...rest } = options;
  const stop = end === undefined ? undefined : vocabulary.encode(end);
  if (stop !== undefined && stop.length !== 1) throw new RnnError("option", "generate", `stop must be one character, got ${show(end)}`);
  const sampling: SamplingOptions = { ...rest, stop: stop?.[0] };
  if (onText !== undefined) checkFunction("generate", "onText", onText);
  if (model.idCount !== undefined && model.idCount !== vocabulary.size) throw new RnnError("option", "generate", `vocabulary must have the model's ${model.idCount} characters, got ${vocabulary.size}`);
  let text = "";
  for await (const tokens of generateTokens(model, vocabulary.encode(prompt), sampling)) {
    const piece = vocabulary.decode(tokens);
    text += piece;
    onText?.(piece);
  }
  return text;
}
