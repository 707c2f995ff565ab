/** The numbers of a case, the same for every library, and the twins' results. */
import { createBackend, forward, gradients, type Backend, type Tensor } from "webgpu-rnn";
import { flopsOf, shapeName, type Case, type Cell, type Shape } from "./cases.ts";
import { characterOutcome, layerOf, streamModel } from "./models.ts";

/** Arrays by name, e.g. `output`, `gradient weight_hh_l0`, `updated weight_hh_l0`. */
export type Outcome = Record<string, Float32Array>;

/** Calls whose frames a stream's problem has, one after the other. */
export const streamCalls = 7;

/**
 * A layer's inputs and expected results, or a stream's; for a whole character model only the results, the inputs being
 * empty.
 */
export interface Problem extends Shape {
  readonly cell: Cell;
  /** By PyTorch's names, in PyTorch's shapes and gate order; those of a stream's model under `rnn` and `out`. */
  readonly weights: Readonly<Record<string, Tensor<Float32Array>>>;
  /** [steps, batch, input]; of a stream [calls, steps, batch, input]. */
  readonly inputs: Float32Array;
  /** [steps, batch, hidden]; of a stream empty. */
  readonly targets: Float32Array;
  /** Chosen so that one SGD step moves the weights by about a hundredth: enough to notice, too little to diverge. */
  readonly learningRate: number;
  readonly expected: Outcome;
}

/** Numbers in [-1, 1) that differ from element to element and from seed to seed (Marsaglia's xorshift). */
export function numbers(length: number, seed: number): Float32Array {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return Float32Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 31 - 1;
  });
}

function rms(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return Math.sqrt(sum / Math.max(1, values.length));
}

/** Most operations of the twins in a check; they do about one per nanosecond. */
const checkBudget = 2e9;

/** A case and its check: the same case, with fewer time steps if all of them would take the twins minutes. */
export interface Checked {
  readonly timed: Problem;
  readonly check: Problem;
  readonly checkCase: Case;
}

/** As many time steps as the twins can do in reasonable time, and at least three: the first, the next, the last. */
export function checkSteps(of: Case): number {
  // The reference runs forward once more than a training step does.
  const runs = of.mode === "stream" ? streamCalls : 4 / 3;
  const perStep = runs * flopsOf({ ...of, steps: 1, mode: of.mode === "forward" ? "training" : of.mode });
  return Math.min(of.steps, Math.max(3, Math.floor(checkBudget / perStep)));
}

/** Makes problems with the twins and keeps the last one, because the modes of a layer share it. */
export class Problems {
  private readonly twins: Promise<Backend> = createBackend("cpu", { wasm: false });
  private latest: { readonly key: string; readonly problem: Promise<Problem> } | undefined;

  async of(wanted: Case): Promise<Checked> {
    const checkCase = { ...wanted, steps: checkSteps(wanted) };
    const kind = wanted.mode === "forward" || wanted.mode === "training" ? "layer" : wanted.mode === "stream" ? "stream" : "character";
    const key = [checkCase.cell, shapeName(checkCase), kind === "character" ? wanted.mode : kind].join();
    if (this.latest?.key !== key) this.latest = { key, problem: this[kind](checkCase) };
    const check = await this.latest.problem;
    if (checkCase.steps === wanted.steps) return { timed: check, check, checkCase };
    return { timed: { ...check, ...arraysOf(wanted), steps: wanted.steps, expected: {} }, check, checkCase };
  }

  private async layer(wanted: Case): Promise<Problem> {
    const backend = await this.twins;
    const { cell, steps, batch, input, hidden } = wanted;
    const model = layerOf(cell, wanted);
    const weights = (await model.stateDict()) as Record<string, Tensor<Float32Array>>;
    const { inputs, targets } = arraysOf(wanted);
    const x = { shape: [steps, batch, input], data: inputs };
    const { output } = await forward(model, x, { backend });
    // L = mean (y - target)²
    const cotangent = targets.map((target, i) => (2 / targets.length) * (output.data[i] - target));
    const {
      gradients: { parameters },
    } = await gradients(model, x, { output: { shape: output.shape, data: cotangent } }, { backend });
    const learningRate = (0.01 * rms(weights.weight_hh_l0.data)) / rms(parameters.weight_hh_l0.data);
    const expected: Outcome = { output: output.data as Float32Array };
    for (const [name, { data }] of Object.entries(parameters)) {
      expected[`gradient ${name}`] = data as Float32Array;
      expected[`updated ${name}`] = weights[name].data.map((w, i) => w - learningRate * data[i]);
    }
    return { cell, steps, batch, input, hidden, weights, inputs, targets, learningRate, expected };
  }

  /** All calls' frames are one sequence, which shows whether states are kept. */
  private async stream(wanted: Case): Promise<Problem> {
    const model = streamModel(wanted);
    const weights = (await model.stateDict()) as Record<string, Tensor<Float32Array>>;
    const arrays = arraysOf(wanted);
    const x = { shape: [streamCalls * wanted.steps, wanted.batch, wanted.input], data: arrays.inputs };
    const { output } = await forward(model, x, { backend: await this.twins });
    return { ...wanted, weights, ...arrays, learningRate: 0, expected: { output: output.data as Float32Array } };
  }

  private async character(wanted: Case): Promise<Problem> {
    const expected = await characterOutcome(wanted, await this.twins);
    return { ...wanted, weights: {}, ...arraysOf(wanted), learningRate: 0, expected };
  }
}

/** Longer sequences begin like shorter ones. */
function arraysOf({ steps, batch, input, hidden, mode }: Case): Pick<Problem, "inputs" | "targets"> {
  const isLayer = mode === "forward" || mode === "training";
  const calls = isLayer ? 1 : mode === "stream" ? streamCalls : 0;
  return { inputs: numbers(calls * steps * batch * input, 1), targets: numbers(isLayer ? steps * batch * hidden : 0, 2).map((v) => v / 2) };
}
