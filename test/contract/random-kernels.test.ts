// Random numbers: Philox against its authors' published values, and the distributions of the kernels that use it.
import { describe, expect, it } from "vitest";
import { dropout } from "../../src/kernels/dropout.ts";
import { philox, randomUniforms, uniformOf, type Words4 } from "../../src/kernels/philox.ts";
import { openUniformOf } from "../../src/kernels/sample-token.twin.ts";
import { advancePosition, sampleToken } from "../../src/kernels/sample-token.ts";
import { twinOf } from "../../src/backend/all-twins.ts";

describe("philox", () => {
  // kat_vectors of Random123 1.14 (Salmon et al.), lines "philox4x32 10": counter, key, result.
  it.each([
    ["zeros", [0, 0, 0, 0], [0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    ["ones", [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      "the digits of pi",
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as [string, Words4, [number, number], number[]][])("gives the published words for %s", (_, counter, key, expected) => {
    expect([...philox(counter, key)]).toEqual(expected);
  });

  it("gives uniform numbers inside their intervals, to the last word", () => {
    expect([uniformOf(0), openUniformOf(0)]).toEqual([0, 2 ** -24]);
    expect([uniformOf(0xffffffff), openUniformOf(0xffffffff)]).toEqual([1 - 2 ** -24, 1 - 2 ** -24]);
    expect(Math.fround(openUniformOf(0xffffffff))).toBe(1 - 2 ** -24);
  });

  it("gives streams that repeat, differ from each other and are uniform", () => {
    const draw = (seed: number, stream: number): number[] => [...randomUniforms(seed, stream, 10_001)];
    const numbers = draw(2 ** 40 + 1, 3);
    expect(draw(2 ** 40 + 1, 3)).toEqual(numbers);
    expect(draw(2 ** 40 + 1, 4)[0]).not.toBe(numbers[0]);
    expect(draw(1, 3)[0]).not.toBe(numbers[0]);
    // Four standard errors of the mean and of the mean square.
    expect(Math.abs(numbers.reduce((sum, u) => sum + u, 0) / 10_001 - 1 / 2)).toBeLessThan(4 * Math.sqrt(1 / 12 / 10_001));
    expect(Math.abs(numbers.reduce((sum, u) => sum + u * u, 0) / 10_001 - 1 / 3)).toBeLessThan(4 * Math.sqrt(4 / 45 / 10_001));
  });
});

describe("dropout", () => {
  const run = (p: number, { step = 0, stream = 0, accumulate = 0 } = {}): Float64Array => {
    const y = new Float64Array(10_000).fill(3);
    twinOf(dropout)(
      { x: new Float64Array(10_000).fill(2), random: Uint32Array.of(1, 2, step, 0), y },
      { length: 10_000, stream, p, accumulate },
    );
    return y;
  };

  it("keeps 1 - p of the elements and scales them", () => {
    const y = run(0.3);
    expect(new Set(y)).toEqual(new Set([0, 2 / 0.7]));
    expect(Math.abs(y.filter((v) => v !== 0).length / 10_000 - 0.7)).toBeLessThan(4 * Math.sqrt(0.21 / 10_000));
  });

  it("does nothing with p = 0 and keeps nothing with p = 1", () => {
    expect(new Set(run(0))).toEqual(new Set([2]));
    expect(new Set(run(1))).toEqual(new Set([0]));
    expect(new Set(run(1, { accumulate: 1 }))).toEqual(new Set([3]));
  });

  it("has the same mask for the gradient, another one in another step or layer", () => {
    expect(run(0.5)).toEqual(run(0.5));
    expect(run(0.5, { step: 1 })).not.toEqual(run(0.5));
    expect(run(0.5, { stream: 1 })).not.toEqual(run(0.5));
  });
});

describe("sampleToken", () => {
  const logits = [1.5, -0.5, 0.25, 1.5, -3];
  const capacity = 20_000;

  function draw(temperature: number, topK: number, count = capacity): Uint32Array {
    const position = new Uint32Array(1);
    const history = new Uint32Array(capacity);
    const arrays = {
      logits: Float64Array.from(logits),
      sampling: Float64Array.of(temperature, topK),
      random: Uint32Array.of(11, 0, 7, 0),
      position,
      tokens: new Uint32Array(1),
      history,
    };
    for (let i = 0; i < count; i++) {
      twinOf(sampleToken)(arrays, { rows: 1, columns: logits.length, capacity, stream: 0, separate: 0 });
      twinOf(advancePosition)({ position }, { by: 1 });
    }
    return history.subarray(0, Math.min(count, capacity));
  }

  function expectFrequencies(tokens: Uint32Array, weights: readonly number[]): void {
    const total = weights.reduce((sum, w) => sum + w, 0);
    weights.forEach((w, token) => {
      const expected = w / total;
      const found = tokens.filter((t) => t === token).length / tokens.length;
      expect(Math.abs(found - expected), `frequency of ${token}: ${found}, expected ${expected}`).toBeLessThanOrEqual(
        4 * Math.sqrt((expected * (1 - expected)) / tokens.length),
      );
    });
  }

  it("takes the greatest logit at temperature 0, the first of equals", () => {
    expect(new Set(draw(0, 0, 20))).toEqual(new Set([0]));
  });

  it.each([1, 0.5, 2])("draws from the softmax at temperature %s", (temperature) => {
    expectFrequencies(
      draw(temperature, 0),
      logits.map((x) => Math.exp(x / temperature)),
    );
  });

  it("draws from the topK greatest, with all of those equal to the last", () => {
    expectFrequencies(
      draw(1, 3),
      logits.map((x) => (x >= 0.25 ? Math.exp(x) : 0)),
    );
    expectFrequencies(draw(1, 1), [1, 0, 0, 1, 0]);
  });

  it("writes its history as a ring", () => {
    const arrays = {
      logits: Float64Array.from(logits),
      sampling: Float64Array.of(0, 0),
      random: new Uint32Array(4),
      position: Uint32Array.of(3),
      tokens: new Uint32Array(1),
      history: Uint32Array.of(9, 9),
    };
    twinOf(sampleToken)(arrays, { rows: 1, columns: logits.length, capacity: 2, stream: 0, separate: 0 });
    expect([...arrays.history]).toEqual([9, 0]);
  });
});
