/**
 * Weights stacked as in course notes: the notes' equations in loops against the layers, and conversion there and back.
 */
import { describe, expect, it } from "vitest";
import { forward, GRU, LSTM, RNN, tensor, type Tensor } from "webgpu-rnn";
import { stackWeights, unstackWeights, type StackedCell } from "webgpu-rnn/formats";
import { backend, expectClose, kinds, numbers } from "./support.ts";

const [T, I, H] = [4, 2, 3];
const x: Tensor = { shape: [T, 1, I], data: numbers(T * I, 3) };
const layers: Record<StackedCell, () => RNN | GRU | LSTM> = {
  rnn: () => new RNN(I, H, { seed: 1 }),
  gru: () => new GRU(I, H, { reset: "before", seed: 2 }),
  lstm: () => new LSTM(I, H, { seed: 3 }),
};
const gates: Record<StackedCell, string> = { rnn: "a", gru: "ruc", lstm: "ufco" };
const cellsOf = Object.keys(layers) as StackedCell[];

const sigma = (s: number): number => 1 / (1 + Math.exp(-s));

/** a⟨1⟩ … a⟨T⟩ as the notes have them: Γ = σ(W[a⟨t-1⟩, x⟨t⟩] + b). */
function byTheNotes(cell: StackedCell, notes: Record<string, Tensor>): number[] {
  let a = new Array<number>(H).fill(0);
  let c = a;
  const outputs: number[] = [];
  for (let t = 0; t < T; t++) {
    const xt = Array.from(x.data.slice(t * I, (t + 1) * I));
    const sum = (name: string, state: number[]): number[] =>
      a.map((_, j) => [...state, ...xt].reduce((s, v, k) => s + v * notes[`W_${name}`].data[j * (H + I) + k], notes[`b_${name}`].data[j]));
    if (cell === "rnn") {
      a = sum("a", a).map(Math.tanh);
    } else if (cell === "gru") {
      const [r, u] = [sum("r", a).map(sigma), sum("u", a).map(sigma)];
      const candidate = sum(
        "c",
        a.map((v, j) => r[j] * v),
      ).map(Math.tanh);
      a = a.map((v, j) => u[j] * candidate[j] + (1 - u[j]) * v);
    } else {
      const [u, f, o, candidate] = [sum("u", a).map(sigma), sum("f", a).map(sigma), sum("o", a).map(sigma), sum("c", a).map(Math.tanh)];
      c = c.map((v, j) => u[j] * candidate[j] + f[j] * v);
      a = c.map((v, j) => o[j] * Math.tanh(v));
    }
    outputs.push(...a);
  }
  return outputs;
}

describe.each(cellsOf)("weights of a %s", (cell) => {
  it.each(kinds)("stacked give by the notes' equations what the layer gives on %s", async (kind) => {
    const layer = layers[cell]();
    const notes = stackWeights(cell, await layer.stateDict());
    expect(Object.keys(notes).sort()).toEqual(
      Array.from(gates[cell])
        .flatMap((g) => [`W_${g}`, `b_${g}`])
        .sort(),
    );
    expect(notes[`W_${gates[cell][0]}`].shape).toEqual([H, H + I]);
    expectClose("a", (await forward(layer, x, { backend: await backend(kind) })).output.data, byTheNotes(cell, notes));
  });

  it.each(kinds)("of the notes can be loaded, on %s", async (kind) => {
    const notes: Record<string, Tensor> = Object.fromEntries(
      Array.from(gates[cell]).flatMap((g, i) => [
        [`W_${g}`, { shape: [H, H + I], data: numbers(H * (H + I), i + 20) }],
        [`b_${g}`, { shape: [H], data: numbers(H, i + 30) }],
      ]),
    );
    const layer = layers[cell]();
    layer.loadStateDict(unstackWeights(cell, notes));
    expectClose("a", (await forward(layer, x, { backend: await backend(kind) })).output.data, byTheNotes(cell, notes));
    const again = stackWeights(cell, await layer.stateDict());
    for (const [name, { data }] of Object.entries(notes)) expectClose(name, again[name].data, data);
  });
});

describe("stacked weights", () => {
  it("have W_aa to the left of W_ax", () => {
    const { W_a, b_a } = stackWeights("rnn", {
      weight_ih_l0: tensor([[5], [6]]),
      weight_hh_l0: tensor([
        [1, 2],
        [3, 4],
      ]),
      bias_ih_l0: tensor([1, 2]),
      bias_hh_l0: tensor([10, 20]),
    });
    expect([...W_a.data]).toEqual([1, 2, 5, 3, 4, 6]);
    expect([...b_a.data]).toEqual([11, 22]);
  });

  it("can be those of the second direction, and have biases of zero where there are none", async () => {
    const layer = new LSTM(I, H, { bidirectional: true, bias: false, seed: 1 });
    const dict = await layer.stateDict();
    const notes = stackWeights("lstm", dict, "l0_reverse");
    expect(notes.b_f.data.every((b) => b === 0)).toBe(true);
    expectClose("weights", unstackWeights("lstm", notes, "l0_reverse").weight_hh_l0_reverse.data, dict.weight_hh_l0_reverse.data);
  });

  it.each<[string, () => LSTM, string]>([
    ["peepholes", () => new LSTM(I, H, { peepholes: true }), "weight_ch_l0"],
    ["projections", () => new LSTM(I, H, { projSize: 2 }), "weight_hr_l0"],
    ["gains", () => new LSTM(I, H, { normalization: "layer", bias: false }), "gain_ih_l0"],
    ["running statistics", () => new LSTM(I, H, { normalization: "batch", normalizedSteps: 2 }), "gain_ih_l0"],
  ])("are refused of layers with %s", async (_, make, name) => {
    const dict = await make().stateDict();
    expect(() => stackWeights("lstm", dict)).toThrow(
      expect.objectContaining({
        name: "RnnError",
        kind: "format",
        message: `stackWeights: cannot stack "${name}": notes have no place for peepholes, projections, gains and running statistics`,
      }) as Error,
    );
  });

  it("are those of the layer that is asked for, whatever others have", async () => {
    const { weight_ih_l0, weight_hh_l0 } = await new LSTM(I, H).stateDict();
    expect(() =>
      stackWeights("lstm", { weight_ih_l0, weight_hh_l0, weight_ch_l1: weight_hh_l0, weight_ch_l0_reverse: weight_hh_l0 }),
    ).not.toThrow();
  });

  it.each([
    ["a cell that has none", () => stackWeights("cnn" as never, {}), "stackWeights: cell must be"],
    ["a missing array", () => stackWeights("rnn", {}), 'stackWeights: lacks "weight_ih_l0"'],
    [
      "rows that are no whole number of gates",
      () => stackWeights("gru", { weight_ih_l0: tensor([[1], [2]]) }),
      'stackWeights: "weight_ih_l0" must have rows for 3 gates, got 2',
    ],
    ["a missing gate", () => unstackWeights("lstm", { W_u: tensor([[1, 2]]), b_u: tensor([1]) }), 'unstackWeights: lacks "W_f"'],
    [
      "no column on x",
      () => unstackWeights("rnn", { W_a: tensor([[1]]), b_a: tensor([1]) }),
      'unstackWeights: columns of "W_a" on x must be an integer of at least 1, got 0',
    ],
  ])("are refused of %s", (_, act, message) => {
    expect(act).toThrow(message);
  });
});
