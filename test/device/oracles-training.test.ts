/** Whole training runs of PyTorch, repeated from the same weights and data: the loss of every step, the final weights. */
import { describe, expect, it } from "vitest";
import { compose, crossEntropy, Embedding, GRU, Linear, RNN, rmsprop, sgd, Trainer, type Batch, type Module, type Optimizer, type TrainingData } from "webgpu-rnn";
import gruSgd from "../fixtures/pytorch/training/lm_gru2_sgd_momentum.json";
import rnnRmsprop from "../fixtures/pytorch/training/lm_rnn_rmsprop_nocarry.json";
import { backend, expectClose, fixture, kinds } from "./support.ts";

interface Run {
  data: { tokens: { shape: number[]; data: number[] }; T: number };
  initial: Record<string, { shape: number[]; dtype: string; data: number[] }>;
  losses: number[];
  gradNorms: (number | null)[];
  final: Record<string, { shape: number[]; data: number[] }>;
}

/** Step k trains on tokens[i, i+T) with targets one further on, i = kT mod (n - n mod T), n = length - 1. */
class Windows implements TrainingData {
  readonly batches: number;
  constructor(private readonly run: Run["data"]) {
    this.batches = Math.floor((run.tokens.shape[0] - 1) / run.T);
  }
  batch(step: number): Batch {
    const { tokens: { shape: [, B], data }, T } = this.run;
    const i = (step % this.batches) * T;
    const window = (from: number) => Int32Array.from(data.slice(from * B, (from + T) * B));
    return { input: { shape: [T, B], data: window(i) }, targets: { shape: [T, B], data: window(i + 1) }, startsSequence: i === 0 };
  }
}

async function repeat(run: Run, model: Module, optimizer: Optimizer, carryState: boolean, kind: "cpu" | "webgpu", clipNorm?: number): Promise<void> {
  model.loadStateDict(Object.fromEntries(Object.entries(run.initial).map(([name, value]) => [name, fixture(value)])));
  const trainer = new Trainer(model, { backend: await backend(kind), data: new Windows(run.data), loss: crossEntropy(), optimizer, carryState, clipNorm });
  const losses: number[] = [];
  const norms: number[] = [];
  for await (const { loss, gradientNorm } of trainer.run({ steps: run.losses.length })) {
    losses.push(loss);
    norms.push(gradientNorm);
  }
  expectClose("losses", losses, run.losses, { atol: 1e-4, rtol: 1e-4 });
  if (run.gradNorms[0] !== null) expectClose("gradient norms", norms, run.gradNorms as number[], { atol: 1e-3, rtol: 1e-3 });
  const final = await model.stateDict();
  for (const [name, { data }] of Object.entries(run.final)) expectClose(name, final[name].data, data, { atol: 1e-3, rtol: 1e-3 });
  expect(losses.length).toBe(60);
}

describe.each(kinds)("training on %s follows PyTorch", (kind) => {
  it("with two GRU layers, momentum and carried state", async () => {
    const model = compose({ emb: new Embedding(10, 5), rnn: new GRU(5, 12, { numLayers: 2 }), out: new Linear(12, 10) }, ({ emb, rnn, out }, x) => out(rnn(emb(x))));
    await repeat(gruSgd, model, sgd({ learningRate: 0.3, momentum: 0.9 }), true, kind);
  });

  it("with a plain RNN, RMSprop, clipping and zero states", async () => {
    const model = compose({ emb: new Embedding(8, 4), rnn: new RNN(4, 20), out: new Linear(20, 8) }, ({ emb, rnn, out }, x) => out(rnn(emb(x))));
    await repeat(rnnRmsprop, model, rmsprop({ learningRate: 0.005 }), false, kind, 5);
  });
});
