/** Options by which layers take what other libraries have: one bias, a direction that reads backwards, no batch, defaults spelled out. */
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
  RNN,
  Sequential,
  Trainer,
  type ModelInputs,
  type Module,
  type StateDict,
  type Tensor,
} from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const [T, B, I, H] = [4, 3, 2, 3];
const tensor = (shape: number[], seed: number): Tensor => ({
  shape,
  data: Float64Array.from(
    numbers(
      shape.reduce((a, b) => a * b),
      seed,
    ),
  ),
});

type Options = NonNullable<ConstructorParameters<typeof GRU>[2]>;
const layers: Record<string, (options: Options) => Module & { numLayers: number }> = {
  RNN: (options) => new RNN(I, H, options),
  GRU: (options) => new GRU(I, H, options),
  "GRU with the reset before": (options) => new GRU(I, H, { ...options, reset: "before" }),
  LSTM: (options) => new LSTM(I, H, options),
  "LSTM with peepholes": (options) => new LSTM(I, H, { ...options, peepholes: true }),
  "projected LSTM": (options) => new LSTM(I, H, { ...options, projSize: 2 }),
  "normalised LSTM": (options) => new LSTM(I, H, { ...options, normalization: "layer" }),
};
const names = Object.keys(layers);
const byStrategies = [...names.map((name) => [name, undefined] as const), ["GRU", "step"], ["LSTM", "wavefront"]] as const;
/** Norms over a few numbers bend more than difference quotients of the usual steps are good for. */
const bends = (name: string): { bends: boolean } => ({ bends: name === "normalised LSTM" });

function stateOf(name: string, rows: number, batch: number | undefined): Record<string, Tensor> {
  const shape = (units: number): number[] => (batch === undefined ? [rows, units] : [rows, batch, units]);
  return { h: tensor(shape(name === "projected LSTM" ? 2 : H), 4), ...(name.includes("LSTM") ? { c: tensor(shape(H), 5) } : {}) };
}

/** Rows [T, B, ·] back to front, each within its length; what is behind stays. */
function flipped({ shape, data }: Tensor, lengths = new Array<number>(B).fill(T)): Tensor {
  const width = data.length / (T * B);
  return {
    shape,
    data: Float64Array.from(data, (_, i) => {
      const [t, b, k] = [Math.floor(i / (B * width)), Math.floor(i / width) % B, i % width];
      return data[((t < lengths[b] ? lengths[b] - 1 - t : t) * B + b) * width + k];
    }),
  };
}

describe("a layer that reads backwards", () => {
  it.each(sampled(names, 2))(
    "has gradients that agree with finite differences: %s, two layers, rows of different lengths",
    async (name) => {
      const inputs = { input: tensor([T, B, I], 3), state: stateOf(name, 2, B), lengths: [2, 4, 1] };
      await checkGradients(layers[name]({ numLayers: 2, reverse: true, seed: 1 }), inputs, false, bends(name));
    },
  );

  describe.each(kinds)("on %s", (kind) => {
    it.each(sampledOn(kind, byStrategies, 2))("is one that reads forwards on the reversed rows: %s by %s", async (name, strategy) => {
      const lengths = [2, 4, 1];
      const [input, cotangent] = [tensor([T, B, I], 3), tensor([T, B, name === "projected LSTM" ? 2 : H], 6)];
      const [backwards, forwards] = [layers[name]({ numLayers: 2, reverse: true }), layers[name]({ numLayers: 2, seed: 2 })];
      backwards.loadStateDict(await forwards.stateDict());
      const state = stateOf(name, 2, B);
      const expected = await gradients(
        forwards,
        { input: flipped(input, lengths), state, lengths },
        { output: flipped(cotangent, lengths) },
        { backend: await backend("cpu", "float64") },
      );
      const options = { backend: await backend(kind), strategy };
      const found = await gradients(backwards, { input, state, lengths }, { output: cotangent }, options);
      expectClose("output", found.output.data, flipped(expected.output, lengths).data);
      expectClose("h", found.state.h.data, expected.state.h.data);
      expectClose("d.input", found.gradients.input!.data, flipped(expected.gradients.input!, lengths).data);
      for (const [path, { data }] of Object.entries(expected.gradients.parameters))
        expectClose(`d.${path}`, found.gradients.parameters[path].data, data);
    });

    it("ends, for the last step, where it has read the first one", async () => {
      const layer = new GRU(I, H, { reverse: true, seed: 3 });
      const inputs = { input: tensor([T, B, I], 3), lengths: [2, 4, 1] };
      const options = { backend: await backend(kind) };
      const { output } = await forward(layer, inputs, options);
      const last = await forward(new LastStep(layer), inputs, options);
      expectClose("last", last.output.data, output.data.subarray(0, B * H));
    });
  });

  it("is neither carried from batch to batch nor asked for text, and is no bidirectional one", async () => {
    const on = await backend("cpu");
    const model = new Sequential([new Embedding(5, I), new GRU(I, H, { reverse: true }), new Linear(H, 5)], { seed: 1 });
    expect(model.readsBackwards).toBe(true);
    const ids = Uint32Array.from({ length: T * B }, (_, i) => i % 5);
    const data = { batches: 1, batch: () => ({ input: { shape: [T, B], data: ids }, targets: { shape: [T, B], data: ids } }) };
    const options = { backend: on, data, loss: crossEntropy(), optimizer: adam({ learningRate: 0.01 }) };
    expect(() => new Trainer(model, { ...options, carryState: true })).toThrow(/carryState must be false with layers that read backwards/);
    await new Trainer(model, options).train({ steps: 1 });
    expect(() => new LSTM(I, H, { reverse: true, bidirectional: true })).toThrow("LSTM: reverse is for one direction; with bidirectional");
  });
});

describe("a layer with the input's bias alone", () => {
  it.each(names)("has one bias fewer: %s", async (name) => {
    const both = await layers[name]({ numLayers: 2 }).stateDict();
    const one = await layers[name]({ numLayers: 2, bias: "input" }).stateDict();
    expect(Object.keys(one)).toEqual(Object.keys(both).filter((path) => !path.startsWith("bias_hh")));
  });

  it.each(sampled(names, 2))("has gradients that agree with finite differences: %s", async (name) => {
    const inputs = { input: tensor([T, B, I], 3), state: stateOf(name, 2, B), lengths: [2, 4, 1] };
    await checkGradients(layers[name]({ bidirectional: true, bias: "input", seed: 1 }), inputs, false, bends(name));
  });

  describe.each(kinds)("on %s", (kind) => {
    it.each(sampledOn(kind, byStrategies, 2))("gives what both biases give where the second is zero: %s by %s", async (name, strategy) => {
      const one = layers[name]({ numLayers: 2, bias: "input", seed: 3 });
      const both = layers[name]({ numLayers: 2 });
      const dict: StateDict = await one.stateDict();
      for (const [path, { shape }] of Object.entries(await both.stateDict())) dict[path] ??= { shape, data: new Float64Array(shape[0]) };
      both.loadStateDict(dict);
      const inputs = { input: tensor([T, B, I], 3), state: stateOf(name, 2, B) };
      const cotangents = { output: tensor([T, B, name === "projected LSTM" ? 2 : H], 6) };
      const expected = await gradients(both, inputs, cotangents, { backend: await backend("cpu", "float64") });
      const found = await gradients(one, inputs, cotangents, { backend: await backend(kind), strategy });
      expectClose("output", found.output.data, expected.output.data);
      for (const [path, { data }] of Object.entries(found.gradients.parameters))
        expectClose(`d.${path}`, data, expected.gradients.parameters[path].data);
    });
  });

  it("lets the forget gate's first bias be chosen", async () => {
    const { bias_ih_l0 } = await new LSTM(I, H, { bias: "input", forgetBias: 1 }).stateDict();
    expect(Array.from(bias_ih_l0.data.subarray(H, 2 * H))).toEqual([1, 1, 1]);
    expect(() => new LSTM(I, H, { bias: "hidden" as "input" })).toThrow('LSTM: bias must be true, false or "input", got "hidden"');
  });
});

describe.each(kinds)("a single sequence on %s", (kind) => {
  it.each(
    sampledOn(
      kind,
      names.map((name, n) => [name, n % 2 === 1] as const),
      2,
    ),
  )("gives what a batch of one gives, without its axis: %s, batchFirst: %s", async (name, batchFirst) => {
    const model = layers[name]({ numLayers: 2, bidirectional: true, batchFirst, seed: 4 });
    const P = name === "projected LSTM" ? 2 : H;
    const [alone, state, output] = [tensor([T, I], 3), stateOf(name, 4, undefined), tensor([T, 2 * P], 6)];
    const withBatch = ({ shape: [first, second], data }: Tensor, batchAt: 0 | 1): Tensor => ({
      shape: batchAt === 1 ? [first, 1, second] : [1, first, second],
      data,
    });
    const at = batchFirst ? 0 : 1;
    const states = Object.fromEntries(Object.entries(state).map(([path, value]) => [path, withBatch(value, 1)]));
    const options = { backend: await backend(kind) };
    const expected = await gradients(
      model,
      { input: withBatch(alone, at), state: states },
      { output: withBatch(output, at), state: states },
      options,
    );
    const found = await gradients(model, { input: alone, state }, { output, state }, options);
    expect(found.output.shape).toEqual([T, 2 * P]);
    expect(Array.from(found.output.data)).toEqual(Array.from(expected.output.data));
    expect(found.gradients.input!.shape).toEqual([T, I]);
    expect(Array.from(found.gradients.input!.data)).toEqual(Array.from(expected.gradients.input!.data));
    for (const path of Object.keys(state)) {
      expect(found.state[path].shape, path).toEqual(state[path].shape);
      expect(Array.from(found.state[path].data), path).toEqual(Array.from(expected.state[path].data));
      expect(Array.from(found.gradients.state[path].data), `d.${path}`).toEqual(Array.from(expected.gradients.state[path].data));
    }
    for (const [path, { data }] of Object.entries(expected.gradients.parameters))
      expect(Array.from(found.gradients.parameters[path].data), `d.${path}`).toEqual(Array.from(data));
  });

  it("returns its last step, both directions separately, and steps that continue from the returned states", async () => {
    const on = { backend: await backend(kind) };
    const both = (merge: "concat" | "none"): GRU => new GRU(I, H, { bidirectional: true, merge, seed: 5 });
    const input = tensor([T, I], 3);
    const { output } = await forward(both("none"), input, on);
    expect(output.shape).toEqual([T, 2, H]);
    const ends = Float64Array.of(...output.data.slice((T - 1) * 2 * H, (T - 1) * 2 * H + H), ...output.data.slice(H, 2 * H));
    for (const merge of ["concat", "none"] as const) {
      const last = await forward(new LastStep(both(merge)), input, on);
      expect(last.output.shape).toEqual(merge === "none" ? [2, H] : [2 * H]);
      expectClose("last", last.output.data, ends);
    }
    const lastOutput = await forward(new LastStep(both("concat"), { of: "lastStep" }), input, on);
    expectClose("last output", lastOutput.output.data, output.data.slice((T - 1) * 2 * H));
    const lstm = new LSTM(I, H, { numLayers: 2, seed: 6 });
    const whole = await forward(lstm, input, on);
    let state: ModelInputs["state"];
    for (let t = 0; t < T; t++) {
      const step = await forward(lstm, { input: { shape: [1, I], data: input.data.slice(t * I, (t + 1) * I) }, state }, on);
      expectClose(`step ${t}`, step.output.data, whole.output.data.subarray(t * H, (t + 1) * H));
      state = step.state;
    }
  });

  it("trains, by ids too", async () => {
    const model = new Sequential([new Embedding(5, I), new LSTM(I, H), new Linear(H, 5)], { seed: 1 });
    const ids = { shape: [T], data: Uint32Array.of(0, 3, 1, 2) };
    const data = { batches: 1, batch: () => ({ input: ids, targets: ids, startsSequence: true }) };
    const trainer = new Trainer(model, {
      backend: await backend(kind),
      data,
      loss: crossEntropy(),
      optimizer: adam({ learningRate: 0.1 }),
    });
    const losses: number[] = [];
    await trainer.train({ steps: 30, onProgress: ({ loss }) => void losses.push(loss) });
    expect(losses[29]).toBeLessThan(losses[0] / 2);
  });

  it("has no rows of different lengths", async () => {
    const run = forward(new GRU(I, H), { input: tensor([T, I], 3), lengths: [1, 2] }, { backend: await backend(kind) });
    await expect(run).rejects.toThrow("GRU: lengths need an input with a batch, got [4, 2]");
  });
});

describe("defaults may be spelled out", () => {
  const common = {
    numLayers: 1,
    bias: true,
    batchFirst: false,
    dropout: 0,
    variational: false,
    bidirectional: false,
    reverse: false,
    merge: "concat",
    recurrentInit: "uniform",
    inputInit: "uniform",
    normalization: "none",
    zoneout: 0,
    recurrentDropout: 0,
    seed: 7,
  } as const;
  it.each([
    ["RNN", new RNN(I, H, { ...common, nonlinearity: "tanh" }), new RNN(I, H, { seed: 7 })],
    ["GRU", new GRU(I, H, { ...common, reset: "after", updateGate: "keeps" }), new GRU(I, H, { seed: 7 })],
    ["GRU, zoneout by state", new GRU(I, H, { ...common, zoneout: { h: 0, c: 0 } }), new GRU(I, H, { seed: 7 })],
    [
      "LSTM",
      new LSTM(I, H, { ...common, forgetGate: "gate", outputActivation: "tanh", peepholes: false, projSize: 0 }),
      new LSTM(I, H, { seed: 7 }),
    ],
  ])("of %s", async (_, spelled, plain) => {
    expect(await spelled.stateDict()).toEqual(await plain.stateDict());
    const on = { backend: await backend("cpu") };
    const input = tensor([T, B, I], 3);
    expect((await forward(spelled, input, on)).output).toEqual((await forward(plain, input, on)).output);
  });
});
