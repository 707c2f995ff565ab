// The estimate of a time step, by numbers that one can add up by hand.
import { describe, expect, it } from "vitest";
import type { LayerShape } from "webgpu-rnn";
import { inTurns } from "../../scripts/kernels/estimate.ts";
import { estimatedMicroseconds, midRangeGpu, smallGpu, stepMicroseconds, type Gpu } from "../../src/recurrent/strategies/estimate.ts";

/** Nothing costs anything but what a test gives a price. */
const free: Gpu = { units: 1e6, clockMHz: 1, vectorCycles: 0, cacheBytes: Infinity, l2Bytes: Infinity, dispatchMicroseconds: 0 };
const work = { workgroups: 6, bytes: 40, cycles: 0, dispatches: 0 } as const;

describe("a time step's microseconds", () => {
  it("are cycles by the clock, and the dispatch", () => {
    expect(stepMicroseconds(free, { ...work, cycles: 7 })).toBe(7);
    expect(stepMicroseconds({ ...free, clockMHz: 2000 }, { ...work, cycles: 6000 })).toBe(3);
    const paid = { ...free, dispatchMicroseconds: 5 };
    expect([0, 1].map((dispatches) => stepMicroseconds(paid, { ...work, cycles: 7, dispatches: dispatches as 0 | 1 }))).toEqual([7, 12]);
  });

  it("are those of reading the weights where that takes longer: by one unit's cache, or all of them through L2", () => {
    // Four units have six workgroups: one has two.
    expect(stepMicroseconds({ ...free, units: 4, cacheBytes: 8 }, work)).toBe((2 * 40) / 8);
    expect(stepMicroseconds({ ...free, l2Bytes: 8 }, work)).toBe((6 * 40) / 8);
    expect(stepMicroseconds({ ...free, units: 4, cacheBytes: 8 }, { ...work, cycles: 11 })).toBe(11);
  });
});

describe("the workgroups of a unit", () => {
  it("take turns where there is no room for all, the last of them with more room", () => {
    const squared = (together: number): number => together ** 2;
    expect([1, 4, 5, 8, 11].map((groups) => inTurns(groups, 4, squared))).toEqual([1, 16, 17, 32, 41]);
  });
});

describe("estimates of both strategies", () => {
  const layer = (of: Partial<LayerShape>): Required<LayerShape> => ({
    T: 1,
    B: 41,
    H: 224,
    G: 4,
    phases: 1,
    lanes: 1,
    layers: 1,
    linear: false,
    heads: 1,
    half: false,
    regularized: "none",
    recomputes: false,
    training: false,
    ...of,
  });
  const threads = 1024;
  /** Reading through L2 is all that costs: how many times all workgroups together read the matrix of 224 units. */
  const readsOf = (of: Partial<LayerShape>) => {
    const found = estimatedMicroseconds(layer(of), threads, { ...free, l2Bytes: 1e-6 })!;
    const matrix = 4 * 4 * 224 * 224 * 1e6;
    return { loop: found.loop / matrix, step: found.step / matrix };
  };

  it("count a whole matrix for each workgroup of the loop, and its share for each of a step", () => {
    // 41 rows are eleven workgroups of four rows in the loop, and six of eight in a step; 224 units are seven workgroups of a step.
    const { loop, step } = readsOf({});
    expect(loop).toBeCloseTo(11, 6);
    expect(step).toBeCloseTo(6, 6);
  });

  it("count the directions, the rows that fill no workgroup, and the units that do not", () => {
    const two = readsOf({ lanes: 2 });
    expect(two.loop).toBeCloseTo(22, 6);
    expect(two.step).toBeCloseTo(12, 6);
    expect(readsOf({ B: 44 })).toEqual(readsOf({}));
    expect(readsOf({ B: 49 }).step).toBeCloseTo(7, 6);
    // A workgroup of a step more than for 224 units; each reads 32 columns of 225 numbers.
    expect(readsOf({ H: 225 }).step).toBeCloseTo((6 * 8 * 32 * 225) / 224 ** 2, 6);
  });

  it("count the bytes of halves, and the products of two phases", () => {
    const [float, half, twice] = [readsOf({}), readsOf({ half: true }), readsOf({ phases: 2 })];
    expect(half.loop).toBeCloseTo(float.loop / 2, 6);
    // So few halves are not worth eight rows.
    expect(half.step).toBeCloseTo(11 / 2, 6);
    expect(twice.loop).toBeCloseTo(float.loop * 2, 6);
    expect(twice.step).toBeCloseTo(float.step * 2, 6);
    const dispatches = { ...free, dispatchMicroseconds: 1e9 };
    expect(Math.round(estimatedMicroseconds(layer({ phases: 2 }), threads, dispatches)!.step / 1e9)).toBe(2);
  });

  it("have a workgroup for each row in the loop of a layer with norms, and a second dispatch in its steps", () => {
    expect(readsOf({ regularized: "row" }).loop).toBeCloseTo(41, 6);
    const dispatches = { ...free, dispatchMicroseconds: 1e9 };
    const [plain, row] = (["none", "row"] as const).map((regularized) =>
      estimatedMicroseconds(layer({ regularized }), threads, dispatches)!,
    );
    expect([plain.step, row.step].map((us) => Math.round(us / 1e9))).toEqual([1, 2]);
    expect([plain.loop, row.loop].map((us) => Math.round(us / 1e9))).toEqual([0, 0]);
  });

  it("are those of a small GPU where workgroups have 512 threads or fewer", () => {
    for (const [most, gpu] of [
      [256, smallGpu],
      [512, smallGpu],
      [1024, midRangeGpu],
    ] as const)
      expect(estimatedMicroseconds(layer({}), most), `${most}`).toEqual(estimatedMicroseconds(layer({}), most, gpu));
  });

  it("are not made where they do not decide", () => {
    const made = (of: Partial<LayerShape>): boolean => estimatedMicroseconds(layer(of), threads) !== undefined;
    expect([{}, { regularized: "row" as const }].map(made)).toEqual([true, true]);
    expect([{ heads: 2 }, { regularized: "batch" as const }].map(made)).toEqual([false, false]);
    // Threads keep 64 words of weights: those of 16 units with four gates, of 64 with one.
    const held = (of: Partial<LayerShape>, sizes: readonly number[]) => sizes.map((H) => made({ ...of, H }));
    expect(held({}, [128, 129])).toEqual([false, true]);
    expect(held({ G: 3 }, [128, 129])).toEqual([false, true]);
    expect(held({ G: 1 }, [256, 257])).toEqual([false, true]);
    expect(held({ half: true }, [160, 161])).toEqual([false, true]);
  });
});
