/** Many to one: each row's output where it ends, for each direction. */
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
  tensor,
  Trainer,
  type Merge,
  type Tensor,
} from "webgpu-rnn";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";

const [T, B, I, H] = [5, 3, 2, 4];
const lengths = [3, 5, 1];
const input: Tensor = { shape: [T, B, I], data: numbers(T * B * I, 3) };

describe.each(kinds)("the last step on %s", (kind) => {
  it.each([
    ["RNN", RNN],
    ["GRU", GRU],
    ["LSTM", LSTM],
  ] as const)("of a bidirectional %s is its output at the row's end, forwards, and at its beginning, backwards", async (_, Layer) => {
    const on = await backend(kind);
    const layer = new Layer(I, H, { bidirectional: true, numLayers: 2, seed: 1 });
    const {
      output: { data: y },
    } = await forward(layer, { input, lengths }, { backend: on });
    const { output, state } = await forward(new LastStep(layer), { input, lengths }, { backend: on });
    const at = (t: number, b: number, unit: number): number => y[(t * B + b) * 2 * H + unit];
    expect(output.shape).toEqual([B, 2 * H]);
    expectClose(
      "output",
      output.data,
      lengths.flatMap((length, b) => Array.from({ length: 2 * H }, (__, unit) => at(unit < H ? length - 1 : 0, b, unit))),
    );
    expect(state.h.shape).toEqual([4, B, H]);
  });

  it.each(["sum", "mul", "average", "none"] as Merge[])("is merged by %s as outputs are", async (merge) => {
    const on = await backend(kind);
    const make = (how?: Merge): GRU => new GRU(I, H, { bidirectional: true, merge: how, seed: 2 });
    const {
      output: { data },
    } = await forward(new LastStep(make()), { input, lengths }, { backend: on });
    const { output } = await forward(new LastStep(make(merge)), { input, lengths }, { backend: on });
    expect(output.shape).toEqual(merge === "none" ? [B, 2, H] : [B, H]);
    const both = {
      sum: (a: number, b: number) => a + b,
      mul: (a: number, b: number) => a * b,
      average: (a: number, b: number) => (a + b) / 2,
    };
    expectClose(
      "output",
      output.data,
      merge === "none"
        ? data
        : Array.from(output.data, (_, i) => {
            const row = Math.floor(i / H) * 2 * H + (i % H);
            return both[merge as keyof typeof both](data[row], data[row + H]);
          }),
    );
  });

  it("is [batch, units] with the batch first as well, and the initial state of a row without steps", async () => {
    const on = await backend(kind);
    const layer = new LSTM(1, 2, { batchFirst: true, seed: 3 });
    const h = { shape: [1, 2, 2], data: Float32Array.of(0.1, 0.2, 0.3, 0.4) };
    const x = tensor([
      [[1], [2], [3]],
      [[4], [5], [6]],
    ]);
    const { output } = await forward(new LastStep(layer), { input: x, lengths: [2, 0], state: { h } }, { backend: on });
    const { output: steps } = await forward(layer, { input: x, state: { h } }, { backend: on });
    expect(output.shape).toEqual([2, 2]);
    expectClose("output", output.data, [steps.data[2], steps.data[3], 0.3, 0.4]);
  });

  it.each([false, true])('is with of: "lastStep" the output at the last step in both directions, batchFirst %s', async (batchFirst) => {
    const on = await backend(kind);
    for (const merge of ["concat", "sum", "none"] as Merge[]) {
      const layer = new GRU(I, H, { bidirectional: true, batchFirst, merge, seed: 5 });
      const x = { shape: batchFirst ? [B, T, I] : [T, B, I], data: input.data };
      const {
        output: { data: y, shape },
      } = await forward(layer, x, { backend: on });
      const { output } = await forward(new LastStep(layer, { of: "lastStep" }), x, { backend: on });
      const size = y.length / (T * B);
      expect(output.shape).toEqual([B, ...shape.slice(2)]);
      expect(output.data).toEqual(
        Float32Array.from({ length: B * size }, (_, i) => {
          const [row, unit] = [Math.floor(i / size), i % size];
          return y[(batchFirst ? row * T + T - 1 : (T - 1) * B + row) * size + unit];
        }),
      );
    }
    // Other than what was read in the end, which is the default.
    const layer = new GRU(I, H, { bidirectional: true, seed: 5 });
    const [ends, last] = await Promise.all(
      [new LastStep(layer), new LastStep(layer, { of: "lastStep" })].map(
        async (model) => (await forward(model, input, { backend: on })).output.data,
      ),
    );
    expect(ends.slice(0, H)).toEqual(last.slice(0, H));
    expect(ends.slice(H, 2 * H)).not.toEqual(last.slice(H, 2 * H));
  });

  it('has the CPU\'s gradients in float64 with of: "lastStep", and refuses lengths', async () => {
    const model = new LastStep(new GRU(I, H, { bidirectional: true, seed: 4 }), { of: "lastStep" });
    const cotangent = { shape: [B, 2 * H], data: numbers(B * 2 * H, 9) };
    const [actual, expected] = await Promise.all(
      [backend(kind), backend("cpu", "float64")].map(
        async (on) => (await gradients(model, input, { output: cotangent }, { backend: await on })).gradients,
      ),
    );
    expectClose("d.input", actual.input!.data, expected.input!.data);
    for (const [path, { data }] of Object.entries(expected.parameters)) expectClose(path, actual.parameters[path].data, data);
    await expect(forward(model, { input, lengths }, { backend: await backend(kind) })).rejects.toThrow(
      'LastStep: of: "lastStep" needs whole rows, got lengths',
    );
  });

  it("has the CPU's gradients in float64, and none where a row has ended", async () => {
    const model = new LastStep(new GRU(I, H, { bidirectional: true, seed: 4 }));
    const cotangent = { shape: [B, 2 * H], data: numbers(B * 2 * H, 9) };
    const [actual, expected] = await Promise.all(
      [backend(kind), backend("cpu", "float64")].map(
        async (on) => (await gradients(model, { input, lengths }, { output: cotangent }, { backend: await on })).gradients,
      ),
    );
    expectClose("d.input", actual.input!.data, expected.input!.data);
    actual.input!.data.forEach((d, i) => expect(d !== 0, `d.input[${i}]`).toBe(Math.floor(i / (B * I)) < lengths[Math.floor(i / I) % B]));
    for (const [path, { data }] of Object.entries(expected.parameters)) expectClose(path, actual.parameters[path].data, data);
  });

  it("learns a class for each row: whether the first token comes again", async () => {
    const on = await backend(kind);
    const model = new Sequential([new Embedding(3, 4), new LastStep(new GRU(4, 12)), new Linear(12, 2)], { seed: 1 });
    const rows = Array.from({ length: 48 }, (_, i) => [i % 3, Math.floor(i / 3) % 3, Math.floor(i / 9) % 3]);
    const batch = {
      input: { shape: [3, 48], data: Uint32Array.from({ length: 144 }, (_, i) => rows[i % 48][Math.floor(i / 48)]) },
      targets: { shape: [48], data: Int32Array.from(rows, ([first, ...rest]) => (rest.includes(first) ? 1 : 0)) },
      startsSequence: true,
    };
    const trainer = new Trainer(model, {
      backend: on,
      data: { batches: 1, carriesState: false, batch: () => batch },
      loss: crossEntropy(),
      optimizer: adam({ learningRate: 0.05 }),
    });
    let last = Infinity;
    for await (const { loss } of trainer.run({ steps: 60 })) last = loss;
    expect(last).toBeLessThan(0.1);
  });
});

describe("the last step", () => {
  it("has the gradients of finite differences", async () => {
    const x = { shape: [4, 3, 2], data: Float64Array.from(numbers(24, 3)) };
    await checkGradients(new LastStep(new LSTM(2, 3, { bidirectional: true, numLayers: 2, seed: 1 })), { input: x, lengths: [2, 4, 0] });
    await checkGradients(new LastStep(new GRU(2, 3, { batchFirst: true, bidirectional: true, merge: "average", seed: 1 })), { input: x });
  });

  it("keeps the names of the layer's parameters, and takes layers only", () => {
    expect([...new Sequential({ rnn: new LastStep(new RNN(2, 3)) }).namedParameters().keys()]).toEqual([
      "rnn.weight_ih_l0",
      "rnn.weight_hh_l0",
      "rnn.bias_ih_l0",
      "rnn.bias_hh_l0",
    ]);
    expect(() => new LastStep(new Linear(2, 3) as never)).toThrow("LastStep: takes a recurrent layer such as an LSTM, got");
  });
});
