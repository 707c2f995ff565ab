/** Whole training runs of PyTorch, repeated from the same weights and data: the loss of every step, the final weights. */
import { describe, expect, it } from "vitest";
import {
  compose,
  crossEntropy,
  Embedding,
  GRU,
  Linear,
  LSTM,
  nadam,
  RNN,
  rmsprop,
  Sequential,
  sgd,
  squaredError,
  Trainer,
  type Batch,
  type Loss,
  type Module,
  type Optimizer,
  type TrainingData,
} from "webgpu-rnn";
import gruSgd from "../fixtures/pytorch/training/lm_gru2_sgd_momentum.json";
import lstmProjected from "../fixtures/pytorch/training/sine_lstm_proj_nadam_mse.json";
import rnnRmsprop from "../fixtures/pytorch/training/lm_rnn_rmsprop_nocarry.json";
import { backend, expectClose, fixture, kinds } from "./support.ts";

interface Run {
  initial: Record<string, { shape: number[]; dtype: string; data: number[] }>;
  losses: number[];
  gradNorms: (number | null)[];
  final: Record<string, { shape: number[]; data: number[] }>;
}

interface TokenRun extends Run {
  data: { tokens: { shape: number[]; data: number[] }; T: number };
}

/** Step k trains on tokens[i, i+T) with targets one further on, i = kT mod (n - n mod T), n = length - 1. */
class Windows implements TrainingData {
  readonly batches: number;
  constructor(private readonly run: TokenRun["data"]) {
    this.batches = Math.floor((run.tokens.shape[0] - 1) / run.T);
  }
  batch(step: number): Batch {
    const {
      tokens: {
        shape: [, B],
        data,
      },
      T,
    } = this.run;
    const i = (step % this.batches) * T;
    const window = (from: number) => Int32Array.from(data.slice(from * B, (from + T) * B));
    return { input: { shape: [T, B], data: window(i) }, targets: { shape: [T, B], data: window(i + 1) }, startsSequence: i === 0 };
  }
}

interface Repeated {
  data: TrainingData;
  loss: Loss;
  optimizer: Optimizer;
  carryState: boolean;
  clipNorm?: number;
}

async function repeat(run: Run, model: Module, kind: "cpu" | "webgpu", options: Repeated): Promise<void> {
  model.loadStateDict(Object.fromEntries(Object.entries(run.initial).map(([name, value]) => [name, fixture(value)])));
  const trainer = new Trainer(model, { backend: await backend(kind), ...options });
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
    const model = compose(
      { emb: new Embedding(10, 5), rnn: new GRU(5, 12, { numLayers: 2 }), out: new Linear(12, 10) },
      ({ emb, rnn, out }, x) => out(rnn(emb(x))),
    );
    await repeat(gruSgd, model, kind, {
      data: new Windows(gruSgd.data),
      loss: crossEntropy(),
      optimizer: sgd({ learningRate: 0.3, momentum: 0.9 }),
      carryState: true,
    });
  });

  it("with a plain RNN, RMSprop, clipping and zero states", async () => {
    const model = compose({ emb: new Embedding(8, 4), rnn: new RNN(4, 20), out: new Linear(20, 8) }, ({ emb, rnn, out }, x) =>
      out(rnn(emb(x))),
    );
    await repeat(rnnRmsprop, model, kind, {
      data: new Windows(rnnRmsprop.data),
      loss: crossEntropy(),
      optimizer: rmsprop({ learningRate: 0.005 }),
      carryState: false,
      clipNorm: 5,
    });
  });

  it("with a projected LSTM, NAdam and squared error", async () => {
    const { x, y } = lstmProjected.data;
    const data: TrainingData = { batches: 1, batch: () => ({ input: fixture(x), targets: fixture(y), startsSequence: true }) };
    const model = new Sequential({ rnn: new LSTM(1, 10, { projSize: 4 }), out: new Linear(4, 1) });
    await repeat(lstmProjected, model, kind, {
      data,
      loss: squaredError(),
      optimizer: nadam({ learningRate: lstmProjected.optimizer.lr }),
      carryState: false,
    });
  });
});
