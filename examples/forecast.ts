// Forecasts a series: the Mackey-Glass equation with noise, 20 steps ahead from the 60 before. With dropout left on,
// each forecast differs, and their spread measures the model's uncertainty (Gal & Ghahramani 2016). The noise of the
// series is added to it: its size is measured by the errors on a part of the series between training and test.
import {
  adam,
  cosine,
  Dropout,
  forward,
  GRU,
  LastStep,
  Linear,
  Sequential,
  squaredError,
  Trainer,
  type Backend,
  type Module,
  type Tensor,
} from "webgpu-rnn";
import { uniformFrom } from "./random.ts";

const [window, horizon] = [60, 20];

/** dx/dt = 0.2·x(t - 17) / (1 + x(t - 17)^10) - 0.1·x(t), by steps of 1 (Mackey & Glass 1977), around 0, with noise. */
export function series(length: number): Float64Array {
  const uniform = uniformFrom(1);
  const x = new Float64Array(length + 117).fill(1.2);
  for (let t = 17; t + 1 < x.length; t++) x[t + 1] = 0.9 * x[t] + (0.2 * x[t - 17]) / (1 + x[t - 17] ** 10);
  // The sum of uniforms is nearly normal, here with a deviation of 0.05.
  return x.slice(117).map((value) => value - 0.9 + 0.05 * (uniform() + uniform() + uniform() - 1.5) * 2);
}

/** Windows that begin at `starts`, and the numbers after each. */
function windows(values: Float64Array, starts: readonly number[]): { input: Tensor; targets: Tensor } {
  const input = new Float32Array(window * starts.length);
  for (const [b, start] of starts.entries()) for (let t = 0; t < window; t++) input[t * starts.length + b] = values[start + t];
  return {
    input: { shape: [window, starts.length, 1], data: input },
    targets: {
      shape: [starts.length, horizon],
      data: Float32Array.from(starts.flatMap((start) => Array.from(values.slice(start + window, start + window + horizon)))),
    },
  };
}

export interface Forecast {
  /** Mean and standard deviation over the samples, and the true values, each [starts, horizon]. */
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
  readonly truth: Float32Array;
}

async function sampled(
  model: Module,
  values: Float64Array,
  starts: readonly number[],
  samples: number,
  backend: Backend,
): Promise<Forecast> {
  const { input, targets } = windows(values, starts);
  const size = starts.length * horizon;
  const [sum, squares] = [new Float64Array(size), new Float64Array(size)];
  for (let seed = 0; seed < samples; seed++) {
    const { output } = await forward(model, input, { backend, training: true, seed });
    output.data.forEach((y, i) => {
      sum[i] += y / samples;
      squares[i] += y ** 2 / samples;
    });
  }
  return { mean: sum, deviation: squares.map((s, i) => Math.sqrt(Math.max(0, s - sum[i] ** 2))), truth: targets.data as Float32Array };
}

const rootMeanSquare = (values: Iterable<number>): number => {
  const list = Array.from(values);
  return Math.sqrt(list.reduce((sum, x) => sum + x ** 2, 0) / list.length);
};

export interface ForecastOptions {
  backend: Backend;
  length: number;
  hidden: number;
  steps: number;
  samples: number;
  onStep?: (step: number, loss: number) => void;
}

/**
 * Trains on the first half of the series, measures the size of the noise on the next sixth, and forecasts from places
 * in the last third. `error` and `ofStaying` are root mean square errors, the latter of the forecast that nothing
 * changes. `covered` is the share of true values within two deviations. `first` and `last` are the mean deviations of
 * the samples one step ahead and at the end.
 */
export async function forecast({
  backend,
  length,
  hidden,
  steps,
  samples,
  onStep,
}: ForecastOptions): Promise<{ error: number; ofStaying: number; covered: number; first: number; last: number }> {
  const values = series(length);
  const [trained, noted] = [Math.floor(length / 2), Math.floor((length * 2) / 3)];
  const uniform = uniformFrom(2);
  const batches = Array.from({ length: 200 }, () =>
    windows(
      values,
      Array.from({ length: 32 }, () => Math.floor(uniform() * (trained - window - horizon))),
    ),
  );
  const data = {
    batches: batches.length,
    carriesState: false,
    batch: (step: number) => ({ ...batches[step % batches.length], startsSequence: true }),
  };
  const model = new Sequential([new LastStep(new GRU(1, hidden)), new Dropout(0.1), new Linear(hidden, horizon)], { seed: 1 });
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: squaredError(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.01, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);

  const placesIn = (from: number, to: number): number[] =>
    Array.from({ length: Math.floor((to - from - window - horizon) / 7) }, (_, i) => from + 7 * i);
  const before = await sampled(model, values, placesIn(trained, noted), samples, backend);
  const noise = Math.sqrt(
    Math.max(0, rootMeanSquare(before.mean.map((y, i) => y - before.truth[i])) ** 2 - rootMeanSquare(before.deviation) ** 2),
  );
  const starts = placesIn(noted, length);
  const { mean, deviation, truth } = await sampled(model, values, starts, samples, backend);
  const meanAt = (step: number): number => starts.reduce((sum, _, b) => sum + deviation[b * horizon + step] / starts.length, 0);
  return {
    error: rootMeanSquare(mean.map((y, i) => y - truth[i])),
    ofStaying: rootMeanSquare(Array.from(truth, (y, i) => y - values[starts[Math.floor(i / horizon)] + window - 1])),
    covered: mean.filter((y, i) => Math.abs(y - truth[i]) <= 2 * Math.hypot(deviation[i], noise)).length / mean.length,
    first: meanAt(0),
    last: meanAt(horizon - 1),
  };
}
