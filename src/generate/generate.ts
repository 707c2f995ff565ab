import type { Backend } from "../backend/backend.ts";
import { Vocabulary } from "../data/vocabulary.ts";
import { checkFunction, checkInteger, checkNumber, checkSize, reading, RnnError, show } from "../errors.ts";
import { checkSignal } from "../session/signal.ts";
import type { Module } from "../nn/module.ts";
import { checkStepsAlike } from "../nn/steps-alike.ts";
import { isA, takeOptions } from "../options.ts";
import { checkParts } from "../session/session.ts";
import { idsBelow, takeList, type Numbers } from "../tensor/take.ts";
import { checkIds } from "../tensor/tensor.ts";
import { drawTokens } from "./sampling.ts";

/** Options of a generation. */
export interface SamplingOptions {
  backend: Backend;
  /** Number of tokens to draw (default 100). */
  length?: number;
  /** Divides the logits: below 1 bolder, above 1 wilder, 0 always the likeliest (default 1). */
  temperature?: number;
  /** Draw from the k likeliest tokens only (default: all). */
  topK?: number;
  /** The same seed draws the same tokens (default 0). Several prompts may have one each. */
  seed?: number | readonly number[];
  /** Drawing this id ends the generation, e.g. the end of a sentence. It is not in the result. */
  stop?: number;
  /** Ends the generation after the tokens in flight. */
  signal?: AbortSignal;
}

/**
 * Draws tokens from a next-token model, in pieces of up to 32. States, logits and sampling stay on the device; nothing
 * is read back within a piece.
 * @param prompt the ids before the generated ones, at least one; or a list of prompts, which are continued together, each
 * as it would be alone
 * @returns pieces; of several prompts, lists with the tokens of each, none once it has ended
 * @throws RnnError `data` if a prompt is empty or has ids outside the model's, `option` for options out of range
 */
export function generateTokens(model: Module, prompt: Numbers, options: SamplingOptions): AsyncGenerator<Uint32Array, void, undefined>;
export function generateTokens(
  model: Module,
  prompts: readonly Numbers[],
  options: SamplingOptions,
): AsyncGenerator<Uint32Array[], void, undefined>;
export function generateTokens(
  model: Module,
  given: Numbers | readonly Numbers[],
  options: SamplingOptions,
): AsyncGenerator<Uint32Array | Uint32Array[], void, undefined> {
  const several = isListOfLists(given);
  const pieces = piecesOf(model, several ? given : [given], options, several);
  return several
    ? pieces
    : (async function* () {
        for await (const [piece] of pieces) yield piece;
      })();
}

/** @param several whether the caller gave a list of prompts */
function piecesOf(
  model: Module,
  prompts: readonly unknown[],
  options: SamplingOptions,
  several: boolean,
): AsyncGenerator<Uint32Array[], void, undefined> {
  return drawTokens(model, takeSampling(model, prompts, options, several));
}

/** Whether these are several prompts. */
const isListOfLists = (given: Numbers | readonly Numbers[]): given is readonly Numbers[] =>
  reading("data", "generate", "prompt", () => isA(given, Array) && typeof given[0] === "object");

/** The checked arguments of `generateTokens`. */
export interface Sampling {
  readonly backend: Backend;
  readonly prompts: readonly Uint32Array[];
  readonly length: number;
  /** 0 for the likeliest token. */
  readonly temperature: number;
  /** 0 for all. */
  readonly topK: number;
  /** Of each prompt. */
  readonly seeds: readonly number[];
  readonly stop: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Most tokens of one call: the longest string that JavaScript has. */
const mostTokens = 2 ** 28;

function takeSampling(model: Module, given: readonly unknown[], options: SamplingOptions, several: boolean): Sampling {
  const where = "generate";
  const {
    backend,
    length = 100,
    temperature = 1,
    topK,
    seed = 0,
    stop,
    signal,
  } = takeOptions(where, options, ["backend", "length", "temperature", "topK", "seed", "stop", "signal"], { needed: true });
  checkSize(where, "length", length, 0, mostTokens);
  checkNumber(where, "temperature", temperature, { least: 0 });
  if (topK !== undefined) checkInteger(where, "topK", topK, 1);
  const seeds = takeSeeds(where, seed, given.length, several);
  checkSignal(where, signal);
  checkParts(model, backend);
  if (model.readsBackwards)
    throw new RnnError(
      "option",
      where,
      "needs layers that read forwards only: the end of the text, where others begin, is yet to be drawn",
    );
  checkStepsAlike(where, model);
  if (model.idCount === undefined)
    throw new RnnError("option", where, "needs a model whose input is ids: one that starts with an Embedding");
  if (given.length === 0) throw new RnnError("data", where, "prompt must be one prompt, or a list of at least one");
  const { idCount } = model;
  const prompts = given.map((prompt, i) => {
    const name = several ? `prompt ${i}` : "prompt";
    const ids = takeList(where, name, prompt, idsBelow(idCount), "a list of ids") as Uint32Array;
    if (ids.length === 0) throw new RnnError("data", where, `${name} must have at least one token`);
    return ids;
  });
  if (stop !== undefined) checkIds(where, "stop", [stop], idCount);
  // Dividing by less would overflow, and the draw is the likeliest token anyway.
  return { backend, prompts, length, temperature: temperature < 1e-4 ? 0 : temperature, topK: topK ?? 0, seeds, stop, signal };
}

/** The seed of each prompt. @throws RnnError `option` */
function takeSeeds(where: string, seed: unknown, count: number, several: boolean): number[] {
  const isList = several && isA(seed, Array);
  if (isList && seed.length !== count)
    throw new RnnError("option", where, `seed must be a number, or one for each of the ${count} prompts, got ${seed.length}`);
  return Array.from({ length: count }, (_, i) => checkInteger(where, isList ? `seed ${i}` : "seed", isList ? seed[i] : seed, 0));
}

/** Options of `generate`. */
export type TextOptions = Omit<SamplingOptions, "stop"> & {
  vocabulary: Vocabulary;
  stop?: string;
  /** Called with each piece of text as it arrives, and with the place of its prompt in the list of prompts. */
  onText?: (text: string, prompt: number) => void;
};

/**
 * Draws text from a character model, `length` characters or up to the first `stop`.
 * @example await generate(model, { backend, vocabulary, prompt: "Call me", length: 200, temperature: 0.8 })
 * @param options.prompt the text before the generated one (default: the first character of the vocabulary); it is not
 * in the result. A list of texts is continued together, each as it would be alone
 * @returns the text, or the texts of a list of prompts
 * @throws RnnError `data` if a prompt has a character outside the vocabulary
 */
export async function generate(model: Module, options: TextOptions & { prompt?: string }): Promise<string>;
export async function generate(model: Module, options: TextOptions & { prompt: readonly string[] }): Promise<string[]>;
export async function generate(model: Module, given: TextOptions & { prompt?: string | readonly string[] }): Promise<string | string[]> {
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
  if (onText !== undefined) checkFunction("generate", "onText", onText);
  if (model.idCount !== undefined && model.idCount !== vocabulary.size)
    throw new RnnError("option", "generate", `vocabulary must have the model's ${model.idCount} characters, got ${vocabulary.size}`);
  const several = isA(prompt, Array);
  const ids = reading("data", "generate", "prompt", () => (several ? prompt : [prompt]).map((text) => vocabulary.encode(text as string)));
  const texts = ids.map(() => "");
  for await (const pieces of piecesOf(model, ids, { ...rest, stop: stop?.[0] }, several))
    for (const [i, tokens] of pieces.entries()) {
      if (tokens.length === 0) continue;
      const piece = vocabulary.decode(tokens);
      texts[i] += piece;
      onText?.(piece, i);
    }
  return several ? texts : texts[0];
}
