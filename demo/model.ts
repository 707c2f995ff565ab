/**
 * The use of the library: a character model, its training and its sampling. The rest of this folder is the page around
 * it.
 */
import {
  adam,
  crossEntropy,
  Embedding,
  generateTokens,
  GRU,
  Linear,
  LSTM,
  RNN,
  Sequential,
  Trainer,
  type Backend,
  type Schedule,
  type TrainingData,
  type Vocabulary,
} from "webgpu-rnn";
import type { Sampling, Settings } from "./messages.ts";

export function makeModel({ cell, embedding, hidden, layers, seed }: Settings, vocabularySize: number): Sequential {
  const Layer = { lstm: LSTM, gru: GRU, rnn: RNN }[cell];
  return new Sequential(
    {
      embedding: new Embedding(vocabularySize, embedding),
      recurrent: new Layer(embedding, hidden, { numLayers: layers }),
      output: new Linear(hidden, vocabularySize),
    },
    { seed },
  );
}

export function makeTrainer(model: Sequential, backend: Backend, data: TrainingData, seed: number, learningRate: Schedule): Trainer {
  return new Trainer(model, { backend, data, loss: crossEntropy(), optimizer: adam({ learningRate }), clipNorm: 1, seed, recovery: false });
}

/** Yields pieces of text as they arrive. It only reads the model, so it may run between two training steps. */
export async function* write(
  model: Sequential,
  backend: Backend,
  vocabulary: Vocabulary,
  { prompt, length, temperature }: Sampling,
  seed: number,
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const start = vocabulary.encode(prompt === "" ? vocabulary.characters[0] : prompt);
  for await (const tokens of generateTokens(model, start, { backend, length, temperature, seed, signal })) yield vocabulary.decode(tokens);
}
