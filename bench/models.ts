/** This package's measured models: a layer alone, and a character model around it. */
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
  type Batch,
  type Loss,
  type Module,
  type Optimizer,
  type TrainingData,
} from "webgpu-rnn";
import { isSound, vocabularySize, type Case, type Cell, type Shape } from "./cases.ts";
import type { Outcome } from "./problem.ts";

export function layerOf(cell: Cell, { input, hidden, layers: numLayers = 1 }: Shape): Module {
  const options = { numLayers, seed: 1 };
  switch (cell) {
    case "rnn":
      return new RNN(input, hidden, options);
    case "gru":
      return new GRU(input, hidden, options);
    case "gru-reset-before":
      return new GRU(input, hidden, { ...options, reset: "before" });
    case "lstm":
      return new LSTM(input, hidden, options);
  }
}

/** What a stream runs: `rnn`, and `out` if it is one of sound. */
export function streamModel({ cell, ...shape }: Shape & { readonly cell: Cell }): Module {
  const rnn = layerOf(cell, shape);
  return new Sequential(isSound(shape) ? { rnn, out: new Linear(shape.hidden, 1, { seed: 2 }) } : { rnn });
}

/** Embedding, one layer, logits. */
export function characterModel(of: Case): Module {
  return new Sequential([new Embedding(vocabularySize, of.input), layerOf(of.cell, of), new Linear(of.hidden, vocabularySize)], {
    seed: 1,
  });
}

/** A made-up text: a batch of ids and the ids that follow them. */
export function characterBatch({ steps, batch }: Shape): Batch {
  const shape = [steps, batch];
  const id = (i: number): number => (i * 7 + Math.floor(i / 11) * 3) % vocabularySize;
  return {
    input: { shape, data: Uint32Array.from({ length: steps * batch }, (_, i) => id(i)) },
    targets: { shape, data: Int32Array.from({ length: steps * batch }, (_, i) => id(i + batch)) },
    startsSequence: true,
  };
}

/** The same batch in each step, so that the time does not depend on cutting up a text. */
export function trainerOf(
  model: Module,
  backend: Backend,
  batch: Batch,
  loss: Loss = crossEntropy(),
  optimizer: Optimizer = adam({ learningRate: 0.001 }),
): Trainer {
  const data: TrainingData = { batches: 1, batch: () => batch };
  return new Trainer(model, { backend, data, loss, optimizer, clipNorm: 5, carryState: false });
}

export async function drawTokens(model: Module, backend: Backend, length: number): Promise<number[]> {
  const drawn: number[] = [];
  // Temperature 0 draws the likeliest token, which is the same on every backend.
  for await (const tokens of generateTokens(model, [1], { backend, length, temperature: 0 })) drawn.push(...tokens);
  return drawn;
}

/** Numbers that show that a backend trains the character model, or draws from it, correctly. */
export async function characterOutcome(of: Case, backend: Backend, model = characterModel(of), trainer?: Trainer): Promise<Outcome> {
  if (of.mode === "generation") return { tokens: Float32Array.from(await drawTokens(model, backend, of.steps)) };
  const [losses, norms]: number[][] = [[], []];
  // The second loss shows whether the first update was correct.
  for await (const { loss, gradientNorm } of (trainer ?? trainerOf(model, backend, characterBatch(of))).run({ steps: 2 })) {
    losses.push(loss);
    norms.push(gradientNorm);
  }
  return { losses: Float32Array.from(losses), norms: Float32Array.from(norms) };
}
