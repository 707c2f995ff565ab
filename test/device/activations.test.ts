/** Functions of gates and clip: values from onnxruntime and from the ONNX equations in numpy, gradients, every strategy, both backends. */
import { describe, expect, it } from "vitest";
import { forward, gradients, GRU, LSTM, RNN, type Module, type Tensor } from "webgpu-rnn";
import equations from "../fixtures/activations/equations.json";
import gruHardSigmoidRelu from "../fixtures/activations/gru_acts_hardsigmoid_relu.json";
import gruClip from "../fixtures/activations/gru_clip0_6.json";
import lstmHardSigmoid from "../fixtures/activations/lstm_acts_hardsigmoid.json";
import rnnAffine from "../fixtures/activations/rnn_affine.json";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const layers = { RNN, GRU, LSTM } as const;
type Kind = keyof typeof layers;
const layerOf = (kind: Kind, inputs: number, units: number, options: object): Module => new layers[kind](inputs, units, options);

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const random = (shape: number[], seed: number): Tensor => ({ shape, data: Float64Array.from(numbers(sizeOf(shape), seed)) });
const strategies = ["loop", "step"] as const;

describe("gives onnxruntime's values", () => {
  interface Node {
    op: string;
    attributes: { hidden_size: number; activations?: string[]; activation_alpha?: number[]; activation_beta?: number[]; clip?: number };
    inputs: Record<"X" | "W" | "R" | "B", { shape: number[]; data: number[] }>;
    outputs: { Y: { data: number[] } };
  }
  const nodes: Record<string, Node> = { gruHardSigmoidRelu, gruClip, lstmHardSigmoid, rnnAffine };
  /** Where ONNX has our gates, in our order. */
  const orders: Record<string, number[]> = { RNN: [0], GRU: [1, 0, 2], LSTM: [0, 2, 3, 1] };
  const withParameters = ["HardSigmoid", "LeakyRelu", "Elu", "Affine", "ScaledTanh", "ThresholdedRelu"];

  function modelOf({ op, attributes, inputs: { X, W, R, B } }: Node): Module {
    const { hidden_size: H, activations, activation_alpha: alphas, activation_beta: betas, clip } = attributes;
    const roles = op === "RNN" ? ["candidate"] : ["gates", "candidate", "output"];
    const chosen = activations?.map((name, i) => [
      roles[i],
      withParameters.includes(name) ? { name, alpha: alphas![i], beta: betas![i] } : name,
    ]);
    const model = layerOf(op as Kind, X.shape[2], H, {
      ...(chosen && { activations: Object.fromEntries(chosen) as object }),
      ...(clip !== undefined && { clip }),
      ...(op === "GRU" && { reset: "before" }),
    });
    const ordered = (data: number[], columns: number): Tensor => ({
      shape: columns === 1 ? [orders[op].length * H] : [orders[op].length * H, columns],
      data: Float32Array.from(orders[op].flatMap((gate) => data.slice(gate * H * columns, (gate + 1) * H * columns))),
    });
    const half = B.data.length / 2;
    model.loadStateDict({
      weight_ih_l0: ordered(W.data, X.shape[2]),
      weight_hh_l0: ordered(R.data, H),
      bias_ih_l0: ordered(B.data.slice(0, half), 1),
      bias_hh_l0: ordered(B.data.slice(half), 1),
    });
    return model;
  }

  // A software adapter takes seconds to compile a loop.
  const ways = [
    ["cpu", "loop"],
    ["cpu", "step"],
    ["webgpu", "step"],
  ] as const;
  it.each(ways.flatMap((way) => Object.keys(nodes).map((name) => [name, ...way] as const)))(
    "%s on %s by %s",
    async (name, kind, strategy) => {
      const node = nodes[name];
      const { X } = node.inputs;
      const input = { shape: X.shape, data: Float32Array.from(X.data) };
      const { output } = await forward(modelOf(node), { input }, { backend: await backend(kind), strategy });
      expectClose("output", output.data, Float32Array.from(node.outputs.Y.data));
    },
  );
});

describe("gives the values of the ONNX equations", () => {
  const [T, B, I, H] = equations.sizes;
  const waves = (shape: number[], phase: number, factor = 1): Tensor => ({
    shape,
    data: Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(1.3 * i + phase) * factor),
  });
  async function expectValues(of: (typeof equations.cases)[number], on: Parameters<typeof backend>, strategy: "loop" | "step") {
    const { cell, options, output } = of;
    const model = layerOf(cell as Kind, I, H, options);
    const G = { RNN: 1, GRU: 3, LSTM: 4 }[cell]!;
    model.loadStateDict({
      weight_ih_l0: waves([G * H, I], 1, 0.4),
      weight_hh_l0: waves([G * H, H], 2, 0.3),
      bias_ih_l0: waves([G * H], 3),
      bias_hh_l0: waves([G * H], 4),
      ...("peepholes" in options && options.peepholes && { weight_ch_l0: waves([3 * H], 8, 0.3) }),
    });
    const state = { h: waves([1, B, H], 6), ...(cell === "LSTM" && { c: waves([1, B, H], 7) }) };
    const result = await forward(model, { input: waves([T, B, I], 5), state }, { backend: await backend(...on), strategy });
    expectClose(JSON.stringify({ cell, options }), result.output.data, Float64Array.from(output));
  }

  it("in float64", async () => {
    for (const one of equations.cases) await expectValues(one, ["cpu", "float64"], "step");
  });
  it("on the CPU", async () => {
    for (const one of equations.cases) for (const strategy of strategies) await expectValues(one, ["cpu"], strategy);
  });
  it.runIf((kinds as readonly string[]).includes("webgpu"))("on WebGPU", async () => {
    const some = sampled(equations.cases, 6);
    await Promise.all(some.map((one) => expectValues(one, ["webgpu"], "step")));
  });
});

describe("gradients", () => {
  const input = random([4, 3, 2], 3);
  const roles = {
    gates: { name: "HardSigmoid", alpha: 1 / 6 },
    candidate: "Softplus",
    output: { name: "ScaledTanh", alpha: 1.7, beta: 0.6 },
  } as const;
  const models: Record<string, () => Module> = {
    "LSTM with peepholes": () => new LSTM(2, 3, { activations: roles, clip: 0.6, peepholes: true, bidirectional: true, seed: 1 }),
    "GRU with the reset before and ReLU candidates": () =>
      new GRU(2, 3, { reset: "before", activations: { gates: "HardSigmoid", candidate: "Relu" }, clip: 0.7, bidirectional: true, seed: 2 }),
    "LSTM with layer normalisation": () => new LSTM(2, 3, { activations: roles, normalization: "layer", zoneout: 0.2, seed: 3 }),
    RNN: () => new RNN(2, 3, { activations: { candidate: { name: "Elu", alpha: 0.5 } }, clip: 0.5, numLayers: 2, seed: 4 }),
  };

  // Without kinks, which finite differences cross; those are tried in test/contract/recurrent-gradients.test.ts.
  it("agree with finite differences in float64", async () => {
    const activations = { gates: "Softplus", candidate: "Softplus", output: roles.output } as const;
    await checkGradients(new LSTM(2, 3, { activations, peepholes: true, bidirectional: true, seed: 1 }), { input, lengths: [4, 2, 3] });
    await checkGradients(new GRU(2, 3, { activations: { candidate: "Softplus" }, reset: "before", seed: 2 }), {
      input,
      lengths: [4, 2, 3],
    });
  });

  it.each(kinds.flatMap((kind) => sampledOn(kind, Object.keys(models), 2).map((name) => [name, kind] as const)))(
    "of the %s on %s are the twins', by each strategy and recomputed",
    async (name, kind) => {
      const model = models[name]();
      const units = (await forward(model, { input }, { backend: await backend("cpu", "float64") })).output.shape[2];
      const cotangents = { output: random([4, 3, units], 6) };
      const of = async (on: Parameters<typeof backend>, options: object) =>
        gradients(model, { input }, cotangents, { backend: await backend(...on), ...options });
      const expected = await of(["cpu", "float64"], { strategy: "step" });
      const plain = await Promise.all(
        [...strategies.map((strategy) => ({ strategy })), { recompute: true }].map((options) => of([kind], options)),
      );
      for (const found of plain) {
        expectClose("output", found.output.data, expected.output.data);
        for (const [path, { data }] of Object.entries(expected.gradients.parameters))
          expectClose(path, found.gradients.parameters[path].data, data);
      }
    },
  );
});

describe("a pair of activations", () => {
  const pair = [
    { gates: "HardSigmoid", candidate: "Softsign" },
    { gates: { name: "HardSigmoid", alpha: 1 / 6 }, candidate: { name: "Elu", alpha: 0.5 } },
  ] as const;
  const [T, B, I, H] = [4, 3, 2, 3];
  const input = random([T, B, I], 3);
  const kindsOf = {
    LSTM: (o: object) => new LSTM(I, H, o),
    GRU: (o: object) => new GRU(I, H, o),
    "GRU with the reset before": (o: object) => new GRU(I, H, { reset: "before", ...o }),
  };

  it.each(kinds.flatMap((kind) => sampledOn(kind, Object.keys(kindsOf), 2).map((name) => [name, kind] as const)))(
    "makes a bidirectional %s on %s two layers, one of which reads backwards",
    async (name, kind) => {
      const make = kindsOf[name as keyof typeof kindsOf];
      const both = make({ activations: pair, clip: 0.9, bidirectional: true, seed: 1 });
      const parameters = Object.entries(await both.stateDict());
      const one = (direction: 0 | 1): Module => {
        const single = make({ activations: pair[direction], clip: 0.9, reverse: direction === 1 });
        const own = parameters.filter(([path]) => path.endsWith("_reverse") === (direction === 1));
        single.loadStateDict(Object.fromEntries(own.map(([path, tensor]) => [path.replace("_reverse", ""), tensor])));
        return single;
      };
      const on = { backend: await backend(kind) };
      const inputs = { input, lengths: [4, 2, 3] };
      const cotangent = random([T, B, 2 * H], 6);
      const half = (tensor: Tensor, direction: 0 | 1): Tensor => ({
        shape: [T, B, H],
        data: tensor.data.filter((_: number, i: number) => Math.floor(i / H) % 2 === direction),
      });
      const whole = await gradients(both, inputs, { output: cotangent }, on);
      for (const direction of [0, 1] as const) {
        const single = await gradients(one(direction), inputs, { output: half(cotangent, direction) }, on);
        expectClose("output", half(whole.output, direction).data, single.output.data);
        for (const [path, { data }] of Object.entries(single.gradients.parameters))
          expectClose(path, whole.gradients.parameters[direction === 1 ? `${path}_reverse` : path].data, data);
      }
    },
  );

  it("of equal functions runs both directions in one dispatch, as functions for both do", async () => {
    const on = await backend("cpu");
    const dispatches = async (activations: object): Promise<number> => {
      const before = on.counters.dispatches;
      await forward(make(activations), { input }, { backend: on });
      return on.counters.dispatches - before;
    };
    const make = (activations: object): Module => new LSTM(I, H, { bidirectional: true, activations, seed: 1 });
    expect(await dispatches([pair[0], pair[0]])).toBe(await dispatches(pair[0]));
    expect(await dispatches(pair)).toBe((await dispatches(pair[0])) + 1);
  });
});

describe("one mechanism", () => {
  const same = async (one: Module, other: Module): Promise<void> => {
    other.loadStateDict(await one.stateDict());
    const on = await backend("cpu");
    const of = async (model: Module) => (await forward(model, { input: random([3, 2, 2], 1) }, { backend: on })).output.data;
    expect(await of(one)).toEqual(await of(other));
  };
  it("makes nonlinearity the short form of an RNN's candidate", () =>
    same(new RNN(2, 3, { nonlinearity: "relu", seed: 1 }), new RNN(2, 3, { activations: { candidate: "Relu" } })));
  it("makes outputActivation the short form of an LSTM's output", () =>
    same(
      new LSTM(2, 3, { outputActivation: "identity", seed: 1 }),
      new LSTM(2, 3, { activations: { output: { name: "Affine", alpha: 1, beta: 0 } } }),
    ));
  it("takes defaults that are spelled out", () =>
    same(new LSTM(2, 3, { seed: 1 }), new LSTM(2, 3, { activations: { gates: "Sigmoid", candidate: { name: "Tanh" }, output: "Tanh" } })));
});
