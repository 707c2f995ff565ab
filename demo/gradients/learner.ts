/**
 * The use of the library: a network that learns to add, and how far its gradients reach. The rest of this folder is the
 * page around it.
 */
import { adam, RnnError, squaredError, Trainer, type Backend, type Module } from "webgpu-rnn";
import { gradientFlow } from "webgpu-rnn/inspect";
import { addingModel, type CellName } from "../../examples/adding.ts";
import { sumsSoFar } from "../../examples/flow.ts";
import type { Settings } from "./messages.ts";

/** More steps than anyone waits for. */
const endless = 1e9;
/** Sequences in a training step, and those that the norms are the mean of. */
const [batch, looked] = [32, 2];
const loss = squaredError();

export class Learner {
  /** Why it no longer learns: its loss is not a number. */
  failure: string | undefined;

  private constructor(
    readonly cell: CellName,
    readonly settings: Settings,
    private readonly rate: () => number,
    private readonly model: Module,
    private readonly trainer: Trainer,
  ) {}

  /** @param rate the learning rate, asked at each step */
  static async create(cell: CellName, settings: Settings, rate: () => number, backend: Backend): Promise<Learner> {
    const { steps, units, identityTimes, lastOnly, clip } = settings;
    const model = await addingModel(cell, units, { everyStep: true, identityTimes });
    const data = { batches: endless, carriesState: false, batch: (step: number) => sumsSoFar(steps, batch, step + 2, { lastOnly }) };
    const trainer = new Trainer(model, {
      backend,
      data,
      loss,
      optimizer: adam({ learningRate: rate }),
      clipNorm: clip > 0 ? clip : undefined,
    });
    return new Learner(cell, settings, rate, model, trainer);
  }

  /** The same network, with the same progress, on another backend. */
  async moved(backend: Backend): Promise<Learner> {
    const made = await Learner.create(this.cell, this.settings, this.rate, backend);
    await made.trainer.restore(await this.trainer.checkpoint());
    made.failure = this.failure;
    return made;
  }

  /** The losses of further steps, until `signal`; NaN once the loss is not a number. */
  async *train(signal: AbortSignal): AsyncGenerator<number, void, undefined> {
    try {
      if (this.failure === undefined) for await (const progress of this.trainer.run({ steps: endless, signal })) yield progress.loss;
    } catch (error) {
      if (!(error instanceof RnnError && error.kind === "numeric")) throw error;
      this.failure = error.message;
    }
    while (!signal.aborted) yield NaN;
  }

  /** ‖∂E_t/∂h_k‖ over all t and k, on sequences that are never trained on. */
  async flow(): Promise<Float32Array<ArrayBuffer>> {
    const { norms } = await gradientFlow(this.model, sumsSoFar(this.settings.steps, looked, 1), { backend: this.trainer.backend, loss });
    return Float32Array.from(norms["0.l0.h"].data);
  }
}

/** The mean squared error of always predicting the mean, at each step that counts. */
export function lossOfGuessing({ steps, lastOnly }: Settings): number {
  const rows = 2000;
  const { data } = sumsSoFar(steps, rows, 1).targets;
  let sum = 0;
  for (let t = lastOnly ? steps - 1 : 0; t < steps; t++) {
    const sums = Array.from(data.subarray(t * rows, (t + 1) * rows));
    const mean = sums.reduce((a, b) => a + b) / rows;
    sum += sums.reduce((a, b) => a + (b - mean) ** 2, 0) / rows;
  }
  return lastOnly ? sum : sum / steps;
}
