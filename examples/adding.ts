// The adding problem (Hochreiter & Schmidhuber 1997; Le et al. 2015): two numbers of a sequence between 0 and 1 are
// marked, and the output at the end must be their sum. Always predicting 1 has a mean squared error of 1/6 = 0.1667
// (0.1767 on the samples of the paper); a network that forgets cannot do better.
import {
  adam,
  forward,
  GRU,
  LastStep,
  Linear,
  LSTM,
  RNN,
  Sequential,
  squaredError,
  Trainer,
  type Backend,
  type Batch,
  type Module,
  type Tensor,
} from "webgpu-rnn";
import { uniformFrom } from "./random.ts";

/** A sequence with one marked number in each half. */
export function addingBatch(steps: number, rows: number, seed: number): Batch {
  const uniform = uniformFrom(seed);
  const input = new Float32Array(steps * rows * 2);
  const sums = new Float32Array(rows);
  for (let b = 0; b < rows; b++) {
    for (let t = 0; t < steps; t++) input[(t * rows + b) * 2] = uniform();
    for (const half of [0, 1]) {
      const at = (Math.floor(((uniform() + half) * steps) / 2) * rows + b) * 2;
      input[at + 1] = 1;
      sums[b] += input[at];
    }
  }
  return { input: { shape: [steps, rows, 2], data: input }, targets: { shape: [rows, 1], data: sums }, startsSequence: true };
}

export const cells = ["tanh", "IRNN", "GRU", "LSTM"] as const;
export type CellName = (typeof cells)[number];

/**
 * A tanh RNN; an RNN with ReLU whose recurrent weights start as `identityTimes` the identity (Le et al. 2015; with
 * small input weights, so that nothing explodes early); a GRU; or an LSTM whose forget gates start almost open, because
 * it must keep much. A linear output, at the end or at every step.
 */
export async function addingModel(cell: CellName, hidden: number, { everyStep = false, identityTimes = 1 } = {}): Promise<Module> {
  const rnn = {
    tanh: () => new RNN(2, hidden),
    IRNN: () => new RNN(2, hidden, { nonlinearity: "relu", recurrentInit: "identity" }),
    GRU: () => new GRU(2, hidden),
    LSTM: () => new LSTM(2, hidden, { forgetBias: 3 }),
  }[cell]();
  const model = new Sequential([everyStep ? rnn : new LastStep(rnn), new Linear(hidden, 1)], { seed: 1 });
  if (cell === "IRNN") {
    const dict: Record<string, Tensor> = { ...(await model.stateDict()) };
    const factors = { weight_ih_l0: 0.3, weight_hh_l0: identityTimes };
    for (const [name, factor] of Object.entries(factors)) {
      const { shape, data } = dict[`0.${name}`];
      dict[`0.${name}`] = { shape, data: data.map((w) => w * factor) };
    }
    model.loadStateDict(dict);
  }
  return model;
}

export interface AddingOptions {
  backend: Backend;
  cell: CellName;
  /** T. */
  length: number;
  hidden: number;
  steps: number;
  onStep?: (step: number, loss: number) => void;
}

/**
 * Trains on new sequences in every step, and returns the mean squared error on 500 others, and that of always
 * predicting 1.
 */
export async function adding({ backend, cell, length, hidden, steps, onStep }: AddingOptions): Promise<{ error: number; ofOne: number }> {
  const model = await addingModel(cell, hidden);
  const data = { batches: steps, carriesState: false, batch: (step: number) => addingBatch(length, 32, step + 2) };
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: squaredError(),
    optimizer: adam({ learningRate: { tanh: 0.005, IRNN: 0.001, GRU: 0.005, LSTM: 0.01 }[cell] }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);
  const {
    input,
    targets: { data: sums },
  } = addingBatch(length, 500, 1);
  const { output } = await forward(model, input, { backend });
  const errorOf = (answer: (row: number) => number): number =>
    Array.from(sums).reduce((sum, target, row) => sum + (answer(row) - target) ** 2 / sums.length, 0);
  return { error: errorOf((row) => output.data[row]), ofOne: errorOf(() => 1) };
}
