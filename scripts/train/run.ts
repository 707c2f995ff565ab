/** One run: data, model and trainer from the options; the loop; the sample; what is kept of it. */
import { createHash } from "node:crypto";
import {
  adam,
  adamw,
  createBackend,
  crossEntropy,
  Dropout,
  Embedding,
  generate,
  GRU,
  Linear,
  LSTM,
  nadam,
  RNN,
  RnnError,
  rmsprop,
  Sequential,
  sgd,
  TextData,
  Trainer,
  Vocabulary,
  type Backend,
  type MemoryUse,
  type Module,
  type Optimizer,
  type Progress,
} from "webgpu-rnn";
import { decodeSafetensors } from "webgpu-rnn/formats";
import { keep, type Options } from "./options.ts";
import { UserError } from "../user-error.ts";

/** A checkpoint that this program has written. */
export interface Resumed {
  readonly bytes: Uint8Array;
  readonly options: string;
  readonly vocabulary: Vocabulary;
  readonly text: string;
}

/** @throws UserError unless this program wrote the file */
export function readResumed(path: string, bytes: Uint8Array): Resumed {
  try {
    const { metadata } = decodeSafetensors(bytes);
    const { options, vocabulary, text } = metadata as Partial<Record<string, string>>;
    if (options === undefined || vocabulary === undefined || text === undefined) {
      throw new UserError(
        `--resume ${JSON.stringify(path)}: its metadata lacks ${["options", "vocabulary", "text"].find((key) => !Object.hasOwn(metadata, key))}; only a file from --out can be resumed`,
      );
    }
    return { bytes, options, vocabulary: new Vocabulary(Array.from(vocabulary)), text };
  } catch (error) {
    if (error instanceof RnnError) throw new UserError(`--resume ${JSON.stringify(path)}: ${error.message}`);
    throw error;
  }
}

/** The parts' names are those that checkpoints of PyTorch models commonly have, so that the file loads there by name. */
export function buildModel(options: Options, size: number): Sequential {
  const { cell, reset, embedding, hidden, layers, dropout, seed } = options;
  const common = { numLayers: layers, dropout: layers > 1 ? dropout : 0 };
  const rnn =
    cell === "lstm"
      ? new LSTM(embedding, hidden, common)
      : cell === "gru"
        ? new GRU(embedding, hidden, { ...common, reset })
        : new RNN(embedding, hidden, common);
  return new Sequential(
    {
      embedding: new Embedding(size, embedding),
      rnn,
      ...(dropout > 0 ? { dropout: new Dropout(dropout) } : {}),
      linear: new Linear(hidden, size),
    },
    { seed },
  );
}

function buildOptimizer({ optimizer, lr: learningRate }: Options): Optimizer {
  switch (optimizer) {
    case "adam":
      return adam({ learningRate });
    case "adamw":
      return adamw({ learningRate });
    case "nadam":
      return nadam({ learningRate });
    case "rmsprop":
      return rmsprop({ learningRate });
    case "sgd":
      return sgd({ learningRate });
  }
}

/** Data for training, and the end of the text for validation if so asked. */
function buildData(
  text: string,
  { batch, length, validation }: Options,
  vocabulary: Vocabulary | undefined,
): { train: TextData; test?: TextData } {
  const characters = Array.from(text).length;
  const needed = batch * length + 1;
  const forTraining = Math.floor(characters * (1 - validation));
  const kept = validation === 0 ? characters : Math.min(forTraining, characters - forTraining);
  if (kept < needed) {
    const part = validation === 0 ? "" : `, of which --validation ${validation} leaves a part of ${kept}`;
    throw new UserError(
      `the text has ${characters} characters${part}, but --batch ${batch} and --length ${length} need at least ${needed}; use a longer text, or less of either`,
    );
  }
  const whole = TextData.from(text, { batch, steps: length, vocabulary });
  return validation === 0 ? { train: whole } : whole.split(validation);
}

export class Run {
  readonly losses: number[] = [];
  /** Steps that were done before this run. */
  firstStep = 0;
  readonly prompt: string;
  sample = "";
  seconds = 0;
  private readonly trainer: Trainer;
  private readonly textHash: string;

  private constructor(
    readonly options: Options,
    backend: Backend,
    readonly model: Module,
    readonly characters: number,
    private readonly data: { train: TextData; test?: TextData },
    text: string,
  ) {
    const { clip, seed } = options;
    this.trainer = new Trainer(model, {
      backend,
      data: data.train,
      loss: crossEntropy(),
      optimizer: buildOptimizer(options),
      clipNorm: clip === 0 ? undefined : clip,
      seed,
    });
    this.prompt = options.prompt ?? String.fromCodePoint(text.codePointAt(0)!);
    this.textHash = hashOf(text);
  }

  /** @throws UserError or RnnError before any training if something does not fit */
  static async prepare(text: string, options: Options, resumed?: Resumed): Promise<Run> {
    const data = buildData(text, options, resumed?.vocabulary);
    const { vocabulary } = data.train;
    try {
      if (options.prompt !== undefined) vocabulary.encode(options.prompt);
    } catch (error) {
      throw new UserError(`--prompt: ${(error as Error).message}`);
    }
    const model = buildModel(options, vocabulary.size);
    const backend = await createBackend(options.backend);
    const run = new Run(options, backend, model, data.train.tokens.length + (data.test?.tokens.length ?? 0), data, text);
    if (resumed) await run.trainer.restore(resumed.bytes);
    run.firstStep = run.trainer.step;
    return run;
  }

  /** Another one after the first was lost. */
  get backend(): Backend {
    return this.trainer.backend;
  }

  get vocabulary(): Vocabulary {
    return this.data.train.vocabulary;
  }

  /** True if the text differs from the one before. */
  static changesText(text: string, resumed: Resumed): boolean {
    return hashOf(text) !== resumed.text;
  }

  /** Trains; `onStep` is awaited, so that it may write a checkpoint. */
  async train(signal: AbortSignal, onStep: (progress: Progress) => Promise<void> | void): Promise<void> {
    const started = performance.now();
    try {
      for await (const progress of this.trainer.run({ steps: this.options.steps, signal })) {
        this.losses.push(progress.loss);
        await onStep(progress);
      }
    } finally {
      this.seconds = (performance.now() - started) / 1000;
    }
  }

  /** Of a training step on the device. */
  plannedMemory(): Promise<MemoryUse> {
    return this.trainer.plannedMemory();
  }

  checkpoint(): Promise<Uint8Array> {
    return this.trainer.checkpoint({ options: keep(this.options), vocabulary: this.vocabulary.toString(), text: this.textHash });
  }

  /** Draws the sample. */
  async draw(signal: AbortSignal, onText: (piece: string) => void): Promise<void> {
    const { sample: length, temperature, seed } = this.options;
    this.sample = await generate(this.model, {
      backend: this.backend,
      vocabulary: this.vocabulary,
      prompt: this.prompt,
      length,
      temperature,
      seed,
      signal,
      onText,
    });
  }

  /** Loss on the part of the text that training has not seen. */
  validate(): ReturnType<Trainer["evaluate"]> | undefined {
    return this.data.test && this.trainer.evaluate(this.data.test);
  }

  get tokensPerStep(): number {
    return this.options.batch * this.options.length;
  }

  destroy(): void {
    this.backend.destroy();
  }
}

const hashOf = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`;
