/** Variants of the cells: gradients, every strategy on both backends, and what each is equal to with other weights. */
import { describe, expect, it } from "vitest";
import {
  adam,
  crossEntropy,
  Embedding,
  forward,
  gradients,
  GRU,
  Linear,
  LSTM,
  Sequential,
  sgd,
  TextData,
  Trainer,
  type ModelInputs,
  type Module,
  type Optimizer,
  type Tensor,
} from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const [T, B, I, H] = [4, 3, 2, 3];
/** Units enough for the number of threads that the kernels' own tests compile the time loops with. */
const more = 33;
const tensor = (shape: number[], seed: number): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b),
      seed,
    ),
  ),
});

type LayerOptions = { numLayers?: number; bidirectional?: boolean; seed?: number };
const variants: Record<string, (options: LayerOptions, units?: number) => Module> = {
  "GRU without a reset": (options, units = H) => new GRU(I, units, { ...options, reset: "none" }),
  "GRU whose update gate writes": (options, units = H) => new GRU(I, units, { ...options, updateGate: "writes" }),
  "GRU without a reset whose update gate writes": (options, units = H) =>
    new GRU(I, units, { ...options, reset: "none", updateGate: "writes" }),
  "GRU with the reset before whose update gate writes": (options, units = H) =>
    new GRU(I, units, { ...options, reset: "before", updateGate: "writes" }),
  "LSTM with peepholes": (options, units = H) => new LSTM(I, units, { ...options, peepholes: true }),
  "LSTM with coupled gates": (options, units = H) => new LSTM(I, units, { ...options, forgetGate: "coupled" }),
  "LSTM with coupled gates, peepholes and no output activation": (options, units = H) =>
    new LSTM(I, units, { ...options, forgetGate: "coupled", peepholes: true, outputActivation: "identity" }),
  "LSTM without a forget gate": (options, units = H) => new LSTM(I, units, { ...options, forgetGate: "none", peepholes: true }),
  "LSTM without an output activation": (options, units = H) => new LSTM(I, units, { ...options, outputActivation: "identity" }),
};
const names = Object.keys(variants);

/** States of `lanes` layers or directions. */
function inputsOf(model: string, lanes: number, lengths?: number[], units = H): ModelInputs<Tensor> {
  const state: Record<string, Tensor> = { h: tensor([lanes, B, units], 4) };
  if (model.startsWith("LSTM")) state.c = tensor([lanes, B, units], 5);
  return { input: tensor([T, B, I], 3), state, lengths };
}

describe("gradients in float64 agree with finite differences", () => {
  it.each(sampled(names, 3))("%s, both directions, rows of different lengths", async (name) => {
    await checkGradients(variants[name]({ bidirectional: true, seed: 1 }), inputsOf(name, 2, [2, 4, 1]));
  });
});

const byStrategies = names.flatMap((name) => (["loop", "step", "wavefront"] as const).map((strategy) => [name, strategy] as const));

describe.each(kinds)("on %s", (kind) => {
  // A device compiles each anew, and the kernels' own tests have each cell: a third of them has every cell and strategy.
  it.each(sampledOn(kind, byStrategies, 4))("%s gives the twins' values by %s", async (name, strategy) => {
    const model = variants[name]({ numLayers: 2, seed: 2 }, more);
    const inputs = inputsOf(name, 2, [4, 2, 3], more);
    const cotangents = { output: tensor([T, B, more], 6), state: { h: tensor([2, B, more], 7) } };
    const expected = await gradients(model, inputs, cotangents, { backend: await backend("cpu", "float64") });
    const found = await gradients(model, inputs, cotangents, { backend: await backend(kind), strategy });
    expectClose("output", found.output.data, expected.output.data);
    expectClose("d.input", found.gradients.input!.data, expected.gradients.input!.data);
    for (const [path, { data }] of Object.entries(expected.gradients.parameters))
      expectClose(`d.${path}`, found.gradients.parameters[path].data, data);
  });
});

/** Rows of gate-major arrays, one block of H rows a gate: `change` gets and gives the blocks. */
async function withBlocks(
  model: Module,
  gates: number,
  change: (blocks: Float64Array[], name: string) => Float64Array[],
): Promise<Record<string, Tensor>> {
  return Object.fromEntries(
    Object.entries(await model.stateDict()).map(([name, { shape, data }]) => {
      const size = data.length / gates;
      const blocks = change(
        Array.from({ length: gates }, (_, gate) => Float64Array.from(data.subarray(gate * size, (gate + 1) * size))),
        name,
      );
      return [name, { shape: [blocks.length * H, ...shape.slice(1)], data: Float64Array.from(blocks.flatMap((block) => [...block])) }];
    }),
  );
}

async function expectSame(one: Module, other: Module, inputs: ModelInputs<Tensor>): Promise<void> {
  const on = await backend("cpu", "float64");
  const [a, b] = [await forward(one, inputs, { backend: on }), await forward(other, inputs, { backend: on })];
  expectClose("output", a.output.data, b.output.data, { atol: 1e-12, rtol: 0 });
}

describe("a variant of the GRU equals PyTorch's", () => {
  it.each(["after", "before"] as const)("with the opposite update gate where it writes, reset %s", async (reset) => {
    const writes = new GRU(I, H, { reset, updateGate: "writes", seed: 3 });
    const keeps = new GRU(I, H, { reset });
    keeps.loadStateDict(await withBlocks(writes, 3, ([r, z, n]) => [r, z.map((w) => -w), n]));
    await expectSame(writes, keeps, inputsOf("GRU", 1));
  });

  it("with a reset gate that is always 1 if the cell has none", async () => {
    const none = new GRU(I, H, { reset: "none", seed: 4 });
    const after = new GRU(I, H);
    after.loadStateDict(await withBlocks(none, 2, ([z, n], name) => [z.map(() => (name.startsWith("bias") ? 20 : 0)), z, n]));
    await expectSame(none, after, inputsOf("GRU", 1));
  });
});

describe("a variant of the LSTM equals PyTorch's", () => {
  it("with a forget gate that is always 1 if the cell has none", async () => {
    const none = new LSTM(I, H, { forgetGate: "none", seed: 5 });
    const gate = new LSTM(I, H);
    gate.loadStateDict(await withBlocks(none, 3, ([i, g, o], name) => [i, i.map(() => (name.startsWith("bias") ? 20 : 0)), g, o]));
    await expectSame(none, gate, inputsOf("LSTM", 1));
  });

  it("with peepholes of 0", async () => {
    const peepholes = new LSTM(I, H, { peepholes: true, seed: 6 });
    const plain = new LSTM(I, H);
    const { weight_ch_l0, ...dict } = await peepholes.stateDict();
    plain.loadStateDict(dict);
    peepholes.loadStateDict({ ...dict, weight_ch_l0: { shape: weight_ch_l0.shape, data: new Float32Array(3 * H) } });
    await expectSame(peepholes, plain, inputsOf("LSTM", 1));
  });
});

describe("has only the parameters that its equations name", () => {
  it.each([
    ["GRU without a reset", new GRU(I, H, { reset: "none" }), 2 * H * (I + H + 2), [2 * H, I]],
    ["LSTM with coupled gates", new LSTM(I, H, { forgetGate: "coupled" }), 3 * H * (I + H + 2), [3 * H, I]],
    ["LSTM with peepholes", new LSTM(I, H, { peepholes: true }), 4 * H * (I + H + 2) + 3 * H, [4 * H, I]],
    [
      "LSTM with peepholes and no forget gate",
      new LSTM(I, H, { forgetGate: "none", peepholes: true }),
      3 * H * (I + H + 2) + 2 * H,
      [3 * H, I],
    ],
  ] as const)("%s", async (_, model, count, shape) => {
    const dict = await model.stateDict();
    expect(dict.weight_ih_l0.shape).toEqual(shape);
    expect(model.parameterCount).toBe(count);
    expect(Object.values(dict).reduce((sum, { data }) => sum + data.length, 0)).toBe(count);
    expect(Object.values(dict).every(({ data }) => data.every((x) => x !== 0))).toBe(true);
  });
});

describe.each(kinds)("trained on %s", (kind) => {
  const data = TextData.from("the old man and the sea, and the boat", { batch: 2, steps: 6 });
  const V = data.vocabulary.size;
  const around = (rnn: Module): Module =>
    new Sequential({ embedding: new Embedding(V, I, { seed: 1 }), rnn, linear: new Linear(H, V, { seed: 2 }) });
  const trainerOf = async (rnn: Module, optimizer: Optimizer): Promise<Trainer> =>
    new Trainer(around(rnn), { backend: await backend(kind), data, loss: crossEntropy(), optimizer, clipNorm: 0.05, seed: 1 });

  async function losses(trainer: Trainer, steps: number): Promise<number[]> {
    const result: number[] = [];
    for await (const { loss } of trainer.run({ steps })) result.push(loss);
    return result;
  }

  it("a gate without parameters has no part in the norm by which gradients are clipped", async () => {
    const none = new LSTM(I, H, { forgetGate: "none", seed: 5 });
    const gate = new LSTM(I, H);
    gate.loadStateDict(await withBlocks(none, 3, ([i, g, o], name) => [i, i.map(() => (name.startsWith("bias") ? 20 : 0)), g, o]));
    const expected = await losses(await trainerOf(gate, sgd({ learningRate: 5 })), 6);
    expectClose("losses", await losses(await trainerOf(none, sgd({ learningRate: 5 })), 6), expected);
  });

  it("a variant resumes from a checkpoint bit for bit, the optimiser's state included", async () => {
    const variant = (): Module => new LSTM(I, H, { forgetGate: "coupled", peepholes: true, seed: 7 });
    const optimizer = adam({ learningRate: 0.05, weightDecay: 0.01 });
    const whole = await trainerOf(variant(), optimizer);
    await losses(whole, 3);
    const file = await whole.checkpoint();
    const resumed = await trainerOf(variant(), optimizer);
    await resumed.restore(file);
    expect(await losses(resumed, 3)).toEqual(await losses(whole, 3));
  });
});
