/** ‖∂E_t/∂h_k‖ against known values: powers of w, a sequence cut at k, finite differences through `gradients`. */
import { describe, expect, it } from "vitest";
import {
  crossEntropy,
  Embedding,
  forward,
  gradients,
  GRU,
  LastStep,
  Linear,
  LSTM,
  Module,
  RNN,
  Sequential,
  squaredError,
  tensor,
  type Batch,
  type Context,
  type Tensor,
  type Variable,
} from "webgpu-rnn";
import { gradientFlow } from "webgpu-rnn/inspect";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

/** h_t = w·h_{t-1} + 1, again and again: the 1 keeps what ReLU sees above 0 where w^t has long underflown. */
async function powers(w: number, n: number, kind: "cpu" | "webgpu", precision?: "float64"): Promise<number[]> {
  const model = new RNN(1, 1, { nonlinearity: "relu", bias: false });
  model.loadStateDict({ weight_ih_l0: tensor([[1]]), weight_hh_l0: { shape: [1, 1], data: Float64Array.of(w) } });
  const ones = { shape: [n, 1, 1], data: new Float32Array(n).fill(1) };
  const on = await backend(kind, precision);
  const state = { h: tensor([[[1]]]) };
  const {
    output: { data: y },
  } = await forward(model, { input: ones, state }, { backend: on });
  // ∂½(y - t)²/∂y = y - t, which is made 1.
  const { norms } = await gradientFlow(
    model,
    { input: ones, state, targets: { shape: [n, 1, 1], data: Float64Array.from(y, (v) => v - 1) } },
    { backend: on, loss: squaredError({ reduction: "halfSum" }), at: [n] },
  );
  expect(norms["l0.h"].shape).toEqual([1, n + 1]);
  return Array.from(norms["l0.h"].data);
}

describe("a factor w in every step", () => {
  it.each(sampled([1.01, 1, 0.99, 0.01], 2))("has the gradient w^(n - k) of the state after step k, for w = %d", async (w) => {
    for (const n of sampled([300, 1000], 1)) {
      const flow = await powers(w, n, "cpu", "float64");
      flow.forEach((norm, k) => expect(Math.abs(norm - w ** (n - k)), `k = ${k} of ${n}`).toBeLessThanOrEqual(1e-9 * w ** (n - k)));
    }
  });

  it.each(kinds)("has it on %s, too", async (kind) => {
    expectClose(
      "flow",
      await powers(0.9, 20, kind),
      Array.from({ length: 21 }, (_, k) => 0.9 ** (20 - k)),
    );
  });
});

const [T, B, I, H, C] = [4, 3, 2, 5, 3];
const batch: Pick<Batch, "input" | "targets"> = {
  input: { shape: [T, B, I], data: numbers(T * B * I, 3) },
  targets: { shape: [T, B], data: Int32Array.from({ length: T * B }, (_, i) => i % C) },
};
const loss = crossEntropy({ reduction: "sum" });
const norm = (values: ArrayLike<number>): number => Math.sqrt(Array.from(values).reduce((sum, x) => sum + x * x, 0));
const layers = { RNN, GRU, LSTM };

/** The gradient that cross-entropy of step t alone sends back to the output. */
function cotangentOf(output: Tensor, targets: Tensor, t: number): Tensor {
  const data = new Float64Array(output.data.length);
  for (let b = 0; b < B; b++) {
    const logits = Array.from(output.data.slice(((t - 1) * B + b) * C, ((t - 1) * B + b + 1) * C), Math.exp);
    const sum = logits.reduce((a, x) => a + x, 0);
    logits.forEach((e, c) => (data[((t - 1) * B + b) * C + c] = e / sum - (targets.data[(t - 1) * B + b] === c ? 1 : 0)));
  }
  return { shape: output.shape, data };
}

describe.each(kinds)("gradient flow on %s", (kind) => {
  it.each(sampledOn(kind, Object.keys(layers) as (keyof typeof layers)[], 1))(
    "of a %s is what reaches the initial state of the rest of the sequence",
    async (name) => {
      const on = await backend(kind);
      const model = new Sequential({ rnn: new layers[name](I, H), out: new Linear(H, C) }, { seed: 1 });
      const { norms, at } = await gradientFlow(model, batch, { backend: on, loss });
      const exact = await backend("cpu", "float64");
      const part = (tensor: Tensor, from: number): Tensor => ({
        shape: [T - from, ...tensor.shape.slice(1)],
        data: tensor.data.slice((from * tensor.data.length) / T),
      });
      for (const path of Object.keys(norms)) {
        for (let k = 0; k < T; k++) {
          // h_k: the final state after k steps, from which the rest continues.
          const state =
            k === 0
              ? undefined
              : (await forward(model, { input: { shape: [k, B, I], data: batch.input.data.slice(0, k * B * I) } }, { backend: exact }))
                  .state;
          const zero = { shape: [1, B, H], data: new Float64Array(B * H) };
          const inputs = {
            input: part(batch.input, k),
            state: state ?? (name === "LSTM" ? { "rnn.h": zero, "rnn.c": zero } : { "rnn.h": zero }),
          };
          const { output } = await forward(model, inputs, { backend: exact });
          for (let t = k + 1; t <= T; t++) {
            const {
              gradients: { state: d },
            } = await gradients(model, inputs, { output: cotangentOf(output, part(batch.targets, k), t - k) }, { backend: exact });
            const data = Array.from(d[path.replace("l0.", "")].data);
            const mean = [0, 1, 2].reduce((sum, b) => sum + norm(data.slice(b * H, (b + 1) * H)) / B, 0);
            expectClose(`${path} of E_${t} at ${k}`, [norms[path].data[(t - 1) * (T + 1) + k]], [mean]);
          }
        }
        // The loss of a step knows nothing of later ones.
        at.forEach((t, row) =>
          expect(Array.from(norms[path].data.slice(row * (T + 1) + t + 1, (row + 1) * (T + 1))).every((x) => x === 0)).toBe(true),
        );
      }
      expect(Object.keys(norms)).toEqual(name === "LSTM" ? ["rnn.l0.h", "rnn.l0.c"] : ["rnn.l0.h"]);
    },
  );

  it("of two layers counts the way through the layer above", async () => {
    const on = await backend(kind);
    const model = new Sequential({ rnn: new RNN(I, H, { numLayers: 2 }), out: new Linear(H, C) }, { seed: 1 });
    const { norms } = await gradientFlow(model, batch, { backend: on, loss, at: [T] });
    expect(Object.keys(norms)).toEqual(["rnn.l0.h", "rnn.l1.h"]);
    // ∂E_T/∂h_T of the lower layer passes the upper one's input weights alone.
    const dict = await model.stateDict();
    const { output } = await forward(model, batch.input, { backend: on });
    const { data: dLogits } = cotangentOf(output, batch.targets, T);
    const top = new RNN(I, H, { numLayers: 2, seed: 1 });
    top.loadStateDict(
      Object.fromEntries(
        Object.entries(dict)
          .filter(([p]) => p.startsWith("rnn."))
          .map(([p, v]) => [p.slice(4), v]),
      ),
    );
    const {
      output: { data: h },
    } = await forward(top, batch.input, { backend: on });
    const mean = [0, 1, 2].reduce((sum, b) => {
      const row = (T - 1) * B + b;
      const da = Array.from(
        { length: H },
        (_, j) => [0, 1, 2].reduce((a, c) => a + dLogits[row * C + c] * dict["out.weight"].data[c * H + j], 0) * (1 - h[row * H + j] ** 2),
      );
      return (
        sum + norm(Array.from({ length: H }, (_, i) => da.reduce((a, d, j) => a + d * dict["rnn.weight_ih_l1"].data[j * H + i], 0))) / B
      );
    }, 0);
    expectClose("lower layer", [norms["rnn.l0.h"].data[T]], [mean]);
  });

  it("runs against time in the second direction", async () => {
    const model = new Sequential([new GRU(I, H, { bidirectional: true, merge: "sum" }), new Linear(H, C)], { seed: 1 });
    const { norms } = await gradientFlow(model, batch, { backend: await backend(kind), loss, at: [1] });
    expect(Array.from(norms["0.l0.h"].data, (x) => x > 0)).toEqual([true, true, false, false, false]);
    // Column 0 is the state before the first step that this direction reads, which is the last of the sequence.
    expect(Array.from(norms["0.l0_reverse.h"].data, (x) => x > 0)).toEqual([true, true, true, true, true]);
  });

  it("takes rows of different lengths, batches that come first, ids, a mask and a loss at the end alone", async () => {
    const on = await backend(kind);
    const ids = { shape: [2, T], data: Uint32Array.of(1, 2, 3, 0, 4, 1, 0, 0) };
    const targets = { shape: [2, T], data: Int32Array.of(0, 1, 2, 0, 1, 2, -100, -100) };
    const model = new Sequential([new Embedding(5, I), new LSTM(I, H, { batchFirst: true }), new Linear(H, C)], { seed: 1 });
    const both = await gradientFlow(model, { input: ids, targets, lengths: [4, 2] }, { backend: on, loss });
    const first = await gradientFlow(
      model,
      { input: ids, targets, mask: { shape: [2, T], data: Float32Array.of(1, 1, 1, 1, 0, 0, 0, 0) }, lengths: [4, 2] },
      { backend: on, loss },
    );
    const alone = await gradientFlow(
      model,
      { input: { shape: [1, T], data: ids.data.slice(0, T) }, targets: { shape: [1, T], data: targets.data.slice(0, T) } },
      { backend: on, loss },
    );
    // Of the steps that only the first row has, the mean is that row's.
    expectClose("later steps", both.norms["1.l0.c"].data.slice(2 * (T + 1)), alone.norms["1.l0.c"].data.slice(2 * (T + 1)));
    expectClose(
      "the first row of two",
      first.norms["1.l0.h"].data.slice(0, T + 1),
      Array.from(alone.norms["1.l0.h"].data.slice(0, T + 1), (x) => x / 2),
    );
    const last = new Sequential([new Embedding(5, I), new LastStep(new GRU(I, H, { batchFirst: true })), new Linear(H, C)], { seed: 1 });
    const flow = await gradientFlow(last, { input: ids, targets: { shape: [2], data: Int32Array.of(0, 1) } }, { backend: on, loss });
    expect(flow.at).toEqual([T]);
    expect(flow.norms["1.l0.h"].data.every((x) => x > 0)).toBe(true);
  });

  it("does not depend on how many losses are looked at together", async () => {
    const on = await backend(kind);
    const [steps, rows] = [20, 8];
    const model = new Sequential([new RNN(1, 2), new Linear(2, 1)], { seed: 1 });
    const many = {
      input: { shape: [steps, rows, 1], data: numbers(steps * rows, 5) },
      targets: { shape: [steps, rows, 1], data: numbers(steps * rows, 6) },
    };
    const of = async (at: number[]): Promise<ArrayLike<number>> =>
      (await gradientFlow(model, many, { backend: on, loss: squaredError(), at })).norms["0.l0.h"].data;
    const at = Array.from({ length: 17 }, (_, i) => i + 1);
    expectClose(
      "flow",
      await of(at),
      (await Promise.all([at.slice(0, 3), at.slice(3)].map(of))).flatMap((part) => Array.from(part)),
    );
  });
});

/** No recurrent layer inside. */
class Same extends Module {
  forward(_: Context, x: Variable): Variable {
    return x;
  }
}

describe("gradient flow", () => {
  it("is refused in words of what has none", async () => {
    const on = await backend("cpu");
    const plain = { input: tensor([[[1, 2]]]), targets: tensor([[[1, 2]]]) };
    const squared = squaredError();
    await expect(gradientFlow(new Same(), plain, { backend: on, loss: squared })).rejects.toThrow(
      "gradientFlow: needs a model with a recurrent layer",
    );
    await expect(gradientFlow(new RNN(2, 2), plain, { backend: on, loss: squared, at: [2] })).rejects.toThrow(
      "gradientFlow: at must be an integer of at least 1 and at most 1, got 2",
    );
    await expect(gradientFlow(new RNN(2, 2), plain, { backend: on } as never)).rejects.toThrow(
      "gradientFlow: loss must come from crossEntropy() or another loss function, got undefined",
    );
    await expect(
      gradientFlow(new LastStep(new RNN(2, 2)), { ...plain, targets: tensor([[1, 2]]) }, { backend: on, loss: squared, at: [1] }),
    ).rejects.toThrow("gradientFlow: at chooses between steps of the output, and this model's has none");
  });
});
