// Learns to write a word backwards, letter by letter, with attention: the smallest problem whose target has another
// order than its source.
import { adam, cosine, crossEntropy, Embedding, GRU, Sequential, Trainer, type Backend } from "webgpu-rnn";
import { beamSearch, Decoder, PairData, Seq2Seq } from "webgpu-rnn/language";
import { uniformFrom } from "./random.ts";

/** Words of 1 to `longest` letters, ids 1 to `letters`; 0 marks the end. The same seed gives the same words. */
export function words(count: number, { letters, longest, seed }: { letters: number; longest: number; seed: number }): number[][] {
  const uniform = uniformFrom(seed);
  const below = (n: number): number => Math.floor(uniform() * n);
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(longest) }, () => 1 + below(letters)));
}

export interface ReverseOptions {
  backend: Backend;
  letters: number;
  longest: number;
  hidden: number;
  steps: number;
  /** Called after each step of the training. */
  onStep?: (step: number, loss: number) => void;
}

/** Trains on random words, and returns the share of new words that come back reversed. */
export async function reverse({ backend, letters, longest, hidden, steps, onStep }: ReverseOptions): Promise<number> {
  const training = words(40000, { letters, longest, seed: 1 });
  const data = new PairData(
    training,
    training.map((word) => word.toReversed()),
    { end: 0, batch: 32 },
  );
  const model = new Seq2Seq({
    encoder: new Sequential([new Embedding(letters + 1, 32), new GRU(32, hidden, { bidirectional: true })]),
    decoder: new Decoder({ vocabulary: letters + 1, memorySize: 2 * hidden, rnn: new GRU(32, hidden) }),
    seed: 1,
  });
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.005, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);

  const fresh = words(100, { letters, longest, seed: 2 });
  const found = await beamSearch(model, fresh, { backend, end: 0, beams: 1, maxLength: longest + 2 });
  return found.filter(([{ tokens }], i) => tokens.join() === fresh[i].toReversed().join()).length / fresh.length;
}
