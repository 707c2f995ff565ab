/** One model with its backend, its text and its training. Lives in the worker. */
import { RnnError, type Backend, type Sequential, type Trainer, type Vocabulary } from "webgpu-rnn";
import { markOf, readCheckpoint, toMetadata, type Description } from "./checkpoint-file.ts";
import type { ModelInfo, Planned, Sampling, Settings, StepReport, Text } from "./messages.ts";
import { makeModel, makeTrainer, write } from "./model.ts";
import { Reading, readText } from "./reading.ts";
import { checkSettings } from "./settings.ts";
import { bytesOfParameters, checkParameters, checkStep } from "./size.ts";

/** More steps than anyone waits for; training ends when the visitor stops it. */
const endless = 1e9;

export class Run {
  readonly model: Sequential;
  /** May be changed while training. */
  learningRate: number;
  private readonly settings: Settings;
  private readonly vocabulary: Vocabulary;
  private readonly trainer: Trainer;
  private samples = 0;

  private constructor(
    description: Omit<Description, "text">,
    readonly backend: Backend,
    private readonly reading: Reading,
  ) {
    ({ settings: this.settings, vocabulary: this.vocabulary } = description);
    this.learningRate = this.settings.learningRate;
    this.model = makeModel(this.settings, this.vocabulary.size);
    this.trainer = makeTrainer(this.model, backend, reading, this.settings.seed, () => this.learningRate);
  }

  /**
   * A new model for a text.
   * @param planned called with the memory it will take, before it takes it
   * @throws RnnError in the page's words, if settings, text or size cannot be used
   */
  static async create(settings: Settings, text: Text, backend: Backend, planned: (size: Planned) => void): Promise<Run> {
    checkSettings(settings);
    const data = readText(text, settings);
    const { vocabulary } = data;
    const parameters = checkParameters(settings, vocabulary.size);
    planned({ parameters, bytes: bytesOfParameters(parameters) });
    const reading = new Reading(settings, vocabulary, markOf(text));
    reading.take(text, 0, data);
    const run = new Run({ settings, vocabulary }, backend, reading);
    planned({ parameters, bytes: await run.checkMemory() });
    return run;
  }

  /**
   * The model of a checkpoint. If `text` is the one it was trained on, training can go on at once.
   * @throws RnnError, in words, if the file cannot be used
   */
  static async open(file: Uint8Array<ArrayBuffer>, text: Text | null, backend: Backend): Promise<Run> {
    const opened = readCheckpoint(file);
    const reading = new Reading(opened.settings, opened.vocabulary, opened.text);
    if (text && !reading.isOther(text)) reading.take(text, opened.step);
    return Run.restored(opened, file, backend, reading);
  }

  /** The same run on another backend. */
  async moveTo(backend: Backend): Promise<Run> {
    const { vocabulary, learningRate } = this;
    return Run.restored({ settings: { ...this.settings, learningRate }, vocabulary }, await this.checkpoint(), backend, this.reading);
  }

  private static async restored(
    description: Omit<Description, "text">,
    file: Uint8Array<ArrayBuffer>,
    backend: Backend,
    reading: Reading,
  ): Promise<Run> {
    const run = new Run(description, backend, reading);
    await run.checkMemory();
    await run.trainer.restore(file);
    return run;
  }

  get step(): number {
    return this.trainer.step;
  }

  get textName(): string {
    return this.reading.about.name;
  }

  info(): ModelInfo {
    const { settings, learningRate, vocabulary, step, textName } = this;
    return {
      settings: { ...settings, learningRate },
      parameters: this.model.parameterCount,
      vocabulary: vocabulary.size,
      step,
      textName,
      hasText: this.reading.hasText,
    };
  }

  /**
   * Reads this text from now on, if it is another one. @throws RnnError `data` if it does not suit; the text before
   * stays then
   */
  read(text: Text): void {
    if (!this.reading.hasText || this.reading.isOther(text)) this.reading.take(text, this.step);
  }

  /** Trains until `signal`; `between` is awaited after each step and may use the model. */
  async train(signal: AbortSignal, between: (report: StepReport) => Promise<void>): Promise<void> {
    if (!this.reading.hasText) throw new RnnError("data", "Text", "choose a text to train on first");
    for await (const { step, loss } of this.trainer.run({ steps: endless, signal })) await between({ step, loss });
  }

  /** The characters of a prompt that the model knows, and those that it does not. */
  knownPart(prompt: string): { known: string; unknown: string } {
    const isKnown = (c: string): boolean => this.vocabulary.characters.includes(c);
    const characters = Array.from(prompt);
    return { known: characters.filter(isKnown).join(""), unknown: [...new Set(characters.filter((c) => !isKnown(c)))].join("") };
  }

  /** Pieces of a sample. Each sample of a run has another seed. */
  write(sampling: Sampling, signal?: AbortSignal): AsyncGenerator<string> {
    return write(this.model, this.backend, this.vocabulary, sampling, this.settings.seed + ++this.samples, signal);
  }

  /** Everything needed to continue elsewhere, as a file. */
  checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    const settings = { ...this.settings, learningRate: this.learningRate };
    return this.trainer.checkpoint(toMetadata({ settings, vocabulary: this.vocabulary, text: this.reading.about }));
  }

  /** Bytes that a training step takes. @throws RnnError `limit` if they are too many */
  private async checkMemory(): Promise<number> {
    // The host holds the parameters, and sometimes two copies for a checkpoint.
    const bytes = (await this.trainer.plannedMemory()).total + 12 * this.model.parameterCount;
    checkStep(bytes);
    return bytes;
  }
}
