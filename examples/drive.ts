// Learns the sound of an overdriven amplifier from synthetic strings: a small LSTM that reads one sample and gives one. The
// amplifier is made of equations too: a high-pass filter, a bent tanh, a low-pass filter. No recording is involved.
import {
  adam,
  cosine,
  forward,
  Linear,
  LSTM,
  Sequential,
  squaredError,
  Trainer,
  type Backend,
  type Module,
  type TrainingData,
} from "webgpu-rnn";
import { uniformFrom } from "./random.ts";

/** Samples per second. */
export const rate = 44100;

/** Plucked strings one after the other (Karplus & Strong 1983), of 80 to 400 Hz, at most 1 loud. */
export function strings(length: number, seed: number): Float32Array<ArrayBuffer> {
  const uniform = uniformFrom(seed);
  const sound = new Float32Array(length);
  const pluck = Math.floor(rate / 5);
  for (let begin = 0; begin < length; begin += pluck) {
    const period = Math.floor(rate / (80 * 5 ** uniform()));
    const loud = 0.15 + 0.85 * uniform();
    const string = Float32Array.from({ length: period }, () => 2 * uniform() - 1);
    for (let t = 0; t < pluck && begin + t < length; t++) {
      const at = t % period;
      string[at] = 0.498 * (string[at] + string[(at + 1) % period]);
      sound[begin + t] = loud * string[at];
    }
  }
  return sound;
}

/** y = filtered tanh(6·(x + x²/3)), without its mean: even harmonics beside odd ones, as of a tube. */
export function amplifier(x: Float32Array): Float32Array<ArrayBuffer> {
  let [slow, low] = [0, 0];
  return Float32Array.from(x, (value) => {
    slow += 0.02 * (value - slow);
    const high = value - slow;
    low += 0.5 * (Math.tanh(6 * (high + (high * high) / 3)) - low);
    return 0.5 * low;
  });
}

export const makeDrive = (): Sequential =>
  new Sequential({ rnn: new LSTM(1, 16, { batchFirst: true }), output: new Linear(16, 1) }, { seed: 1 });

const [batch, length, unheard] = [32, 256, 32];

/** Pieces of the sound. The first steps of each do not count: the filters have heard what came before. */
function pieces(steps: number): TrainingData {
  const x = strings(20 * rate, 1);
  const y = amplifier(x);
  const uniform = uniformFrom(2);
  const shape = [batch, length, 1];
  const mask = Float32Array.from({ length: batch * length }, (_, i) => (i % length < unheard ? 0 : 1));
  return {
    batches: steps,
    batch() {
      const begins = Array.from({ length: batch }, () => Math.floor(uniform() * (x.length - length)));
      const cut = (sound: Float32Array): Float32Array =>
        Float32Array.from(begins.flatMap((from) => [...sound.subarray(from, from + length)]));
      return { input: { shape, data: cut(x) }, targets: { shape, data: cut(y) }, mask: { shape, data: mask }, startsSequence: true };
    },
  };
}

/** Trains it; the error on new strings as a share of the sound's power. */
export async function drive({
  backend,
  steps,
  onStep,
}: {
  backend: Backend;
  steps: number;
  onStep?: (step: number, loss: number) => void;
}): Promise<{ model: Module; error: number }> {
  const model = makeDrive();
  const trainer = new Trainer(model, {
    backend,
    data: pieces(steps),
    loss: squaredError(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.01, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);
  const x = strings(rate / 2, 99);
  const y = amplifier(x);
  const { output } = await forward(model, { shape: [1, x.length, 1], data: x }, { backend });
  let [wrong, power] = [0, 0];
  y.forEach((value, t) => {
    wrong += (output.data[t] - value) ** 2;
    power += value ** 2;
  });
  return { model, error: wrong / power };
}
