/** First values of `Linear`, and what `Dropout` drops along which axis. */
import { describe, expect, it } from "vitest";
import { Dropout, forward, Linear } from "webgpu-rnn";
import { backend } from "./support.ts";

describe("the first values of a linear map", () => {
  it("fill U(-1/√inputs, 1/√inputs), weights and bias", async () => {
    for (const inputs of [1, 9, 100]) {
      const { weight, bias } = await new Linear(inputs, 400, { seed: 3 }).stateDict();
      for (const { data } of [weight, bias]) {
        const [least, most] = [Math.min(...data), Math.max(...data)].map((value) => value * Math.sqrt(inputs));
        expect([Math.abs(least), Math.abs(most)].every((value) => value > 0.95 && value <= 1)).toBe(true);
      }
    }
  });
});

describe("dropout", () => {
  const [A, B, C] = [5, 6, 40];
  const ones = (shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((n, size) => n * size, 1)).fill(1) });
  const drop = async (module: Dropout, shape: number[], training: boolean): Promise<number[]> =>
    Array.from((await forward(module, ones(shape), { backend: await backend("cpu"), training, seed: 4 })).output.data);
  /** The rows of C elements at an index of the first axis, and at one of the second. */
  const row = (data: number[], a: number, b: number): string => data.slice((a * B + b) * C, (a * B + b + 1) * C).join();

  it("drops in training only", async () => {
    for (const [module, shape] of [
      [new Dropout(0.5), [A, C]],
      [new Dropout(0.5, { variational: true }), [A, B, C]],
    ] as const) {
      expect(new Set(await drop(module, [...shape], false))).toEqual(new Set([1]));
      expect(new Set(await drop(module, [...shape], true))).toEqual(new Set([0, 2]));
    }
  });

  it("drops the same elements at every step along the axis of time, others in each row of the batch", async () => {
    const along = async (module: Dropout): Promise<{ first: number; second: number }> => {
      const data = await drop(module, [A, B, C], true);
      return {
        first: new Set(Array.from({ length: A }, (_, a) => row(data, a, 0))).size,
        second: new Set(Array.from({ length: B }, (_, b) => row(data, 0, b))).size,
      };
    };
    expect(await along(new Dropout(0.5))).toEqual({ first: A, second: B });
    expect(await along(new Dropout(0.5, { variational: true }))).toEqual({ first: 1, second: B });
    expect(await along(new Dropout(0.5, { variational: true, batchFirst: true }))).toEqual({ first: A, second: 1 });
  });

  it("says the order of its input only if it has a time axis", () => {
    expect(new Dropout(0.5).saysBatchFirst).toBeUndefined();
    expect(new Dropout(0.5, { variational: true }).saysBatchFirst).toBe(false);
    expect(new Dropout(0.5, { variational: true, batchFirst: true }).saysBatchFirst).toBe(true);
  });

  it("is described by the options that make it again", () => {
    for (const options of [{}, { variational: true }, { variational: true, batchFirst: true }]) {
      const [p, described] = new Dropout(0.25, options).describe();
      expect([p, described]).toEqual([0.25, { variational: false, batchFirst: false, ...options }]);
    }
  });
});
