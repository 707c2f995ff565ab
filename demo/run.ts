/** One model with its backend, its text and its training. Lives in the worker. */
import { RnnError, TextData, type Backend, type Sequential, type Trainer } from "webgpu-rnn";
import { isSameText, markOf, readCheckpoint, toMetadata, type Description, type TextMark } from "./checkpoint-file.ts";
import type { ModelInfo, Sampling, Settings, StepReport, Text } from "./messages.ts";
import { makeModel, makeTrainer, write } from "./model.ts";
import { checkSettings } from "./settings.ts";

/** More than anybody waits for; training ends when the visitor says so. */
const endless = 1e9;

export class Run {
  readonly model: Sequential;
  /** May be changed while training. */
  learningRate: number;
  private readonly settings: Settings;
  private readonly vocabulary: Description["vocabulary"];
  private mark: TextMark;
  /** There is none while the text that goes with a checkpoint is not at hand. */
  private trainer: Trainer | undefined;
  /** The text that `trainer` reads. */
  private text: Text | null = null;
  /** The file that the trainer is to go on from. */
  private file: Uint8Array<ArrayBuffer> | null = null;
  private stepOfFile = 0;
  private samples = 0;

  private constructor(description: Description, readonly backend: Backend) {
    ({ settings: this.settings, vocabulary: this.vocabulary, text: this.mark } = description);
    this.learningRate = this.settings.learningRate;
    this.model = makeModel(this.settings, this.vocabulary.size);
  }

  /** A new model for a text. */
  static create(settings: Settings, text: Text, backend: Backend): Run {
    checkSettings(settings);
    const data = TextData.from(text.text, { batch: settings.batch, steps: settings.window });
    const run = new Run({ settings, vocabulary: data.vocabulary, text: markOf(text) }, backend);
    run.attach(text, data);
    return run;
  }

  /** The model of a checkpoint. If `text` is the one it was trained on, training can go on at once. */
  static open(file: Uint8Array<ArrayBuffer>, text: Text | null, backend: Backend): Run {
    const opened = readCheckpoint(file);
    const run = new Run(opened, backend);
    run.model.loadStateDict(opened.parameters);
    run.file = file;
    run.stepOfFile = opened.step;
    if (text && isSameText(markOf(text), opened.text)) run.attach(text);
    return run;
  }

  get step(): number {
    return this.trainer?.step ?? this.stepOfFile;
  }

  info(): ModelInfo {
    const { settings, learningRate, mark } = this;
    const cannotTrain = this.trainer ? null : `This model was trained on “${mark.name}” (${mark.characters.toLocaleString("en")} characters), which is not the text chosen here. It can write; Continue trains it on the chosen text.`;
    return { settings: { ...settings, learningRate }, parameters: this.model.parameterCount, vocabulary: this.vocabulary.size, step: this.step, textName: mark.name, cannotTrain };
  }

  /** Trains until `signal`; `between` is awaited after each step and may use the model. */
  async train(text: Text | null, signal: AbortSignal, between: (report: StepReport) => Promise<void>): Promise<void> {
    if (!this.trainer) {
      if (!text) throw new RnnError("data", "Text", "choose a text to train on first");
      this.attach(text);
    }
    for await (const { step, loss } of this.trainer!.run({ steps: endless, signal })) await between({ step, loss });
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

  /** Everything that is needed to go on elsewhere, as a file. */
  async checkpoint(): Promise<Uint8Array<ArrayBuffer>> {
    if (!this.trainer) return this.file!.slice();
    const settings = { ...this.settings, learningRate: this.learningRate };
    return this.trainer.checkpoint(toMetadata({ settings, vocabulary: this.vocabulary, text: this.mark }));
  }

  /** The same run on another backend. */
  async moveTo(backend: Backend): Promise<Run> {
    return Run.open(await this.checkpoint(), this.text, backend);
  }

  private attach(text: Text, data = TextData.from(text.text, { batch: this.settings.batch, steps: this.settings.window, vocabulary: this.vocabulary })): void {
    const trainer = makeTrainer(this.model, this.backend, data, this.settings.seed, () => this.learningRate);
    if (this.file) trainer.restore(this.file);
    this.trainer = trainer;
    this.text = text;
    this.mark = markOf(text);
    this.file = null;
  }
}
