import type { Backend } from "../backend/backend.ts";
import { Vocabulary } from "../data/vocabulary.ts";
import { checkFunction, checkInteger, checkNumber, checkSignal, checkSize, RnnError, show } from "../errors.ts";
import type { Module } from "../nn/module.ts";
import { isA, takeOptions } from "../options.ts";
import { checkParts } from "../session/session.ts";
import { idsBelow, takeList, type Numbers } from "../tensor/take.ts";
import { checkIds } from "../tensor/tensor.ts";

/** Options of a generation. */
export interface SamplingOptions {
  backend: Backend;
  /** Number of tokens to draw (default 100). */
  length?: number;
  /** Divides the logits: below 1 bolder, above 1 wilder, 0 always the likeliest (default 1). */
  temperature?: number;
  /** Draw from the k likeliest tokens only (default: all). */
  topK?: number;
  /** The same seed draws the same tokens (default 0). */
  seed?: number;
  /** Drawing this id ends the generation, e.g. the end of a sentence. It is not in the result. */
  stop?: number;
  /** Ends the generation after the tokens in flight. */
  signal?: AbortSignal;
}

/**
 * Draws tokens from a next-token model, in pieces of up to 32. States, logits and sampling stay on the device; nothing
 * is read back within a piece.
 * @param prompt the ids before the generated ones; at least one
 * @throws RnnError `data` if the prompt is empty or has ids outside the model's, `option` for options out of range
 */
export function generateTokens(model: Module, prompt: Numbers, options: SamplingOptions): AsyncGenerator<Uint32Array, void, undefined> {
  const taken = takeSampling(model, prompt, options);
  return (async function* () {
    const { drawTokens } = await import("./sampling.ts");
    yield* drawTokens(model, taken);
  })();
}

/** The checked arguments of `generateTokens`. */
export interface Sampling {
  readonly backend: Backend;
  readonly prompt: Uint32Array;
  readonly length: number;
  /** 0 for the likeliest token. */
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  readonly seed: number;
  readonly stop: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Most tokens of one call: the longest string that JavaScript has. */
const mostTokens = 2 ** 28;

function takeSampling(model: Module, prompt: unknown, given: SamplingOptions): Sampling {
  const where = "generate";
  const {
    backend,
    length = 100,
    temperature = 1,
    topK,
    seed = 0,
    stop,
    signal,
  } = takeOptions(where, given, ["backend", "length", "temperature", "topK", "seed", "stop", "signal"], { needed: true });
  checkSize(where, "length", length, 0, mostTokens);
  checkNumber(where, "temperature", temperature, { least: 0 });
  if (topK !== undefined) checkInteger(where, "topK", topK, 1);
  checkInteger(where, "seed", seed, 0);
  checkSignal(where, signal);
  checkParts(model, backend);
  if (model.readsBackwards)
    throw new RnnError(
      "option",
      where,
      "needs layers that read forwards only: the end of the text, where others begin, is yet to be drawn",
    );
  if (model.idCount === undefined)
    throw new RnnError("option", where, "needs a model whose input is ids: one that starts with an Embedding");
  const ids = takeList(where, "prompt", prompt, idsBelow(model.idCount), "a list of ids") as Uint32Array;
  if (ids.length === 0) throw new RnnError("data", where, "prompt must have at least one token");
  if (stop !== undefined) checkIds(where, "stop", [stop], model.idCount);
  // Dividing by less would overflow, and the draw is the likeliest token anyway.
  return { backend, prompt: ids, length, temperature: temperature < 1e-4 ? 0 : temperature, topK: topK ?? 0, seed, stop, signal };
}

/**
 * Draws text from a character model, `length` characters or up to the first `stop`.
 * @example await generate(model, { backend, vocabulary, prompt: "Call me", length: 200, temperature: 0.8 })
 * @param options.prompt the text before the generated one (default: the first character of the vocabulary); it is not
 * in the result
 * @param options.onText called with each piece as it arrives
 * @throws RnnError `data` if the prompt has a character outside the vocabulary
 */
export async function generate(
  model: Module,
  given: Omit<SamplingOptions, "stop"> & { vocabulary: Vocabulary; prompt?: string; stop?: string; onText?: (text: string) => void },
): Promise<string> {
  const options = takeOptions(
    "generate",
    given,
    ["backend", "length", "temperature", "topK", "seed", "stop", "signal", "vocabulary", "prompt", "onText"],
    { needed: true },
  );
  checkParts(model, options.backend);
  if (!isA(options.vocabulary, Vocabulary))
    throw new RnnError("option", "generate", `vocabulary must be a Vocabulary, got ${show(options.vocabulary)}`);
  const { vocabulary, prompt = vocabulary.characters[0], stop: end, onText, ...rest } = options;
  const stop = end === undefined ? undefined : vocabulary.encode(end);
  if (stop !== undefined && stop.length !== 1) throw new RnnError("option", "generate", `stop must be one character, got ${show(end)}`);
  const sampling: SamplingOptions = { ...rest, stop: stop?.[0] };
  if (onText !== undefined) checkFunction("generate", "onText", onText);
  if (model.idCount !== undefined && model.idCount !== vocabulary.size)
    throw new RnnError("option", "generate", `vocabulary must have the model's ${model.idCount} characters, got ${vocabulary.size}`);
  let text = "";
  for await (const tokens of generateTokens(model, vocabulary.encode(prompt), sampling)) {
    const piece = vocabulary.decode(tokens);
    text += piece;
    onText?.(piece);
  }
  return text;
}
