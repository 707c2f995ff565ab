/** What a model is made of and what it runs on, as the visitor gives it: files, constants, tables, audio, text. */
import { RnnError } from "webgpu-rnn";
import { block, byId, choose, chosen, input, radios, say } from "../dom.ts";
import type { ModelInfo, Source } from "./messages.ts";
import { parseRows } from "./numbers.ts";

/** Bytes of the largest files that are read. */
const mostBytes = 2 ** 30;
/** Seconds of audio that a model runs on. */
const mostSeconds = 4;

/** @throws RnnError `data` for files that are too large, or that cannot be read */
export async function readFiles(files: readonly File[]): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > mostBytes) throw new RnnError("data", files[0].name, `the files have ${size} bytes; a model may have up to ${mostBytes}`);
  const read = files.map(async (file) => {
    const bytes = await file.arrayBuffer().catch(() => undefined);
    if (!bytes) throw new RnnError("data", file.name, "it cannot be read; it may be a folder, or have changed since it was chosen");
    return [file.name, new Uint8Array(bytes)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

/** "sr=16000, n=2" @throws RnnError `option` */
export function readConstants(text: string): Record<string, number> {
  const parts = text.split(/[,;\s]+/).filter((part) => part !== "");
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, value] = /^(.+)=(.+)$/.exec(part) ?? [];
      if (name === undefined || !Number.isFinite(Number(value)))
        throw new RnnError("option", "Fixed inputs", `must be names and numbers, such as sr=16000, got ${JSON.stringify(part)}`);
      return [name, Number(value)];
    }),
  );
}

export class SourceForm {
  private audio: { readonly name: string; readonly bytes: ArrayBuffer } | undefined;
  private readonly table = byId("table", HTMLTextAreaElement);

  /** @param refuse says what is wrong with a file */
  constructor(private readonly refuse: (error: unknown) => void) {
    for (const radio of radios("source")) radio.addEventListener("change", () => this.show());
    input("table-file").addEventListener(
      "change",
      () => void this.take("table-file", async (file) => void (this.table.value = await file.text())),
    );
    input("audio-file").addEventListener(
      "change",
      () =>
        void this.take("audio-file", async (file) => {
          this.audio = { name: file.name, bytes: await file.arrayBuffer() };
          say(block("audio-note"), `${file.name}: its first channel, at most ${mostSeconds} seconds of it.`);
        }),
    );
  }

  /** Chooses what suits a model: text for one of characters, else a sample. */
  suit({ hasTokens }: ModelInfo): void {
    choose("source", hasTokens ? "text" : "sample");
    this.show();
  }

  private show(): void {
    for (const { value } of radios("source")) block(`source-${value}`).hidden = value !== chosen("source");
  }

  private async take(id: string, use: (file: File) => Promise<void>): Promise<void> {
    const file = input(id).files?.[0];
    try {
      if (file) await use(file);
    } catch (error) {
      this.refuse(error);
    }
    input(id).value = "";
  }

  /** @throws RnnError `data` */
  async read(): Promise<Source> {
    switch (chosen("source")) {
      case "table":
        return { kind: "numbers", name: "The table", ...parseRows(this.table.value) };
      case "audio":
        return this.decode();
      case "text":
        return { kind: "text", text: byId("text", HTMLTextAreaElement).value };
      default:
        return { kind: "sample" };
    }
  }

  private async decode(): Promise<Source> {
    if (!this.audio) throw new RnnError("data", "Audio", "choose an audio file first");
    const { name, bytes } = this.audio;
    const rate = input("rate").valueAsNumber;
    if (!(rate >= 8000 && rate <= 96000)) throw new RnnError("option", "Samples per second", `must be from 8000 to 96000, got ${rate}`);
    // It resamples to its own rate; the bytes are a copy, which decoding takes away.
    const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes.slice(0)).catch(() => undefined);
    if (!decoded) throw new RnnError("data", name, "the browser cannot decode it as audio");
    return { kind: "numbers", columns: 1, values: decoded.getChannelData(0).slice(0, rate * mostSeconds), name };
  }
}
