import { checkBoolean, checkInteger, checkNumber, RnnError, show } from "../errors.ts";
import { isA, takeOptions } from "../options.ts";
import type { Batch, TrainingData } from "./batch.ts";
import { Vocabulary } from "./vocabulary.ts";

/**
 * A text as training data for a character model. The text is cut into `batch` pieces that are read side by side,
 * `steps` characters at a time. The targets are the next characters. Each row continues in the next window, so states
 * can be carried from one training step to the next.
 */
export class TextData implements TrainingData {
  readonly batches: number;
  /** Number of characters in each row. */
  private readonly rowLength: number;

  private constructor(
    readonly vocabulary: Vocabulary,
    readonly tokens: Uint32Array,
    readonly batchSize: number,
    readonly steps: number,
  ) {
    this.rowLength = Math.floor((tokens.length - 1) / batchSize);
    this.batches = Math.floor(this.rowLength / steps);
  }

  /**
   * @param options.batch rows read side by side (default 32)
   * @param options.steps characters per row and training step (default 64)
   * @param options.vocabulary characters and ids; by default those of the text
   * @throws RnnError `data` if the text is empty or too short, or has characters outside the vocabulary
   */
  static from(text: string, given: { batch?: number; steps?: number; vocabulary?: Vocabulary } = {}): TextData {
    const options = takeOptions("TextData", given, ["batch", "steps", "vocabulary"]);
    const batch = checkInteger("TextData", "batch", options.batch ?? 32, 1);
    const steps = checkInteger("TextData", "steps", options.steps ?? 64, 1);
    if (typeof text !== "string") throw new RnnError("data", "TextData", `text must be a string, got ${show(text)}`);
    if (text === "") throw new RnnError("data", "TextData", "text must not be empty");
    const vocabulary = options.vocabulary ?? Vocabulary.of(text);
    if (!isA(vocabulary, Vocabulary)) throw new RnnError("option", "TextData", `vocabulary must be a Vocabulary, got ${show(vocabulary)}`);
    const tokens = vocabulary.encode(text);
    const needed = batch * steps + 1;
    if (tokens.length < needed) {
      throw new RnnError(
        "data",
        "TextData",
        `text must have at least batch x steps + 1 = ${needed} characters, got ${tokens.length}; use a longer text, a smaller batch or fewer steps`,
      );
    }
    return new TextData(vocabulary, tokens, batch, steps);
  }

  /**
   * Cuts off the last `fraction` (0 to 1) of the text as separate data with the same vocabulary and window.
   * @throws RnnError `data` if a part is shorter than one window, `option` if the fraction is out of range
   */
  split(fraction: number): { train: TextData; test: TextData } {
    checkNumber("TextData", "fraction", fraction, { least: 0, most: 1 });
    const cut = Math.floor(this.tokens.length * (1 - fraction));
    const part = (tokens: Uint32Array): TextData => {
      const data = new TextData(this.vocabulary, tokens, this.batchSize, this.steps);
      if (data.batches < 1)
        throw new RnnError(
          "data",
          "TextData",
          `a fraction of ${fraction} leaves a part of ${tokens.length} characters, which is shorter than one window, ${this.batchSize} x ${this.steps} + 1`,
        );
      return data;
    };
    return { train: part(this.tokens.subarray(0, cut)), test: part(this.tokens.subarray(cut)) };
  }

  /**
   * Ids [steps, batch] (or batch first) of window `step` modulo `batches`, and as targets the ids of the next
   * characters.
   */
  batch(step: number, batchFirst = false): Batch {
    const { batchSize: B, steps: T, tokens } = this;
    checkBoolean("TextData", "batchFirst", batchFirst);
    const window = checkInteger("TextData", "step", step, 0) % this.batches;
    const input = new Uint32Array(T * B);
    const targets = new Int32Array(T * B);
    for (let t = 0; t < T; t++) {
      for (let b = 0; b < B; b++) {
        const at = b * this.rowLength + window * T + t;
        const to = batchFirst ? b * T + t : t * B + b;
        input[to] = tokens[at];
        targets[to] = tokens[at + 1];
      }
    }
    const shape = batchFirst ? [B, T] : [T, B];
    return { input: { shape, data: input }, targets: { shape, data: targets }, startsSequence: window === 0 };
  }
}
