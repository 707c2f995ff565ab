/** Rows that lack any steps: each is held to the same row without them, as a shorter one. */
import { describe, expect, it } from "vitest";
import {
  adam,
  crossEntropy,
  Embedding,
  forward,
  gradients,
  GRU,
  LastStep,
  Linear,
  LSTM,
  MinGRU,
  RNN,
  Sequential,
  squaredError,
  Trainer,
  type BatchLike,
  type ModelGradients,
  type ModelInputs,
  type Module,
  type Tensor,
} from "webgpu-rnn";
import { gradientFlow } from "webgpu-rnn/inspect";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const [B, I, H] = [4, 2, 3];
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const tensor = (shape: number[], seed: number): Tensor => ({ shape, data: Float64Array.from(numbers(sizeOf(shape), seed)) });

/** Longer than a word has bits: a row with gaps all over, one without any step, a whole one, one that begins late and ends early. */
const T = 37;
const mask: Tensor = {
  shape: [T, B],
  data: Float32Array.from(numbers(T * B, 9), (u, i) => {
    const [t, b] = [Math.floor(i / B), i % B];
    return [u > -0.2, false, true, t > 2 && t < 34 && u > 0][b] ? 1 : 0;
  }),
};
const has = (t: number, b: number): boolean => mask.data[t * B + b] === 1;

type Options = NonNullable<ConstructorParameters<typeof GRU>[2]>;
const layers: Record<string, (options: Options) => Module> = {
  RNN: (options) => new RNN(I, H, options),
  GRU: (options) => new GRU(I, H, options),
  "GRU with the reset before": (options) => new GRU(I, H, { ...options, reset: "before" }),
  LSTM: (options) => new LSTM(I, H, options),
  "LSTM with peepholes": (options) => new LSTM(I, H, { ...options, peepholes: true }),
  MinGRU: ({ bidirectional, numLayers, seed }) => new MinGRU(I, H, { bidirectional, numLayers, seed }),
  "normalised LSTM": (options) => new LSTM(I, H, { ...options, normalization: "layer" }),
  "normalised GRU with zoneout": (options) => new GRU(I, H, { ...options, normalization: "layer", zoneout: 0.2 }),
};
const names = Object.keys(layers);
const stateOf = (name: string, rows: number): Record<string, Tensor> => ({
  h: tensor([rows, B, H], 4),
  ...(name.includes("LSTM") ? { c: tensor([rows, B, H], 5) } : {}),
});

/** Steps that each row has. */
const steps = Array.from({ length: B }, (_, b) => Array.from({ length: T }, (__, t) => t).filter((t) => has(t, b)));

/** The steps that rows have, moved to the front. */
function packed({ shape, data }: Tensor): Tensor {
  const width = data.length / (T * B);
  const result = new Float64Array(data.length);
  steps.forEach((own, b) =>
    own.forEach((t, to) => result.set(data.subarray((t * B + b) * width, (t * B + b + 1) * width), (to * B + b) * width)),
  );
  return { shape, data: result };
}

/** The step, by its number among those that the row has, whose state stands at step t of a direction; -1 for the initial state. */
function sourceOf(t: number, b: number, backwards: boolean): number {
  const own = steps[b];
  if (!backwards) return own.findLastIndex((step) => step <= t);
  return own.findIndex((step) => step >= t);
}

/** Calls `each` for every number of an output [T, B, directions·H], with where it comes from: a place in the packed output, or the initial state. */
function eachOutput(directions: number, each: (at: number, packedAt: number | undefined, stateAt: number) => void): void {
  const width = directions * H;
  for (let t = 0; t < T; t++)
    for (let b = 0; b < B; b++)
      for (let k = 0; k < width; k++) {
        const direction = Math.floor(k / H);
        const source = sourceOf(t, b, direction === 1);
        each((t * B + b) * width + k, source < 0 ? undefined : (source * B + b) * width + k, (direction * B + b) * H + (k % H));
      }
}

/** Output and gradients with gaps, from those of the shorter rows. */
async function expectedOf(name: string, bidirectional: boolean, state: Record<string, Tensor>, cotangent: Tensor): Promise<ModelGradients> {
  const model = layers[name]({ bidirectional, seed: 1 });
  const directions = bidirectional ? 2 : 1;
  const inner = { shape: cotangent.shape, data: new Float64Array(cotangent.data.length) };
  const toState = new Float64Array(directions * B * H);
  eachOutput(directions, (at, packedAt, stateAt) => {
    if (packedAt === undefined) toState[stateAt] += cotangent.data[at];
    else inner.data[packedAt] += cotangent.data[at];
  });
  const inputs = { input: packed(tensor([T, B, I], 3)), state, lengths: steps.map(({ length }) => length) };
  const found = await gradients(model, inputs, { output: inner, state }, { backend: await backend("cpu", "float64") });
  const output = new Float64Array(cotangent.data.length);
  eachOutput(directions, (at, packedAt, stateAt) => {
    output[at] = packedAt === undefined ? state.h.data[stateAt] : found.output.data[packedAt];
  });
  const input = new Float64Array(T * B * I);
  steps.forEach((own, b) =>
    own.forEach((t, from) => input.set(found.gradients.input!.data.subarray((from * B + b) * I, (from * B + b + 1) * I), (t * B + b) * I)),
  );
  found.gradients.state.h.data.forEach((d, i, all) => (all[i] = d + toState[i]));
  return {
    ...found,
    output: { ...found.output, data: output },
    gradients: { ...found.gradients, input: { shape: [T, B, I], data: input } },
  };
}

const byStrategies = [
  ...names.map((name) => [name, true, undefined] as const),
  ...["RNN", "LSTM", "normalised LSTM"].map((name) => [name, false, "step"] as const),
  ["LSTM", false, "loop"],
  ["GRU with the reset before", true, "step"],
] as const;

describe.each(kinds)("rows with gaps on %s", (kind) => {
  it.each(sampledOn(kind, byStrategies, 3))(
    "give what the same rows give without them: %s, both directions: %s, by %s",
    async (name, bidirectional, strategy) => {
      const directions = bidirectional ? 2 : 1;
      const [state, cotangent] = [stateOf(name, directions), tensor([T, B, directions * H], 6)];
      const expected = await expectedOf(name, bidirectional, state, cotangent);
      const model = layers[name]({ bidirectional, seed: 1 });
      const options = { backend: await backend(kind), strategy };
      const found = await gradients(model, { input: tensor([T, B, I], 3), state, stepMask: mask }, { output: cotangent, state }, options);
      expectClose("output", found.output.data, expected.output.data);
      expectClose("d.input", found.gradients.input!.data, expected.gradients.input!.data);
      for (const path of Object.keys(state)) {
        expectClose(path, found.state[path].data, expected.state[path].data);
        expectClose(`d.${path}`, found.gradients.state[path].data, expected.gradients.state[path].data);
      }
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectClose(`d.${path}`, found.gradients.parameters[path].data, data);
    },
  );

  it.each(["step", "wavefront"] as const)("are the same to layers that share dispatches and to those that do not: %s", async (strategy) => {
    const model = new LSTM(I, H, { numLayers: 3, seed: 2 });
    const inputs = { input: tensor([T, B, I], 3), stepMask: mask };
    const cotangents = { output: tensor([T, B, H], 6) };
    const expected = await gradients(model, inputs, cotangents, { backend: await backend("cpu", "float64"), strategy: "step" });
    const found = await gradients(model, inputs, cotangents, { backend: await backend(kind), strategy });
    expectClose("output", found.output.data, expected.output.data);
    for (const [path, { data }] of Object.entries(expected.gradients.parameters))
      expectClose(`d.${path}`, found.gradients.parameters[path].data, data);
  });

  it("may come as booleans, batch first, and end where the last step was", async () => {
    const on = { backend: await backend(kind) };
    const model = (batchFirst: boolean): Module => new LastStep(new GRU(I, H, { batchFirst, bidirectional: true, seed: 3 }));
    const { data } = tensor([T, B, I], 3);
    const byRow = {
      shape: [B, T, I],
      data: data.map((_, i) => data[((Math.floor(i / I) % T) * B + Math.floor(i / (I * T))) * I + (i % I)]),
    };
    const booleans = Array.from({ length: B }, (_, b) => Array.from({ length: T }, (__, t) => has(t, b)));
    const expected = await forward(model(false), { input: { shape: [T, B, I], data }, stepMask: mask }, on);
    const found = await forward(model(true), { input: byRow, stepMask: booleans as unknown as Tensor }, on);
    expectClose("last", found.output.data, expected.output.data);
    const whole = await forward(new GRU(I, H, { bidirectional: true, seed: 3 }), { input: { shape: [T, B, I], data }, stepMask: mask }, on);
    for (let b = 0; b < B; b++) {
      const at = (t: number, half: number): Float64Array =>
        Float64Array.from(whole.output.data.slice((t * B + b) * 2 * H + half * H).slice(0, H));
      expectClose("ends", expected.output.data.slice(b * 2 * H, (b + 1) * 2 * H), [...at(T - 1, 0), ...at(0, 1)]);
    }
  });

  it("train as lengths do where they stand for the same", async () => {
    const [steps, rows, vocabulary] = [6, 3, 5];
    const lengths = [4, 6, 2];
    const counts = Float32Array.from({ length: steps * rows }, (_, i) => (Math.floor(i / rows) < lengths[i % rows] ? 1 : 0));
    const ids = { shape: [steps, rows], data: Uint32Array.from({ length: steps * rows }, (_, i) => (i * 7) % vocabulary) };
    const which = { shape: [steps, rows], data: counts };
    const losses = async (more: Partial<BatchLike>): Promise<number[]> => {
      const model = new Sequential([new Embedding(vocabulary, I), new LSTM(I, H, { numLayers: 2 }), new Linear(H, vocabulary)], {
        seed: 1,
      });
      const data = { batches: 1, batch: () => ({ input: ids, targets: ids, mask: which, ...more }) };
      const trainer = new Trainer(model, {
        backend: await backend(kind),
        data,
        loss: crossEntropy(),
        optimizer: adam({ learningRate: 0.1 }),
      });
      const found: number[] = [];
      await trainer.train({ steps: 5, onProgress: ({ loss }) => void found.push(loss) });
      return found;
    };
    expectClose("losses", await losses({ stepMask: which }), await losses({ lengths }), { atol: 1e-6, rtol: 0 });
  });
});

describe("gaps in float64", () => {
  it.each(sampled(names, 2))("have gradients that agree with finite differences: %s, two layers, both directions", async (name) => {
    const [few, rows] = [3, 2];
    const state: Record<string, Tensor> = { h: tensor([4, rows, H], 4), ...(name.includes("LSTM") ? { c: tensor([4, rows, H], 5) } : {}) };
    const stepMask = { shape: [few, rows], data: Float32Array.of(0, 1, 1, 0, 0, 1) };
    const model = layers[name]({ numLayers: 2, bidirectional: true, seed: 1 });
    await checkGradients(model, { input: tensor([few, rows, I], 3), state, stepMask }, false, { bends: name.startsWith("normalised") });
  });

  it("are counted by gradientFlow as a row's end is", async () => {
    const [few, rows] = [4, 2];
    const lengths = [2, 4];
    const model = new LSTM(I, H, { seed: 5 });
    const input = tensor([few, rows, I], 3);
    const which = Float32Array.from({ length: few * rows }, (_, i) => (Math.floor(i / rows) < lengths[i % rows] ? 1 : 0));
    const batch = { input, targets: tensor([few, rows, H], 6) };
    const options = { backend: await backend("cpu", "float64"), loss: squaredError() };
    const expected = await gradientFlow(model, { ...batch, lengths }, options);
    const found = await gradientFlow(model, { ...batch, stepMask: { shape: [few, rows], data: which } }, options);
    for (const [path, { data }] of Object.entries(expected.norms))
      expectClose(path, found.norms[path].data, data, { atol: 1e-12, rtol: 0 });
  });
});

describe("a mask of steps is refused", () => {
  const input = tensor([3, 2, I], 3);
  const ones = (shape: number[]): Tensor => ({ shape, data: new Float32Array(sizeOf(shape)).fill(1) });
  it.each([
    [
      "with lengths",
      new GRU(I, H),
      { input, stepMask: ones([3, 2]), lengths: [1, 2] },
      "inputs: lengths and stepMask both say which steps rows have; give one of them",
    ],
    ["in another order", new GRU(I, H), { input, stepMask: ones([2, 3]) }, "inputs: stepMask must be [3, 2], got [2, 3]"],
    [
      "with other numbers",
      new GRU(I, H),
      { input, stepMask: { shape: [3, 2], data: Float32Array.of(1, 1, 0, 0.5, 1, 1) } },
      "inputs: stepMask must be of 1 and 0, or true and false, got 0.5 at index 3",
    ],
    [
      "for a single sequence",
      new GRU(I, H),
      { input: tensor([3, I], 3), stepMask: ones([3, I]) },
      /^inputs: stepMask needs an input with steps and a batch/,
    ],
    [
      "by a projected layer with a given state",
      new LSTM(I, H, { projSize: 2 }),
      { input, stepMask: ones([3, 2]), state: { h: ones([1, 2, 2]) } },
      "l0: a projected layer that begins with a given state takes lengths, but no stepMask; leave out the state or the mask",
    ],
  ] as [string, Module, ModelInputs, string | RegExp][])("%s", async (_, model, inputs, message) => {
    await expect(forward(model, inputs, { backend: await backend("cpu") })).rejects.toThrow(message);
  });

  it("but not by a projected layer that begins with zeros", async () => {
    const model = new LSTM(I, H, { projSize: 2, seed: 7 });
    const on = { backend: await backend("cpu", "float64") };
    const data = Float32Array.of(0, 1, 1, 0, 1, 1);
    const { output } = await forward(model, { input, stepMask: { shape: [3, 2], data } }, on);
    const alone = await forward(
      model,
      { input: { shape: [2, 1, I], data: Float64Array.of(...input.data.slice(4, 6), ...input.data.slice(8, 10)) } },
      on,
    );
    const row = [0, 1, 2].flatMap((t) => Array.from(output.data.slice(t * 4, t * 4 + 2)));
    expectClose("row 0", row, [0, 0, ...alone.output.data], { atol: 1e-12, rtol: 0 });
  });
});
