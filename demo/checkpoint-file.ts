/** What the page adds to a checkpoint's metadata, so that a file alone is enough to build its model again. */
import { decodeSafetensors, RnnError, Vocabulary, type StateDict } from "webgpu-rnn";
import type { Settings, Text } from "./messages.ts";
import { checkSettings } from "./settings.ts";

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
  return { name, characters: text.length, hash: (hash >>> 0).toString(16) };
}

export const isSameText = (a: TextMark, b: TextMark): boolean => a.characters === b.characters && a.hash === b.hash;

export function toMetadata({ settings, vocabulary, text }: Description): Record<string, string> {
  return { settings: JSON.stringify(settings), vocabulary: JSON.stringify(vocabulary.characters), text: JSON.stringify(text) };
}

export interface OpenedFile extends Description {
  readonly step: number;
  readonly parameters: StateDict;
}

/** @throws RnnError `format`, in words, for a file that is truncated, foreign or was not made by this page */
export function readCheckpoint(file: Uint8Array<ArrayBuffer>): OpenedFile {
  const { tensors, metadata } = decodeSafetensors(file);
  const settings = parse(metadata, "settings") as Settings;
  const characters = parse(metadata, "vocabulary");
  const text = parse(metadata, "text") as TextMark;
  if (!Array.isArray(characters) || !characters.every((c) => typeof c === "string")) throw foreign("its vocabulary is no list of characters");
  checkSettings(settings);
  const parameters = Object.fromEntries(Object.entries(tensors).filter(([name]) => !/^(optimizer|carried)\./.test(name)));
  return { settings, vocabulary: new Vocabulary(characters), text, step: Number(metadata.step), parameters };
}

function parse(metadata: Readonly<Record<string, string>>, name: string): unknown {
  if (!(name in metadata)) throw foreign(`its metadata has no "${name}"`);
  try {
    const value: unknown = JSON.parse(metadata[name]);
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Said below.
  }
  throw foreign(`its "${name}" cannot be read`);
}

function foreign(why: string): RnnError {
  return new RnnError("format", "checkpoint", `this safetensors file does not come from this page: ${why}`);
}
