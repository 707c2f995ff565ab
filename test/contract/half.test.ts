// Half precision: every value converts there and back, and rounding goes to the nearest.
import { expect, it } from "vitest";
import { halfLength, toHalf } from "../../src/kernels/half-storage.ts";
import { fromHalves } from "../../src/kernels/half-storage.twin.ts";
import { halfToNumber, numberToHalf } from "../../src/tensor/half.ts";
import { twinOf } from "../../src/backend/all-twins.ts";

it("every half is itself again, apart from the many NaNs", () => {
  const wrong = Array.from({ length: 65536 }, (_, half) => half).filter(
    (half) => !Number.isNaN(halfToNumber(half)) && numberToHalf(halfToNumber(half)) !== half,
  );
  expect(wrong).toEqual([]);
  expect(halfToNumber(numberToHalf(NaN))).toBeNaN();
});

it("what lies between two halves goes to the nearer one, in the middle to the even one", () => {
  // A hundred thousand calls of `expect` take seconds.
  const wrong: string[] = [];
  const check = (value: number, expected: number): void => {
    if (numberToHalf(value) !== expected) wrong.push(`${value} became ${numberToHalf(value)} instead of ${expected}`);
  };
  for (let half = 0; half < 0x7c00; half++) {
    const [low, high] = [halfToNumber(half), half === 0x7bff ? 65536 : halfToNumber(half + 1)];
    const middle = (low + high) / 2;
    check(Math.fround(low + (middle - low) * 0.99), half);
    check(Math.fround(high - (high - middle) * 0.99), half + 1);
    check(-middle, 0x8000 | (half % 2 === 0 ? half : half + 1));
  }
  expect(wrong).toEqual([]);
});

it("groups of numbers start at whole words", () => {
  const x = Float32Array.of(1, 2, 3, 4, 5, 6, 7);
  for (const width of [1, 2, 3, 4]) {
    const y = new Uint32Array(halfLength(x.length, width));
    twinOf(toHalf)({ x, y }, { length: x.length, width });
    expect([...fromHalves(y, width)].slice(0, x.length)).toEqual([...x]);
  }
  expect(halfLength(7, 3)).toBe(6);
});
