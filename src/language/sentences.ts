/** Batches of sentences (any sequences of ids) of different lengths, padded to one length. Padding does not count. */
import type { Batch, TrainingData } from "../data/batch.ts";
import { checkBoolean, checkCount, checkInteger, RnnError } from "../errors.ts";
import { takeItems, takeOptions } from "../options.ts";
import { idsBelow, takeList, type Numbers } from "../tensor/take.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Ids of a sentence, without the end mark. */
export type Sentence = Numbers;
/** Copies of the sentences, as they were at the moment of the call. */
export type Sentences = readonly Uint32Array[];

/** The target that `crossEntropy` ignores by default. */
const left = -100;
/** Time steps are padded to a multiple of this, so that a few recordings serve all batches. */
const grain = 4;
/** Targets are signed 32-bit integers. */
const anyId = idsBelow(2 ** 31);

/** Copies and checks sentences as they are at this moment. @throws RnnError `data` unless they are sentences */
export function takeSentences(where: string, name: string, sentences: readonly Sentence[]): Sentences {
  const what = "a list of at least one sentence";
  const taken = takeItems(
    "data",
    where,
    name,
    what,
    sentences,
    (sentence, i) => takeList(where, `${name} ${i}`, sentence, anyId, "a list of ids") as Uint32Array,
  );
  if (taken.length === 0) throw new RnnError("data", where, `${name} must be ${what}, got []`);
  return taken;
}

/** Rows of different lengths as [steps, rows] (or rows first), padded with `filler`. */
export function padded<A extends Uint32Array | Int32Array>(
  rows: readonly ArrayLike<number>[],
  steps: number,
  batchFirst: boolean,
  filler: number,
  make: (length: number) => A,
): Tensor<A> {
  const data = make(checkCount("sentences", `a batch of ${rows.length} rows of ${steps} steps`, steps * rows.length)).fill(filler) as A;
  rows.forEach((row, b) => {
    for (let t = 0; t < row.length; t++) data[batchFirst ? b * steps + t : t * rows.length + b] = row[t];
  });
  return { shape: batchFirst ? [rows.length, steps] : [steps, rows.length], data };
}

/** Number of time steps for rows of these lengths. */
export const stepsFor = (rows: readonly { readonly length: number }[]): number =>
  Math.ceil(rows.reduce((most, { length }) => Math.max(most, length), 1) / grain) * grain;

const idsOf = (length: number): Uint32Array<ArrayBuffer> => new Uint32Array(length);

/** The input of a next-token model, which begins with `end`, and its targets, which end with it. */
export function shifted(sentences: Sentences, end: number, batchFirst: boolean): { input: Tensor; targets: Tensor; lengths: number[] } {
  const steps = stepsFor(sentences.map(({ length }) => ({ length: length + 1 })));
  return {
    input: padded(
      sentences.map((s) => [end, ...Array.from(s)]),
      steps,
      batchFirst,
      end,
      idsOf,
    ),
    targets: padded(
      sentences.map((s) => [...Array.from(s), end]),
      steps,
      batchFirst,
      left,
      (length) => new Int32Array(length),
    ),
    lengths: sentences.map(({ length }) => length + 1),
  };
}

/** Ids as a model's input, with the length of each row. */
export function source(sentences: Sentences, batchFirst: boolean): { input: Tensor; lengths: number[] } {
  return { input: padded(sentences, stepsFor(sentences), batchFirst, 0, idsOf), lengths: sentences.map(({ length }) => length) };
}

/** Indices in groups of `batch` with similar lengths, so that there is little padding. */
export function grouped(lengths: readonly number[], batch: number): number[][] {
  const order = [...lengths.keys()].sort((a, b) => lengths[a] - lengths[b] || a - b);
  return Array.from({ length: Math.ceil(order.length / batch) }, (_, i) => order.slice(i * batch, (i + 1) * batch));
}

/** The group for a step: each group once a round, with long and short ones mixed. */
export function groupOf(groups: readonly number[][], step: number): number[] {
  const count = groups.length;
  // A stride near the golden ratio; it visits all groups because it has no common divisor with their number.
  let stride = Math.max(1, Math.round(count * 0.618));
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  while (divisor(stride, count) !== 1) stride++;
  return groups[(step * stride) % count];
}

const checkEnd = (where: string, end: unknown): number => checkInteger(where, "end", end, 0, 2 ** 31 - 1);

/**
 * One batch of whole sentences for a next-token model. Each input begins with `end`, and each target ends with it.
 * Targets past a row's end do not count.
 */
export function sentenceBatch(sentences: readonly Sentence[], options: { end: number; batchFirst?: boolean }): Batch {
  const where = "sentenceBatch";
  const { end, batchFirst = false } = takeOptions(where, options, ["end", "batchFirst"], { needed: true });
  checkEnd(where, end);
  checkBoolean(where, "batchFirst", batchFirst);
  return { ...shifted(takeSentences(where, "sentences", sentences), end, batchFirst), startsSequence: true };
}

/** Sentences as training data for a next-token model. The sentences of a batch have similar lengths. */
export class SentenceData implements TrainingData {
  readonly carriesState = false;
  readonly batches: number;
  private readonly groups: number[][];
  private readonly end: number;
  private readonly sentences: Sentences;

  /**
   * @param options.end the id that marks the end of a sentence, and comes before its first token
   * @param options.batch sentences side by side (default 32)
   * @throws RnnError `data` if there is no sentence or one is invalid, `option` if an option is unknown or out of range
   */
  constructor(sentences: readonly Sentence[], given: { end: number; batch?: number }) {
    const options = takeOptions("SentenceData", given, ["end", "batch"], { needed: true });
    this.sentences = takeSentences("SentenceData", "sentences", sentences);
    this.end = checkEnd("SentenceData", options.end);
    this.groups = grouped(
      this.sentences.map(({ length }) => length),
      checkInteger("SentenceData", "batch", options.batch ?? 32, 1),
    );
    this.batches = this.groups.length;
  }

  /** The batch of a step. */
  batch(step: number, batchFirst = false): Batch {
    checkInteger("SentenceData", "step", step, 0);
    return {
      ...shifted(
        groupOf(this.groups, step).map((i) => this.sentences[i]),
        this.end,
        batchFirst,
      ),
      startsSequence: true,
    };
  }
}

/** Pairs of source and target as training data for a `Seq2Seq`. The pairs of a batch have similar lengths. */
export class PairData implements TrainingData {
  readonly carriesState = false;
  readonly batches: number;
  private readonly groups: number[][];
  private readonly end: number;
  private readonly sources: Sentences;
  private readonly targets: Sentences;

  /**
   * @param options.end the target id that marks the end, and comes before the first token
   * @param options.batch pairs side by side (default 32)
   * @throws RnnError `data` if there is no pair, or the numbers of sources and targets differ; `option` as for
   * `SentenceData`
   */
  constructor(givenSources: readonly Sentence[], givenTargets: readonly Sentence[], given: { end: number; batch?: number }) {
    const options = takeOptions("PairData", given, ["end", "batch"], { needed: true });
    const sources = (this.sources = takeSentences("PairData", "sources", givenSources));
    const targets = (this.targets = takeSentences("PairData", "targets", givenTargets));
    if (sources.length !== targets.length)
      throw new RnnError("data", "PairData", `there must be a target for each of the ${sources.length} sources, got ${targets.length}`);
    this.end = checkEnd("PairData", options.end);
    // Sorted by the source's length first, because the target's length mostly follows it.
    const most = 1 + stepsFor(targets);
    this.groups = grouped(
      sources.map(({ length }, i) => length * most + targets[i].length),
      checkInteger("PairData", "batch", options.batch ?? 32, 1),
    );
    this.batches = this.groups.length;
  }

  /** The batch of a step: sources as the input, the decoder's tokens as the further input `target`. */
  batch(step: number, batchFirst = false): Batch {
    const group = groupOf(this.groups, checkInteger("PairData", "step", step, 0));
    const { input: target, targets } = shifted(
      group.map((i) => this.targets[i]),
      this.end,
      batchFirst,
    );
    return {
      ...source(
        group.map((i) => this.sources[i]),
        batchFirst,
      ),
      further: { target },
      targets,
      startsSequence: true,
    };
  }
}
