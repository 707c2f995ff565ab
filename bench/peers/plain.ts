/** Streams in plain JavaScript, as one writes them by hand: rows of the weights times x and h. */
import { gatesOf, isSound, type Case, type Cell } from "../cases.ts";
import type { Library } from "../library.ts";
import type { Problem } from "../problem.ts";
import { subjectOfCalls } from "../streams.ts";

export const open = (): Promise<Library[]> =>
  Promise.resolve([
    {
      name: "plain loop",
      backend: "js",
      adapter: "CPU, plain JavaScript",
      modes: ["stream"],
      refuses: ({ cell }: Case) => (cells[cell] ? undefined : "the bench has no loop for this cell"),
      prepare: (_: Case, problem: Problem) => Promise.resolve({ ...subjectOfCalls(plainStream(problem), problem), free: () => undefined }),
    },
  ]);

/** One frame of one stream, and its result: the same array each time. */
type Step = (frame: Float32Array) => Float32Array;

/** y = W x + b. Four sums, because each addition waits for the one before it. */
function multiply(W: Float32Array, x: Float32Array, b: Float32Array, y: Float32Array): void {
  const columns = x.length;
  for (let row = 0, at = 0; row < y.length; row++) {
    // Not by destructuring, which V8 compiles to slower sums.
    let sum0 = b[row];
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    let i = 0;
    for (; i + 3 < columns; i += 4, at += 4) {
      sum0 += W[at] * x[i];
      sum1 += W[at + 1] * x[i + 1];
      sum2 += W[at + 2] * x[i + 2];
      sum3 += W[at + 3] * x[i + 3];
    }
    for (; i < columns; i++, at++) sum0 += W[at] * x[i];
    y[row] = sum0 + sum1 + sum2 + sum3;
  }
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Writes h from W x + b and U h + c; `memory` is the LSTM's. */
type Activate = (given: Float32Array, recurrent: Float32Array, h: Float32Array, memory: Float32Array) => void;

const cells: Readonly<Partial<Record<Cell, Activate>>> = {
  rnn(given, recurrent, h) {
    for (let j = 0; j < h.length; j++) h[j] = Math.tanh(given[j] + recurrent[j]);
  },
  gru(given, recurrent, h) {
    const H = h.length;
    for (let j = 0; j < H; j++) {
      const r = sigmoid(given[j] + recurrent[j]);
      const z = sigmoid(given[H + j] + recurrent[H + j]);
      h[j] = (1 - z) * Math.tanh(given[2 * H + j] + r * recurrent[2 * H + j]) + z * h[j];
    }
  },
  lstm(given, recurrent, h, memory) {
    const H = h.length;
    const gate = (at: number): number => given[at] + recurrent[at];
    for (let j = 0; j < H; j++) {
      memory[j] = sigmoid(gate(H + j)) * memory[j] + sigmoid(gate(j)) * Math.tanh(gate(2 * H + j));
      h[j] = sigmoid(gate(3 * H + j)) * Math.tanh(memory[j]);
    }
  },
};

/** A stream of its own, with states of its own. */
function stepOf({ cell, hidden: H, layers = 1, weights, ...shape }: Problem): Step {
  const size = gatesOf(cell) * H;
  const activate = cells[cell]!;
  const steps = Array.from({ length: layers }, (_, layer): Step => {
    const [W, U, b, c] = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"].map((name) => weights[`rnn.${name}_l${layer}`].data);
    const [given, recurrent, h, memory] = [size, size, H, H].map((length) => new Float32Array(length));
    return (x) => {
      multiply(W, x, b, given);
      multiply(U, h, c, recurrent);
      activate(given, recurrent, h, memory);
      return h;
    };
  });
  if (isSound(shape)) {
    const [W, b] = [weights["out.weight"].data, weights["out.bias"].data];
    const y = new Float32Array(1);
    steps.push((h) => {
      multiply(W, h, b, y);
      return y;
    });
  }
  return (frame) => {
    for (const step of steps) frame = step(frame);
    return frame;
  };
}

function plainStream(problem: Problem): (frames: Float32Array) => Float32Array {
  const { batch, steps, input, hidden } = problem;
  const streams = Array.from({ length: batch }, () => stepOf(problem));
  const width = isSound(problem) ? 1 : hidden;
  const results = new Float32Array(steps * batch * width);
  return (frames) => {
    for (let at = 0; at < steps * batch; at++) results.set(streams[at % batch](frames.subarray(at * input, (at + 1) * input)), at * width);
    return results;
  };
}
