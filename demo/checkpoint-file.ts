/** What the page adds to a checkpoint's metadata, so that a file alone is enough to build its model again. */
import { RnnError, Vocabulary, type StateDict } from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import type { Settings, Text } from "./messages.ts";
import { checkSettings } from "./settings.ts";
import { checkParameters, parameterCount } from "./size.ts";
import { shortName } from "./text-file.ts";

/** The text that a model was trained on, recognised without keeping it. */
export interface TextMark {
  readonly name: string;
  readonly characters: number;
  readonly hash: string;
}

export interface Description {
  readonly settings: Settings;
  readonly vocabulary: Vocabulary;
  readonly text: TextMark;
}

/** FNV-1a over UTF-16 units: enough to tell one text from another. */
export function markOf({ name, text }: Text): TextMark {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return { name: shortName(name), characters: text.length, hash: (hash >>> 0).toString(16) };
}

export function toMetadata({ settings, vocabulary, text }: Description): Record<string, string> {
  return { settings: JSON.stringify(settings), vocabulary: JSON.stringify(vocabulary.characters), text: JSON.stringify(text) };
}

export interface OpenedFile extends Description {
  readonly step: number;
  readonly parameters: StateDict;
}

/** More steps than anyone has trained; counting up from much larger numbers would fail. */
const mostSteps = 1e12;

/**
 * All that can be known of a file without making its model. What a model of its settings would take is bounded by the
 * numbers that the file does hold.
 * @throws RnnError `format`, in words, for a file that is truncated, foreign or was not made by this page
 */
export function readCheckpoint(file: Uint8Array<ArrayBuffer>): OpenedFile {
  const { tensors, metadata } = decodeSafetensors(file);
  const settings = readSettings(parse(metadata, "settings"));
  const vocabulary = readVocabulary(parse(metadata, "vocabulary"));
  const text = readMark(parse(metadata, "text"));
  const step = Number(metadata.step);
  if (!/^\d+$/.test(metadata.step ?? "") || step > mostSteps) throw foreign("its step is no count of steps");
  const parameters = Object.fromEntries(Object.entries(tensors).filter(([name]) => !/^(optimizer|carried)\./.test(name)));
  const expected = parameterCount(settings, vocabulary.size);
  const found = Object.values(parameters).reduce((sum, { data }) => sum + data.length, 0);
  if (found !== expected)
    throw foreign(
      `a network of its settings has ${expected.toLocaleString("en")} parameters, the file holds ${found.toLocaleString("en")}`,
    );
  saying(() => checkParameters(settings, vocabulary.size));
  for (const [name, { data }] of Object.entries(tensors)) {
    if (!data.every(Number.isFinite)) throw foreign(`its "${shortName(name)}" holds a number that is not finite`);
  }
  return { settings, vocabulary, text, step, parameters };
}

function readSettings(found: object): Settings {
  const { cell, embedding, hidden, layers, batch, window, learningRate, seed } = found as Settings;
  const settings = { cell, embedding, hidden, layers, batch, window, learningRate, seed };
  saying(() => checkSettings(settings));
  return settings;
}

function readVocabulary(found: object): Vocabulary {
  return saying(() => new Vocabulary(found as string[]));
}

function readMark(found: object): TextMark {
  const { name, characters, hash } = found as TextMark;
  if (typeof name !== "string" || !Number.isSafeInteger(characters) || characters < 0 || typeof hash !== "string")
    throw foreign("it does not say which text it learnt from");
  return { name: shortName(name), characters, hash };
}

/** An error about a part of the file becomes an error about the file. */
function saying<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof RnnError) throw foreign(error.message);
    throw error;
  }
}

function parse(metadata: Readonly<Record<string, string>>, name: string): object {
  if (!Object.hasOwn(metadata, name)) throw foreign(`its metadata has no "${name}"`);
  try {
    const value: unknown = JSON.parse(metadata[name]);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw foreign(`its "${name}" cannot be read`);
}

function foreign(why: string): RnnError {
  return new RnnError("format", "checkpoint", `this file does not come from this page, or was damaged: ${why}`);
}
