/** Recurrent weights in half precision; those that it cannot hold are named. */
import { describe, expect, it, onTestFinished } from "vitest";
import { forward, gradients, GRU, Linear, LSTM, RNN, Sequential, sgd, squaredError, Trainer, type Module } from "webgpu-rnn";
import { halfToNumber, numberToHalf } from "../../src/tensor/half.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";

const input = { shape: [3, 2, 3], data: numbers(18, 1) };
const half = { storage: "float16", strategy: "step" } as const;

/** The model's weights with one number in one of them. */
async function withValue<M extends Module>(model: M, path: string, value: number, index = 5): Promise<M> {
  const dict = await model.stateDict();
  dict[path].data[index] = value;
  model.loadStateDict(dict);
  return model;
}

describe.each(kinds)("on %s, storage float16", (kind) => {
  it.each([
    ["LSTM", LSTM],
    ["GRU", GRU],
    ["RNN", RNN],
  ] as const)("refuses recurrent weights beyond 65504 of an %s, however they came to be there, and no others", async (_, Layer) => {
    const on = await backend(kind);
    const run = (model: Module, storage: object = half): Promise<unknown> =>
      forward(model, input, { backend: on, strategy: "step", ...storage });
    for (const value of [65505, -65505, 1e6, -3e38]) {
      const message = /^weight_hh_l0: has -?\d.* at index 5, but storage "float16" holds numbers up to 65504/;
      const fresh = await withValue(new Layer(3, 4, { seed: 1 }), "weight_hh_l0", value);
      await expect(run(fresh), String(value)).rejects.toMatchObject({ kind: "data" });
      await expect(run(fresh)).rejects.toThrow(message);
      await expect(
        gradients(fresh, input, { output: { shape: [3, 2, 4], data: numbers(24, 2) } }, { backend: on, ...half }),
      ).rejects.toThrow(message);
      await run(fresh, {});
      // After a first use, and behind it.
      const used = new Layer(3, 4, { seed: 1 });
      await run(used);
      await expect(run(await withValue(used, "weight_hh_l0", value))).rejects.toThrow(message);
      await run(await withValue(used, "weight_hh_l0", 0.5));
    }
    await run(await withValue(await withValue(new Layer(3, 4, { seed: 1 }), "weight_hh_l0", 65504), "weight_ih_l0", 1e6));
  });

  it("computes what single precision does with recurrent weights and biases that are halves already, in every layer and direction", async () => {
    const make = (): LSTM => new LSTM(3, 5, { numLayers: 2, bidirectional: true, seed: 2 });
    const dict = await make().stateDict();
    for (const [name, { data }] of Object.entries(dict))
      if (name.includes("_hh_")) for (let i = 0; i < data.length; i++) data[i] = halfToNumber(numberToHalf(data[i]));
    const rounded = make();
    rounded.loadStateDict(dict);
    const on = await backend(kind);
    const [expected, found] = [
      await forward(rounded, input, { backend: on, strategy: "step" }),
      await forward(make(), input, { backend: on, ...half }),
    ];
    expectClose("output", found.output.data, expected.output.data, { atol: 1e-6, rtol: 1e-6 });
  });

  it("reads halves in each step on WebGPU only: a CPU would unpack them each time, and took 70 times as long", async () => {
    const on = await backend(kind);
    const used = new Set<string>();
    const prepare = on.prepare.bind(on);
    onTestFinished(() => void (on.prepare = prepare));
    on.prepare = (recording, ...rest) => {
      for (const command of recording.commands) if (command.kind === "dispatch") used.add(command.kernel.name);
      return prepare(recording, ...rest);
    };
    for (const strategy of ["loop", "step"] as const) {
      await gradients(
        new LSTM(3, 4, { seed: 1 }),
        input,
        { output: { shape: [3, 2, 4], data: numbers(24, 2) } },
        { backend: on, ...half, strategy },
      );
      const recurrent = [...used].filter((name) => name.startsWith(strategy));
      expect(recurrent).toHaveLength(2);
      expect(recurrent.filter((name) => name.includes(":half"))).toEqual(kind === "webgpu" ? recurrent : []);
      used.clear();
    }
  });

  it("refuses them in training", async () => {
    const model = await withValue(new Sequential({ rnn: new GRU(3, 4), out: new Linear(4, 1) }, { seed: 1 }), "rnn.weight_hh_l0", 7e4);
    const data = { batches: 2, batch: () => ({ input, targets: { shape: [3, 2, 1], data: numbers(6, 3) }, startsSequence: true }) };
    const trainer = new Trainer(model, { backend: await backend(kind), data, loss: squaredError(), optimizer: sgd(), ...half });
    await expect(trainer.train({ steps: 2 })).rejects.toThrow('rnn.weight_hh_l0: has 70000 at index 5, but storage "float16" holds');
    expect(trainer.step).toBe(0);
    await withValue(model, "rnn.weight_hh_l0", 0.1);
    expect((await trainer.train({ steps: 2 })).losses).toHaveLength(2);
  });

  it.each([
    ["LSTM", LSTM],
    ["GRU", GRU],
    ["RNN", RNN],
  ] as const)("ends a training that drives them beyond it, of an %s, which float32 goes on with", async (_, Layer) => {
    const train = async (storage: object): Promise<readonly [Trainer, Promise<unknown>]> => {
      const model = new Sequential({ rnn: new Layer(3, 4), out: new Linear(4, 1) }, { seed: 1 });
      // One step takes recurrent weights, and nothing else, far out: gates saturate there, so that the loss stays finite.
      for (const path of model.namedParameters().keys()) if (path !== "rnn.weight_hh_l0") model.freeze(path);
      const data = { batches: 2, batch: () => ({ input, targets: { shape: [3, 2, 1], data: numbers(6, 3) }, startsSequence: true }) };
      const trainer = new Trainer(model, {
        backend: await backend(kind),
        data,
        loss: squaredError(),
        optimizer: sgd({ learningRate: 1e9 }),
        strategy: "step",
        ...storage,
      });
      return [trainer, trainer.train({ steps: 3 })];
    };
    const [trainer, run] = await train(half);
    await expect(run).rejects.toMatchObject({ kind: "numeric" });
    await expect(run).rejects.toThrow(/storage "float32" if recurrent weights or gates are beyond 65504$/);
    expect(trainer.step).toBe(0);
    const [, other] = await train({});
    expect(((await other) as { losses: number[] }).losses.every(Number.isFinite)).toBe(true);
  });
});
