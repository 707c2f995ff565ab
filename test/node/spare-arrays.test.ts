// Copies of callers' numbers are made in arrays of earlier calls; no call may see another's numbers.
import { describe, expect, it } from "vitest";
import { createBackend, forward, GRU, sgd, squaredError, Trainer, type Batch } from "webgpu-rnn";
import { copyInto, giveBack } from "../../src/tensor/spare.ts";

const large = 2 ** 15;
const rising = (first: number, length = large) => Float32Array.from({ length }, (_, i) => first + i / length);

describe("arrays that are used again", () => {
  it("hold the new numbers in the memory of the old ones", () => {
    const first = copyInto(Float32Array, rising(1));
    giveBack({ first });
    const second = copyInto(Float32Array, rising(2));
    expect(second).toBe(first);
    expect(second).toEqual(rising(2));
    expect(copyInto(Float32Array, rising(3))).not.toBe(first);
  });

  it("fit in type and length", () => {
    const array = copyInto(Float32Array, rising(1));
    giveBack({ array });
    expect(copyInto(Float64Array, rising(2))).toEqual(Float64Array.from(rising(2)));
    expect(copyInto(Float32Array, rising(2, large + 1))).toEqual(rising(2, large + 1));
    expect(copyInto(Float32Array, new Float64Array(rising(2)))).toBe(array);
  });

  it("are at most eight", () => {
    const arrays = Array.from({ length: 12 }, (_, i) => copyInto(Float32Array, rising(i)));
    giveBack(Object.fromEntries(arrays.entries()));
    const again = Array.from({ length: 12 }, (_, i) => copyInto(Float32Array, rising(i)));
    expect(again.filter((one) => arrays.includes(one))).toHaveLength(8);
  });
});

describe("calls with large inputs", () => {
  const [T, B, I, H] = [16, 32, 64, 4];
  const input = (n: number) => ({ shape: [T, B, I], data: rising(n) });

  it("at the same time and one after the other have results of their own", async () => {
    const [model, backend] = [new GRU(I, H, { seed: 1 }), await createBackend("cpu")];
    const output = async (n: number) => (await forward(model, input(n), { backend })).output.data;
    const alone = [await output(-1), await output(0), await output(1)];
    expect(alone[0]).not.toEqual(alone[1]);
    for (let round = 0; round < 3; round++) expect(await Promise.all([-1, 0, 1].map(output))).toEqual(alone);
    backend.destroy();
  });

  it("between steps of a training leave it as it is without them", async () => {
    const losses = async (between: boolean) => {
      const [model, backend] = [new GRU(I, H, { seed: 1 }), await createBackend("cpu")];
      const batch = (n: number): Batch => ({
        input: input(n),
        targets: { shape: [T, B, H], data: new Float32Array(T * B * H).fill(n) },
        startsSequence: true,
      });
      const data = { batches: 5, batch };
      const trainer = new Trainer(model, { backend, data, loss: squaredError(), optimizer: sgd({ learningRate: 0.1 }), carryState: false });
      const all: number[] = [];
      const others: Promise<unknown>[] = [];
      for await (const { loss } of trainer.run({ steps: 5 })) {
        all.push(loss);
        if (between) others.push(forward(new GRU(I, H, { seed: 2 }), input(-9), { backend }));
      }
      await Promise.all(others);
      backend.destroy();
      return all;
    };
    expect(await losses(true)).toEqual(await losses(false));
  });
});
