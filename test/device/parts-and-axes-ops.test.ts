/** Operations over axes, and those that take parts: values against plain loops, derivatives against finite differences. */
import { describe, expect, it } from "vitest";
import { forward, gradients, tensor, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { describeOperations, Operated, total, type Case, type Operation } from "./operation-check.ts";
import { backend, expectClose, kinds } from "./support.ts";

const cases: Record<string, Case> = {
  "sums over neighbouring axes": {
    x: [2, 3, 4, 2],
    p: [2, 2],
    operation: (c, x, p) => ops.multiply(c, ops.sum(c, x, [1, 2]), p),
    shape: [2, 2],
    expected: ([i, l], x, p) => total(12, (jk) => x(i, jk >> 2, jk & 3, l)) * p(i, l),
  },
  "takes the mean over axes that are apart, and keeps them": {
    x: [2, 3, 4],
    p: [2, 3, 4],
    operation: (c, x, p) => ops.multiply(c, ops.subtract(c, x, ops.mean(c, x, [2, 0], { keepAxes: true })), p),
    shape: [2, 3, 4],
    expected: ([i, j, k], x, p) => (x(i, j, k) - total(8, (ik) => x(ik >> 2, j, ik & 3)) / 8) * p(i, j, k),
  },
  "sums over all axes": {
    x: [2, 3],
    p: [1],
    operation: (c, x, p) => ops.multiply(c, ops.sum(c, x), p),
    shape: [1],
    expected: (_, x, p) => total(6, (i) => x(Math.floor(i / 3), i % 3)) * p(0),
  },
  "takes the greatest over two axes": {
    x: [3, 4, 2],
    p: [2],
    operation: (c, x, p) => ops.multiply(c, ops.max(c, x, [0, 1]), p),
    shape: [2],
    expected: ([k], x, p) => Math.max(...Array.from({ length: 12 }, (_, i) => x(i >> 2, i & 3, k))) * p(k),
  },
  "takes the least over a middle axis": {
    x: [3, 5, 2],
    p: [3, 1, 2],
    operation: (c, x, p) => ops.multiply(c, ops.min(c, x, 1, { keepAxes: true }), p),
    shape: [3, 1, 2],
    expected: ([i, , k], x, p) => Math.min(...Array.from({ length: 5 }, (_, j) => x(i, j, k))) * p(i, 0, k),
  },
  "takes the norm over the last axis": {
    x: [3, 5],
    p: [3],
    operation: (c, x, p) => ops.multiply(c, ops.norm(c, x, -1), p),
    shape: [3],
    expected: ([i], x, p) => Math.sqrt(total(5, (j) => x(i, j) ** 2)) * p(i),
  },
  ...Object.fromEntries(
    [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ].map(([reverse, exclusive]): [string, Case] => [
      `sums cumulatively, reverse: ${reverse}, exclusive: ${exclusive}`,
      {
        x: [2, 5, 3],
        p: [5, 1],
        operation: (c, x, p) => ops.multiply(c, ops.cumulativeSum(c, x, 1, { reverse, exclusive }), p),
        shape: [2, 5, 3],
        expected: ([i, j, k], x, p) => total(5, (m) => ((reverse ? m > j : m < j) || (m === j && !exclusive) ? x(i, m, k) : 0)) * p(j, 0),
      },
    ]),
  ),
  "takes every third element, twice overlapping": {
    x: [2, 8],
    p: [3],
    operation: (c, x, p) => ops.multiply(c, ops.add(c, ops.slice(c, x, 1, 0, 7, { step: 3 }), ops.slice(c, x, 1, 1, 8, { step: 3 })), p),
    shape: [2, 3],
    expected: ([i, j], x, p) => (x(i, 3 * j) + x(i, 3 * j + 1)) * p(j),
  },
  "reverses an axis": {
    x: [2, 5, 2],
    p: [5, 1],
    operation: (c, x, p) => ops.multiply(c, ops.flip(c, x, -2), p),
    shape: [2, 5, 2],
    expected: ([i, j, k], x, p) => x(i, 4 - j, k) * p(j, 0),
  },
  "gathers elements, some of them twice, some from the end": {
    x: [2, 4, 3],
    p: [5, 1],
    operation: (c, x, p) => ops.multiply(c, ops.gather(c, x, 1, [3, 0, 3, -4, -2]), p),
    shape: [2, 5, 3],
    expected: ([i, j, k], x, p) => x(i, [3, 0, 3, 0, 2][j], k) * p(j, 0),
  },
  "gathers a middle axis by a variable of ids": {
    x: [2, 4, 3],
    p: [2, 3],
    operation: (c, x, p) => {
      const ids = ops.constant(c, { shape: [2, 2], data: Uint32Array.of(3, 0, 3, 1) });
      return ops.multiply(c, ops.gather(c, x, 1, ids), ops.reshape(c, p, [2, 1, 3]));
    },
    shape: [2, 2, 2, 3],
    expected: ([i, a, b, k], x, p) => x(i, [3, 0, 3, 1][2 * a + b], k) * p(a, k),
  },
  ...Object.fromEntries(
    (
      [
        ["constant", () => 0.5],
        ["edge", (j: number, x: (j: number) => number) => x(j < 0 ? 0 : 4)],
        ["reflect", (j: number, x: (j: number) => number) => x(j < 0 ? -j : 8 - j)],
      ] as const
    ).map(([mode, outside]): [string, Case] => [
      `pads, mode ${mode}`,
      {
        x: [2, 5, 3],
        p: [10, 1],
        operation: (c, x, p) => ops.multiply(c, ops.pad(c, x, 1, [2, 3], { mode, value: 0.5 }), p),
        shape: [2, 10, 3],
        expected: ([i, j, k], x, p) => {
          const at = j - 2;
          return (at < 0 || at > 4 ? outside(at, (m) => x(i, m, k)) : x(i, at, k)) * p(j, 0);
        },
      },
    ]),
  ),
  "splits into parts of unequal size": {
    x: [3, 7],
    p: [2],
    operation: (c, x, p) => {
      const [first, second, third] = ops.split(c, x, 1, [2, 3, 2]);
      return ops.multiply(c, ops.add(c, ops.multiply(c, first, third), ops.slice(c, second, 1, 1, 3)), p);
    },
    shape: [3, 2],
    expected: ([i, j], x, p) => (x(i, j) * x(i, j + 5) + x(i, j + 3)) * p(j),
  },
  "splits into equal parts and stacks them again": {
    x: [4, 6],
    p: [6],
    operation: (c, x, p) => ops.add(c, ops.stack(c, [...ops.split(c, x, 0, 2)].reverse(), 1), p),
    shape: [2, 2, 6],
    expected: ([i, j, k], x, p) => x(2 * (1 - j) + i, k) + p(k),
  },
  "repeats as tiles": {
    x: [2, 3],
    p: [6],
    operation: (c, x, p) => ops.multiply(c, ops.tile(c, x, [3, 2]), p),
    shape: [6, 6],
    expected: ([i, j], x, p) => x(i % 2, j % 3) * p(j),
  },
  "expands axes of size 1 and lacking ones": {
    x: [3, 1],
    p: [2, 3, 4],
    operation: (c, x, p) => ops.multiply(c, ops.expand(c, x, [2, 3, 4]), p),
    shape: [2, 3, 4],
    expected: ([i, j, k], x, p) => x(j, 0) * p(i, j, k),
  },
  "joins axes, drops and adds axes of size 1": {
    x: [2, 1, 3, 2],
    p: [6],
    operation: (c, x, p) => ops.add(c, ops.unsqueeze(c, ops.flatten(c, ops.squeeze(c, x)), 0), p),
    shape: [1, 2, 6],
    expected: ([, i, j], x, p) => x(i, 0, j >> 1, j & 1) + p(j),
  },
  "permutes axes of which some have size 1": {
    x: [2, 1, 3, 1, 4],
    p: [4],
    operation: (c, x, p) => ops.multiply(c, ops.reshape(c, ops.permute(c, x, [4, 1, 0, 3, 2]), [4, 2, 3]), ops.reshape(c, p, [4, 1, 1])),
    shape: [4, 2, 3],
    expected: ([i, j, k], x, p) => x(j, 0, k, 0, i) * p(i),
  },
};
describeOperations(cases);

describe.each(kinds)("on %s", (kind) => {
  it("the place of the first greatest and of the first least element are numbers", async () => {
    const on = { backend: await backend(kind) };
    const x = tensor([
      [1, 3, 3, 0],
      [-2, -5, -5, -1],
    ]);
    const of = async (operation: Operation): Promise<number[]> => [
      ...(await forward(new Operated([1], (c, v, p) => ops.add(c, operation(c, v, p), 0)), x, on)).output.data,
    ];
    expect(await of((c, v) => ops.argMax(c, v, 1))).toEqual([1, 3]);
    expect(await of((c, v) => ops.argMin(c, v, 1))).toEqual([3, 1]);
    expect(await of((c, v) => ops.argMax(c, v, 0, { keepAxes: true }))).toEqual([0, 0, 0, 0]);
  });

  it("the gradient of a maximum goes to the first of equal ones, and that of the norm of zeros is 0", async () => {
    const on = { backend: await backend(kind) };
    const cotangent = { shape: [1], data: Float32Array.of(2) };
    const slopes = async (operation: Operation, x: number[]): Promise<number[]> => [
      ...(await gradients(new Operated([1], operation), tensor([x]), { output: cotangent }, on)).gradients.input!.data,
    ];
    expect(await slopes((c, x) => ops.max(c, x, 1), [1, 3, 3])).toEqual([0, 2, 0]);
    expectClose("norm", await slopes((c, x) => ops.norm(c, x, 1), [0, 0, 0]), [0, 0, 0]);
  });
});

describe("what does not fit is refused in words:", () => {
  it.each<[string, Operation, string]>([
    ["an axis named twice", (c, x) => ops.sum(c, x, [1, -1]), "ops.sum: axes must name each axis once, got [1, -1]"],
    ["an axis that is not there", (c, x) => ops.max(c, x, [2]), "ops.max: axis must be an integer from -2 to 1 for [2, 4], got 2"],
    ["a word as axes", (c, x) => ops.sum(c, x, "abc" as unknown as number), 'ops.sum: axes must be an axis or a list of axes, got "abc"'],
    ["a number instead of a variable", (c) => ops.norm(c, 3 as unknown as Variable), "ops.norm: x must be a Variable, got 3; "],
    [
      "an id beyond the axis",
      (c, x) => ops.gather(c, x, 1, [4]),
      "ops.gather: an id must be an integer of at least -4 and at most 3, got 4",
    ],
    [
      "numbers as ids",
      (c, x) => ops.gather(c, x, 1, x),
      "ops.gather: ids must be a Variable of ids or a list of integers, got numbers (input)",
    ],
    [
      "more reflected elements than there are",
      (c, x) => ops.pad(c, x, 1, [4, 0], { mode: "reflect" }),
      "ops.pad: amounts must be at most 3 to reflect axis 1 of [2, 4], got [4, 0]",
    ],
    [
      "parts that leave something",
      (c, x) => ops.split(c, x, 1, [1, 2])[0],
      "ops.split: parts must make up the 4 of axis 1 of [2, 4], got [1, 2]",
    ],
    ["parts that are unequal", (c, x) => ops.split(c, x, 1, 3)[0], "ops.split: parts must make up the 4 of axis 1 of [2, 4], got 3"],
    ["parts of two shapes", (c, x, p) => ops.stack(c, [x, p], 0), "ops.stack: parts must have one shape, got [2, 4] and [3]"],
    ["a repeat too few", (c, x) => ops.tile(c, x, [2]), "ops.tile: repeats must have a number for each axis of [2, 4], got [2]"],
    [
      "a size that cannot grow",
      (c, x) => ops.expand(c, x, [3, 4]),
      "ops.expand: shape must have the sizes of [2, 4] where those are not 1, got [3, 4]",
    ],
    ["an axis that is no single one", (c, x) => ops.squeeze(c, x, 0), "ops.squeeze: axis 0 of [2, 4] must have size 1"],
  ])("%s", async (_, operation, message) => {
    const input = tensor([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    await expect(forward(new Operated([3], operation), input, { backend: await backend("cpu") })).rejects.toThrow(message);
  });
});
