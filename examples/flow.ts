// How far gradients reach: a plain RNN, an IRNN, a GRU and an LSTM output the sum of the marked numbers so far at each
// step. This computes ‖∂E_t/∂h_k‖ before and after they learn it. demo/gradients/ shows the same while they learn.
import { adam, squaredError, Trainer, type Backend, type Batch, type Tensor } from "webgpu-rnn";
import { gradientFlow } from "webgpu-rnn/inspect";
import { addingBatch, addingModel, cells } from "./adding.ts";

/** The adding problem with the sum so far as the target of each step; `lastOnly`: only the last step counts. */
export function sumsSoFar(steps: number, rows: number, seed: number, { lastOnly = false } = {}): Batch {
  const { input } = addingBatch(steps, rows, seed);
  const data = new Float32Array(steps * rows);
  for (let i = 0; i < data.length; i++) data[i] = (i < rows ? 0 : data[i - rows]) + input.data[2 * i] * input.data[2 * i + 1];
  const shape = [steps, rows, 1];
  const mask = lastOnly ? { shape, data: new Float32Array(steps * rows).fill(1, (steps - 1) * rows) } : undefined;
  return { input, targets: { shape, data }, mask, startsSequence: true };
}

export interface Flow {
  readonly title: string;
  /** [steps, steps + 1] */
  readonly norms: Tensor;
}

/** ‖∂E_T/∂h_1‖ / ‖∂E_T/∂h_T‖. */
export function longReach({ shape: [steps, columns], data }: Tensor): number {
  return data[(steps - 1) * columns + 1] / data[steps * columns - 1];
}

/** Two matrices for each cell: before training and after `steps` steps. */
export async function gradientFlows({
  backend,
  length,
  hidden,
  steps,
}: {
  backend: Backend;
  length: number;
  hidden: number;
  steps: number;
}): Promise<Flow[]> {
  const flows: Flow[] = [];
  const loss = squaredError();
  const data = { batches: steps, carriesState: false, batch: (step: number) => sumsSoFar(length, 32, step + 2) };
  for (const cell of cells) {
    const model = await addingModel(cell, hidden, { everyStep: true });
    const look = async (when: string): Promise<void> => {
      const { norms } = await gradientFlow(model, sumsSoFar(length, 8, 1), { backend, loss });
      flows.push({ title: `${cell} ${when}`, norms: norms["0.l0.h"] });
    };
    await look("before");
    const trainer = new Trainer(model, {
      backend,
      data,
      loss,
      optimizer: adam({ learningRate: cell === "IRNN" ? 0.001 : 0.005 }),
      clipNorm: 1,
    });
    for await (const _ of trainer.run({ steps }));
    await look("after");
  }
  return flows;
}
