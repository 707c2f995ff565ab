/** Merged outputs of both directions: values against layers combined by hand, gradients against finite differences. */
import { describe, expect, it } from "vitest";
import { forward, gradients, GRU, Linear, LSTM, Module, RNN, type Context, type Merge, type Tensor, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { checkGradients } from "./gradient-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";
import { sampled, sampledOn } from "../thorough.ts";

const [T, B, I, H] = [5, 3, 2, 4];
const lengths = [3, 5, 0];
const input: Tensor = { shape: [T, B, I], data: numbers(T * B * I, 3) };
const merges: Merge[] = ["concat", "sum", "mul", "average", "none"];
const layers = { RNN, GRU, LSTM };

/** Both directions' outputs [T·B, 2·H], as Keras would merge them. */
function mergedByHand(merge: Merge, data: ArrayLike<number>): number[] {
  if (merge === "concat" || merge === "none") return Array.from(data);
  const combine = {
    sum: (a: number, b: number) => a + b,
    mul: (a: number, b: number) => a * b,
    average: (a: number, b: number) => (a + b) / 2,
  }[merge];
  return Array.from({ length: data.length / 2 }, (_, i) =>
    combine(data[Math.floor(i / H) * 2 * H + (i % H)], data[Math.floor(i / H) * 2 * H + H + (i % H)]),
  );
}

/** The parameters of layer `k` as those of a single layer. */
const layerOf = (dict: Record<string, Tensor>, k: number): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(dict)
      .filter(([name]) => name.includes(`_l${k}`))
      .map(([name, value]) => [name.replace(`_l${k}`, "_l0"), value]),
  );

const merged = Object.keys(layers).flatMap((name) => merges.map((merge) => [name as keyof typeof layers, merge] as const));

describe.each(kinds)("two directions on %s", (kind) => {
  it.each(sampledOn(kind, merged, 2))("of a deep %s become one by %s, layer by layer", async (name, merge) => {
    const on = await backend(kind);
    const deep = new layers[name](I, H, { bidirectional: true, numLayers: 3, merge, seed: 1 });
    const dict = await deep.stateDict();
    let data: ArrayLike<number> = input.data;
    let width = I;
    for (let k = 0; k < 3; k++) {
      const one = new layers[name](width, H, { bidirectional: true });
      one.loadStateDict(layerOf(dict, k));
      const { output } = await forward(one, { input: { shape: [T, B, width], data: Float32Array.from(data) }, lengths }, { backend: on });
      data = mergedByHand(merge, output.data);
      width = data.length / (T * B);
    }
    const { output } = await forward(deep, { input, lengths }, { backend: on });
    expect(output.shape).toEqual(merge === "none" ? [T, B, 2, H] : [T, B, width]);
    expect(width).toBe(merge === "concat" || merge === "none" ? 2 * H : H);
    expectClose("output", output.data, data);
  });

  it.each(sampledOn(kind, merges, 2))("merged by %s have the CPU's gradients in float64", async (merge) => {
    const layer = new GRU(I, H, { bidirectional: true, numLayers: 2, merge, seed: 2 });
    const {
      output: { shape },
    } = await forward(layer, input, { backend: await backend(kind) });
    const cotangent = {
      shape,
      data: numbers(
        shape.reduce((a, b) => a * b),
        9,
      ),
    };
    const [actual, expected] = await Promise.all(
      [backend(kind), backend("cpu", "float64")].map(
        async (on) => (await gradients(layer, { input, lengths }, { output: cotangent }, { backend: await on })).gradients,
      ),
    );
    expectClose("d.input", actual.input!.data, expected.input!.data);
    for (const [path, { data }] of Object.entries(expected.parameters)) expectClose(path, actual.parameters[path].data, data);
  });

  it("may each have a separate output matrix: V_left·h_left + V_right·h_right is V·[h_left; h_right]", async () => {
    const on = await backend(kind);
    const model = new TwoMatrices();
    const { "left.weight": left, "right.weight": right, ...weights } = await model.stateDict();
    const layer = new RNN(I, H, { bidirectional: true });
    layer.loadStateDict(Object.fromEntries(Object.entries(weights).map(([path, value]) => [path.replace("rnn.", ""), value])));
    const both = await forward(layer, input, { backend: on });
    const V = new Linear(2 * H, 3, { bias: false });
    V.loadStateDict({
      weight: {
        shape: [3, 2 * H],
        data: Float32Array.from([0, 1, 2].flatMap((o) => [left, right].flatMap(({ data }) => Array.from(data.slice(o * H, (o + 1) * H))))),
      },
    });
    expectClose(
      "output",
      (await forward(model, input, { backend: on })).output.data,
      (await forward(V, both.output, { backend: on })).output.data,
    );
  });
});

/** A bidirectional layer whose directions have separate output matrices. */
class TwoMatrices extends Module {
  private readonly rnn = new RNN(I, H, { bidirectional: true, merge: "none", seed: 4 });
  private readonly left = new Linear(H, 3, { bias: false, seed: 5 });
  private readonly right = new Linear(H, 3, { bias: false, seed: 6 });

  constructor() {
    super();
    this.addChild("rnn", this.rnn);
    this.addChild("left", this.left);
    this.addChild("right", this.right);
  }

  forward(context: Context, x: Variable): Variable {
    const both = this.rnn.forward(context.child("rnn"), x);
    const [h_left, h_right] = [0, 1].map((i) =>
      ops.reshape(context, ops.slice(context, both, 2, i, i + 1), [...both.shape.slice(0, 2), H]),
    );
    return ops.add(context, this.left.forward(context.child("left"), h_left), this.right.forward(context.child("right"), h_right));
  }
}

describe("two directions", () => {
  it.each(sampled(merges, 1))("merged by %s have the gradients of finite differences", async (merge) => {
    const x = { shape: [4, 3, 2], data: Float64Array.from(numbers(24, 3)) };
    await checkGradients(new LSTM(2, 3, { bidirectional: true, numLayers: 2, merge, seed: 1 }), { input: x, lengths: [2, 4, 0] });
    await checkGradients(new RNN(2, 3, { bidirectional: true, merge, batchFirst: true, seed: 1 }), { input: x });
  });

  it("are needed for merge", () => {
    expect(() => new GRU(2, 3, { merge: "sum" })).toThrow("GRU: merge says what becomes of two directions and needs bidirectional: true");
    expect(() => new GRU(2, 3, { bidirectional: true, merge: "max" as Merge })).toThrow(
      'GRU: merge must be "concat" or "sum" or "mul" or "average" or "none", got "max"',
    );
  });
});
