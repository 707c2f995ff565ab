// A layer that a model uses twice: its gradients are the sums of those of two layers with the same numbers, whichever of its
// parameters learn, since each op adds to what is there.
import { describe, expect, it } from "vitest";
import {
  compose,
  Embedding,
  gradients,
  GRU,
  Linear,
  LSTM,
  Module,
  RNN,
  type Context,
  type LayerOptions,
  type Tensor,
  type Variable,
} from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { backend, expectClose, kinds, numbers } from "./support.ts";

interface Case {
  /** As many features out as in. */
  readonly make: () => Module;
  readonly ids?: boolean;
  readonly options?: LayerOptions;
}

const steps: LayerOptions = { strategy: "step" };
const cases: Record<string, Case> = {
  Linear: { make: () => new Linear(3, 3, { seed: 1 }) },
  RNN: { make: () => new RNN(3, 3, { seed: 1 }), options: steps },
  "LSTM with peepholes": { make: () => new LSTM(3, 3, { seed: 1, peepholes: true }), options: steps },
  "LSTM, projected": { make: () => new LSTM(3, 4, { seed: 1, projSize: 3 }), options: steps },
  "LSTM, gates computed again": { make: () => new LSTM(3, 3, { seed: 1 }), options: { ...steps, recompute: true } },
  "LSTM of two layers as lanes": { make: () => new LSTM(3, 3, { seed: 1, numLayers: 2 }), options: { strategy: "wavefront" } },
  "LSTM with layer normalisation": { make: () => new LSTM(3, 3, { seed: 1, normalization: "layer" }), options: steps },
  "GRU both ways": { make: () => new GRU(3, 3, { seed: 1, bidirectional: true, merge: "sum" }), options: steps },
  "GRU, reset before": { make: () => new GRU(3, 3, { seed: 1, reset: "before" }), options: steps },
  "GRU in the loop": { make: () => new GRU(3, 3, { seed: 1 }), options: { strategy: "loop" } },
};

/** The same rows looked up by one table or by two, and added behind a layer and as they are. */
class Lookups extends Module {
  private readonly rnn = new RNN(3, 3, { seed: 2 });

  constructor(
    private readonly one: Embedding,
    private readonly two: Embedding,
  ) {
    super();
    this.addChild("rnn", this.rnn);
    this.addChild("one", one);
    if (two !== one) this.addChild("two", two);
  }

  override get idCount(): number | undefined {
    return this.one.idCount;
  }

  forward(context: Context, x: Variable): Variable {
    const { one, two, rnn } = this;
    const rows = rnn.forward(context.child("rnn"), one.forward(context.child("one"), x));
    return ops.add(context, rows, two.forward(context.child(two === one ? "one" : "two"), x));
  }
}

describe.each(kinds)("on %s", (kind) => {
  async function gradientsOf(model: Module, input: Tensor, options: LayerOptions = {}): Promise<Record<string, Tensor>> {
    const [T, B] = input.shape;
    const on = await backend(kind);
    return (await gradients(model, { input }, { output: { shape: [T, B, 3], data: numbers(T * B * 3, 9) } }, { backend: on, ...options }))
      .gradients.parameters;
  }

  it.each(Object.entries(cases))("a layer used twice learns from both uses: %s", async (_, { make, options }) => {
    const input = { shape: [4, 2, 3], data: numbers(24, 5) };
    const names = [...make().namedParameters().keys()];
    // All learn; each alone does not; each alone does. A device has the CPU's recordings, and seconds to compile each.
    const without = (pattern: RegExp): string[] => names.filter((name) => pattern.test(name));
    const frozen =
      kind === "webgpu"
        ? [[], without(/weight/), without(/bias/)]
        : [[], ...names.map((name) => [name]), ...names.map((name) => names.filter((other) => other !== name))];
    for (const some of frozen) {
      const freeze = <M extends Module>(layer: M): M => {
        for (const name of some) layer.freeze(name);
        return layer;
      };
      const tied = await gradientsOf(
        compose({ layer: freeze(make()) }, ({ layer }, x) => layer(layer(x))),
        input,
        options,
      );
      const apart = await gradientsOf(
        compose({ one: freeze(make()), two: freeze(make()) }, ({ one, two }, x) => two(one(x))),
        input,
        options,
      );
      const learning = names.filter((name) => !some.includes(name));
      expect(Object.keys(tied).sort()).toEqual(learning.map((name) => `layer.${name}`).sort());
      for (const name of learning) {
        const sum = apart[`one.${name}`].data.map((value: number, i: number) => value + apart[`two.${name}`].data[i]);
        expectClose(`${name} with ${some.join() || "nothing"} frozen`, tied[`layer.${name}`].data, sum);
      }
    }
  });

  it("a table that is looked up by two embeddings in one step has the sum of their gradients", async () => {
    const input = { shape: [3, 2], data: Uint32Array.of(1, 4, 0, 1, 1, 3) };
    const table = (): Embedding => new Embedding(5, 3, { seed: 1 });
    const one = table();
    const tied = await gradientsOf(new Lookups(one, one), input, steps);
    const apart = await gradientsOf(new Lookups(table(), table()), input, steps);
    expectClose(
      "weight",
      tied["one.weight"].data,
      apart["one.weight"].data.map((value: number, i: number) => value + apart["two.weight"].data[i]),
    );
  });
});
