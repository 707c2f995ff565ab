/** The training data: windows of a text, which may be exchanged between two steps. */
import { RnnError, TextData, Vocabulary, type Batch, type TrainingData } from "webgpu-rnn";
import { markOf, type TextMark } from "./checkpoint-file.ts";
import type { Settings, Text } from "./messages.ts";
import { labels } from "./settings.ts";
import { countCharacters } from "./text-file.ts";

type Window = Pick<Settings, "batch" | "window">;

/** @throws RnnError `data`, in the page's words, unless the text is long enough and has only characters that are known */
export function readText({ text }: Text, { batch, window }: Window, known?: Vocabulary): TextData {
  if (text === "") throw new RnnError("data", "Text", "there is none yet; paste some, choose a file, or learn from Moby Dick");
  const needed = batch * window + 1;
  const characters = countCharacters(text);
  if (characters < needed) {
    throw new RnnError(
      "data",
      labels.window,
      `${labels.batch} ${batch} times ${labels.window} ${window} needs a text of ${needed.toLocaleString("en")} characters, this one has ${characters.toLocaleString("en")}; choose a longer text, or a smaller ${labels.batch} or ${labels.window}`,
    );
  }
  const vocabulary = Vocabulary.of(text);
  if (known) checkKnown(vocabulary, known);
  return TextData.from(text, { batch, steps: window, vocabulary: known ?? vocabulary });
}

function checkKnown(vocabulary: Vocabulary, known: Vocabulary): void {
  const characters = new Set(known.characters);
  const unknown = vocabulary.characters.filter((c) => !characters.has(c));
  if (unknown.length === 0) return;
  const some = unknown
    .slice(0, 8)
    .map((c) => `“${c}”`)
    .join(", ");
  const more = unknown.length > 8 ? ` and ${unknown.length - 8} more` : "";
  throw new RnnError(
    "data",
    "Text",
    `it has characters that this network has never seen: ${some}${more}. Train a new network on it, or choose a text with the ${known.size} characters that this one knows`,
  );
}

/** The batches of a trainer. Without a text they are blank, which is enough to check a checkpoint. */
export class Reading implements TrainingData {
  private data: TextData | null = null;
  /** The step that reads the first window of a new text, and starts from zero states. */
  private begins = -1;

  constructor(
    private readonly window: Window,
    private readonly vocabulary: Vocabulary,
    private mark: TextMark,
  ) {}

  get batches(): number {
    return this.data?.batches ?? 1;
  }

  get hasText(): boolean {
    return this.data !== null;
  }

  /** A fingerprint of the last text; a checkpoint knows the text only by this. */
  get about(): TextMark {
    return this.mark;
  }

  /** True if this is another text than the last one. */
  isOther(text: Text): boolean {
    const { characters, hash } = markOf(text);
    return characters !== this.mark.characters || hash !== this.mark.hash;
  }

  /**
   * Reads this text from now on.
   * @param step training steps done so far
   * @throws RnnError `data` if it does not fit the network; then the old text stays
   */
  take(text: Text, step: number, data = readText(text, this.window, this.vocabulary)): void {
    if (this.isOther(text)) this.begins = step;
    this.data = data;
    this.mark = markOf(text);
  }

  batch(step: number, batchFirst: boolean): Batch {
    if (!this.data) return this.blank();
    const batch = this.data.batch(step, batchFirst);
    return step === this.begins ? { ...batch, startsSequence: true } : batch;
  }

  private blank(): Batch {
    const shape = [this.window.window, this.window.batch];
    const length = shape[0] * shape[1];
    return { input: { shape, data: new Uint32Array(length) }, targets: { shape, data: new Int32Array(length) }, startsSequence: true };
  }
}
