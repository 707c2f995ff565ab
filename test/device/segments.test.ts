// A sequence computed in segments (its gates fit no buffer, or are not kept) gives the same results as in one piece.
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
  plannedMemory,
  RNN,
  RnnError,
  Sequential,
  Trainer,
  type Backend,
  type LayerOptions,
  type ModelGradients,
  type Module,
} from "webgpu-rnn";
import { backend, expectClose, kinds, numbers, ownBackend } from "./support.ts";
import { sampledOn } from "../thorough.ts";

const [T, B, I, H] = [21, 3, 5, 6];
const lengths = [21, 4, 13];

/** The same backend, as if its buffers held no more than this. */
function withBuffersOf(elements: number, device: Backend): Backend {
  return new Proxy(device, {
    get: (target, name) => {
      if (name === "mostElements") return elements;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

function compare(actual: ModelGradients, expected: ModelGradients): void {
  expectClose("output", actual.output.data, expected.output.data);
  for (const [path, { data }] of Object.entries(expected.state)) expectClose(path, actual.state[path].data, data);
  for (const [path, { data }] of Object.entries(expected.gradients.parameters)) {
    expect(
      data.some((x) => x !== 0),
      path,
    ).toBe(true);
    expectClose(`gradient of ${path}`, actual.gradients.parameters[path].data, data);
  }
  if (expected.gradients.input) expectClose("gradient of the input", actual.gradients.input!.data, expected.gradients.input.data);
  for (const [path, { data }] of Object.entries(expected.gradients.state))
    expectClose(`gradient of initial ${path}`, actual.gradients.state[path].data, data);
}

/** Norm of the difference over norm of what is expected. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let whole = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i] - expected[i]) ** 2;
    whole += expected[i] ** 2;
  }
  return Math.sqrt(difference / whole);
}

function run(model: Module, backend: Backend, options: LayerOptions = {}): Promise<ModelGradients> {
  const ids = model.idCount !== undefined;
  const D = model instanceof Sequential ? 1 : (model as LSTM).directions * (model as LSTM).numLayers;
  const width = model instanceof Sequential ? H : H * (model as LSTM).directions;
  const path = model instanceof Sequential ? "rnn.h" : "h";
  return gradients(
    model,
    {
      input: ids
        ? { shape: [T, B], data: Uint32Array.from(numbers(T * B, 1), (x) => Math.floor((x + 1) * 3)) }
        : { shape: [T, B, I], data: numbers(T * B * I, 1) },
      state: { [path]: { shape: [D, B, H], data: numbers(D * B * H, 2) } },
      lengths,
    },
    {
      output: { shape: [T, B, width], data: numbers(T * B * width, 3) },
      state: { [path]: { shape: [D, B, H], data: numbers(D * B * H, 4) } },
    },
    { backend, ...options },
  );
}

const models: [string, () => Module][] = [
  ["LSTM", () => new LSTM(I, H, { seed: 1 })],
  ["two-layer bidirectional LSTM", () => new LSTM(I, H, { seed: 1, numLayers: 2, bidirectional: true })],
  ["bidirectional GRU", () => new GRU(I, H, { seed: 1, bidirectional: true })],
  ["bidirectional GRU with the reset before", () => new GRU(I, H, { seed: 1, bidirectional: true, reset: "before" })],
  ["RNN", () => new RNN(I, H, { seed: 1, bias: false })],
  ["LSTM behind a projected embedding", () => new Sequential({ embedding: new Embedding(6, I), rnn: new LSTM(I, H) }, { seed: 1 })],
];

describe.each(kinds)("in parts on %s", (kind) => {
  it.each(sampledOn(kind, models, 1))("%s keeps its gates by segment", async (_, make) => {
    const device = await backend(kind);
    const expected = await run(make(), device);
    for (const strategy of ["loop", "step"] as const) compare(await run(make(), withBuffersOf(8 * 64 * 4, device), { strategy }), expected);
  });

  it.each(sampledOn(kind, models, 2))("%s computes its gates again, with the same outputs to the bit", async (_, make) => {
    const device = await backend(kind);
    const expected = await run(make(), device);
    const actual = await run(make(), device, { recompute: true });
    compare(actual, expected);
    expect(actual.output.data).toEqual(expected.output.data);
  });

  it.each(sampledOn(kind, models, 2))("%s keeps weights and gates in half precision, accurate to a thousandth", async (_, make) => {
    const device = await backend(kind);
    const expected = await run(make(), device);
    for (const strategy of ["loop", "step"] as const) {
      const actual = await run(make(), device, { storage: "float16", strategy });
      expect(actual.output.data, "it has an effect").not.toEqual(expected.output.data);
      // Halves have 11 bits: each number is off by at most 2^-11 = 0.0005 of itself.
      expect(relativeError(actual.output.data, expected.output.data)).toBeLessThan(1e-3);
      for (const [path, { data }] of Object.entries(expected.gradients.parameters)) {
        expect(relativeError(actual.gradients.parameters[path].data, data), `gradient of ${path}`).toBeLessThan(2e-3);
      }
    }
  });

  it.each([
    ["LSTM", () => new LSTM(I, H, { seed: 1, numLayers: 3 })],
    ["GRU without biases", () => new GRU(I, H, { seed: 1, numLayers: 2, bias: false })],
    [
      "RNN behind a projected embedding",
      () => new Sequential({ embedding: new Embedding(6, I), rnn: new RNN(I, H, { numLayers: 1 }) }, { seed: 1 }),
    ],
  ] as const)("stacked layers of %s walk a wavefront", async (_, make) => {
    const device = await backend(kind);
    compare(await run(make(), device, { strategy: "wavefront" }), await run(make(), device, { strategy: "loop" }));
  });

  it("refuses a batch of which not even one step fits", async () => {
    const device = withBuffersOf(70, await backend(kind));
    const failure = await run(new LSTM(I, H), device).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RnnError);
    expect((failure as RnnError).message).toBe(
      "l0: the gates of one step are 72 numbers, more than the 70 that fit a buffer of this device; use a smaller batch",
    );
  });
});

describe.each(kinds)("the memory planned on %s", (kind) => {
  const input = { shape: [64, 4, 16], data: new Float32Array(64 * 4 * 16) };
  const make = (): LSTM => new LSTM(16, 24, { seed: 1, numLayers: 3 });

  const forms = [{ gradients: false }, { gradients: true }, { gradients: true, recompute: true }];
  it.each(sampledOn(kind, forms, 1))("is what is allocated: %o", async (options) => {
    const device = await ownBackend(kind);
    const model = make();
    const planned = await plannedMemory(model, input, { backend: device, ...options });
    expect(device.counters.bytes).toBe(0);
    if (options.gradients)
      await gradients(
        model,
        input,
        { output: { shape: [64, 4, 24], data: new Float32Array(64 * 4 * 24) } },
        { backend: device, recompute: options.recompute },
      );
    else await forward(model, input, { backend: device });
    expect(planned.total).toBe(planned.lasting + planned.inputs + planned.transient);
    // WebGPU has besides a ring of eight buffers to read results back; the CPU packs weights if they stay, else the
    // recurrent ones for each pass.
    const ring = 8 * (model.parameterCount + 64 * 12 + 2 * 64 * 4 * 24 + 64 * 4 * 16);
    const recurrent = 3 * 4 * 24 * 24;
    const packed = options.gradients ? 2 * recurrent : recurrent + 4 * 24 * (16 + 24 + 24);
    expect(device.counters.bytes).toBeGreaterThanOrEqual(planned.total);
    expect(device.counters.bytes).toBeLessThanOrEqual(planned.total + 4 * (kind === "cpu" ? packed : ring));
    device.destroy();
  });

  const trained = [
    ["carried states", {}, true],
    ["running statistics", { normalization: "batch", normalizedSteps: 3 }, false],
    ["both, of two layers", { normalization: "batch", normalizedSteps: 3, numLayers: 2 }, true],
    ["neither", { numLayers: 2 }, false],
  ] as const;
  // A GPU's compiler takes long for kernels that normalise, and their copies are the same there.
  it.each(trained.filter(([, options]) => kind === "cpu" || !("normalization" in options)))(
    "is what a training allocates, with its copies of %s",
    async (_, options, carryState) => {
      const device = await ownBackend(kind);
      const layer = new LSTM(5, 24, { seed: 1, ...options });
      const model = new Sequential([layer, new Linear(24, 3)], { seed: 2 });
      const input = { shape: [4, 16, 5], data: numbers(4 * 16 * 5) };
      const targets = { shape: [4, 16], data: new Int32Array(64) };
      const trainer = new Trainer(model, {
        backend: device,
        data: { batches: 1, batch: () => ({ input, targets }) },
        loss: crossEntropy(),
        optimizer: adam(),
        clipNorm: 1,
        carryState,
        strategy: "step",
        recovery: false,
      });
      const planned = await trainer.plannedMemory();
      expect(device.counters.bytes).toBe(0);
      await trainer.train({ steps: 8 });
      const { bytes } = device.counters;
      if (kind === "cpu") expect(bytes).toBe(planned.total);
      else {
        expect(bytes).toBeGreaterThanOrEqual(planned.total);
        // Params, and eight staging buffers for loss and norm.
        expect(bytes).toBeLessThanOrEqual(planned.total + 20_000);
      }
      device.destroy();
    },
  );

  it("is less than half the transient memory where gates are computed again", async () => {
    const device = await backend(kind);
    const wide = { shape: [64, 64, 16], data: new Float32Array(64 * 64 * 16) };
    const of = async (recompute: boolean): Promise<number> =>
      (await plannedMemory(make(), wide, { backend: device, gradients: true, recompute })).transient;
    expect((await of(true)) / (await of(false))).toBeLessThan(0.5);
  });

  it("of gates stays the same in longer sequences where nothing is differentiated", async () => {
    const device = await backend(kind);
    const of = async (steps: number): Promise<number> =>
      (await plannedMemory(new LSTM(1, 512), { shape: [steps, 1, 1], data: new Float32Array(steps) }, { backend: device })).transient;
    // 4 · 512 gates a step: two segments, and eight.
    const [shorter, longer] = [await of(4096), await of(16_384)];
    const states = 4 * 2 * 512 * (16_384 - 4096);
    expect(longer - shorter).toBeGreaterThanOrEqual(states);
    expect(longer - shorter).toBeLessThan(1.01 * states);
  });
});

describe.each(kinds)("a large batch on %s", (kind) => {
  it("gives the same in two segments as in two calls", async () => {
    const device = await backend(kind);
    // 2¹⁹ gates a step: a segment has at most eight steps.
    const [steps, batch, hidden] = [10, 16_384, 32];
    const model = new RNN(1, hidden, { seed: 3 });
    const data = numbers(steps * batch, 4);
    const whole = await forward(model, { shape: [steps, batch, 1], data }, { backend: device });
    let state: Record<string, { shape: readonly number[]; data: ArrayLike<number> }> = {};
    for (let first = 0; first < steps; first += 5) {
      const part = { shape: [5, batch, 1], data: data.slice(first * batch, (first + 5) * batch) };
      const one = await forward(model, { input: part, state }, { backend: device });
      ({ state } = one);
      const size = batch * hidden;
      expectClose(`outputs from ${first}`, one.output.data, whole.output.data.subarray(first * size, (first + 5) * size));
    }
  });
});
