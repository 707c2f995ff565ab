/** The public operations: values against plain loops on both backends, derivatives against finite differences in float64. */
import { describe, expect, it } from "vitest";
import type { Module } from "webgpu-rnn";
import { forward, ReLU, Sigmoid, Softmax, Tanh, tensor, type Variable } from "webgpu-rnn";
import { jacobian } from "webgpu-rnn/inspect";
import * as ops from "webgpu-rnn/ops";
import { describeOperations, Operated, total, type Case, type Operation } from "./operation-check.ts";
import { backend, expectClose, kinds } from "./support.ts";

const exponentials = (n: number, lengthOf: number, x: (i: number) => number, at: number): number =>
  at < lengthOf ? Math.exp(x(at)) / total(Math.min(n, lengthOf), (i) => Math.exp(x(i))) : 0;

const cases: Record<string, Case> = {
  "adds a bias over leading axes": {
    x: [3, 2, 5],
    p: [5],
    operation: ops.add,
    shape: [3, 2, 5],
    expected: ([i, j, k], x, p) => x(i, j, k) + p(k),
  },
  "adds numbers of one shape, twice": {
    x: [7, 3],
    p: [7, 3],
    operation: (c, x, p) => ops.add(c, ops.add(c, x, p), p),
    shape: [7, 3],
    expected: ([i, j], x, p) => x(i, j) + 2 * p(i, j),
  },
  "adds a variable to itself": {
    x: [4],
    p: [4],
    operation: (c, x, p) => ops.multiply(c, ops.add(c, x, x), p),
    shape: [4],
    expected: ([i], x, p) => 2 * x(i) * p(i),
  },
  "adds along alternating axes": {
    x: [2, 3, 1, 4],
    p: [2, 1, 5, 4],
    operation: ops.add,
    shape: [2, 3, 5, 4],
    expected: ([i, j, k, l], x, p) => x(i, j, 0, l) + p(i, 0, k, l),
  },
  "multiplies, repeating either side": {
    x: [2, 1, 3, 1],
    p: [5, 1, 4],
    operation: ops.multiply,
    shape: [2, 5, 3, 4],
    expected: ([i, j, k, l], x, p) => x(i, 0, k, 0) * p(j, 0, l),
  },
  "multiplies by a number that is learnt": {
    x: [3, 4],
    p: [1],
    operation: ops.multiply,
    shape: [3, 4],
    expected: ([i, j], x, p) => x(i, j) * p(0),
  },
  scales: {
    x: [3, 4],
    p: [1],
    operation: (c, x, p) => ops.add(c, ops.scale(c, x, -2.5), p),
    shape: [3, 4],
    expected: ([i, j], x, p) => -2.5 * x(i, j) + p(0),
  },
  "multiplies matrices, one for the whole batch": {
    x: [2, 3, 4],
    p: [4, 5],
    operation: ops.matmul,
    shape: [2, 3, 5],
    expected: ([b, m, n], x, p) => total(4, (k) => x(b, m, k) * p(k, n)),
  },
  "multiplies matrices, one for the whole batch, transposed": {
    x: [2, 3, 4],
    p: [5, 4],
    operation: (c, x, p) => ops.matmul(c, x, p, { transposeB: true }),
    shape: [2, 3, 5],
    expected: ([b, m, n], x, p) => total(4, (k) => x(b, m, k) * p(n, k)),
  },
  ...Object.fromEntries(
    [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ].map(([transposeA, transposeB]): [string, Case] => [
      `multiplies batches of matrices, transposed: ${transposeA}, ${transposeB}`,
      {
        x: [2, 3, ...(transposeA ? [7, 5] : [5, 7])],
        p: [2, 3, ...(transposeB ? [4, 7] : [7, 4])],
        operation: (c, x, p) => ops.matmul(c, x, p, { transposeA, transposeB }),
        shape: [2, 3, 5, 4],
        expected: ([a, b, m, n], x, p) =>
          total(7, (k) => (transposeA ? x(a, b, k, m) : x(a, b, m, k)) * (transposeB ? p(a, b, n, k) : p(a, b, k, n))),
      },
    ]),
  ),
  "joins along the first axis": {
    x: [2, 3],
    p: [4, 3],
    operation: (c, x, p) => ops.concat(c, [p, x], 0),
    shape: [6, 3],
    expected: ([i, j], x, p) => (i < 4 ? p(i, j) : x(i - 4, j)),
  },
  "joins along a middle axis, one part twice": {
    x: [2, 3, 2],
    p: [2, 1, 2],
    operation: (c, x, p) => ops.concat(c, [p, x, p], 1),
    shape: [2, 5, 2],
    expected: ([i, j, k], x, p) => (j > 0 && j < 4 ? x(i, j - 1, k) : p(i, 0, k)),
  },
  "joins along the last axis": {
    x: [2, 3, 2],
    p: [2, 3, 4],
    operation: (c, x, p) => ops.concat(c, [x, p], -1),
    shape: [2, 3, 6],
    expected: ([i, j, k], x, p) => (k < 2 ? x(i, j, k) : p(i, j, k - 2)),
  },
  "takes slices that overlap": {
    x: [3, 6],
    p: [3, 4],
    operation: (c, x, p) => ops.multiply(c, ops.add(c, ops.slice(c, x, 1, 0, 4), ops.slice(c, x, -1, 2, 6)), p),
    shape: [3, 4],
    expected: ([i, j], x, p) => (x(i, j) + x(i, j + 2)) * p(i, j),
  },
  "takes a slice of the first axis": {
    x: [5, 2],
    p: [2],
    operation: (c, x, p) => ops.multiply(c, ops.slice(c, x, 0, 3, 4), p),
    shape: [1, 2],
    expected: ([, j], x, p) => x(3, j) * p(j),
  },
  "permutes three axes": {
    x: [2, 3, 4],
    p: [4, 2, 3],
    operation: (c, x, p) => ops.multiply(c, ops.permute(c, x, [2, 0, 1]), p),
    shape: [4, 2, 3],
    expected: ([i, j, k], x, p) => x(j, k, i) * p(i, j, k),
  },
  "permutes four axes, none of which stay neighbours": {
    x: [2, 3, 4, 5],
    p: [5],
    operation: (c, x, p) => ops.add(c, ops.permute(c, x, [0, 2, 1, 3]), p),
    shape: [2, 4, 3, 5],
    expected: ([i, j, k, l], x, p) => x(i, k, j, l) + p(l),
  },
  "reverses four axes": {
    x: [2, 3, 4, 5],
    p: [2],
    operation: (c, x, p) => ops.add(c, ops.permute(c, x, [3, 2, 1, 0]), p),
    shape: [5, 4, 3, 2],
    expected: ([i, j, k, l], x, p) => x(l, k, j, i) + p(l),
  },
  "reshapes without copying": {
    x: [2, 6],
    p: [4],
    operation: (c, x, p) => ops.add(c, ops.add(c, ops.reshape(c, x, [3, 4]), p), ops.reshape(c, x, [3, 4])),
    shape: [3, 4],
    expected: ([i, j], x, p) => 2 * x(Math.floor((4 * i + j) / 6), (4 * i + j) % 6) + p(j),
  },
  "reshapes a parameter": {
    x: [3, 2],
    p: [6],
    operation: (c, x, p) => ops.multiply(c, ops.reshape(c, p, [3, 2]), x),
    shape: [3, 2],
    expected: ([i, j], x, p) => x(i, j) * p(2 * i + j),
  },
  "sums over a middle axis": {
    x: [2, 5, 3],
    p: [2, 3],
    operation: (c, x, p) => ops.multiply(c, ops.sum(c, x, 1), p),
    shape: [2, 3],
    expected: ([i, j], x, p) => total(5, (k) => x(i, k, j)) * p(i, j),
  },
  "sums over the last axis": {
    x: [2, 5, 3],
    p: [5],
    operation: (c, x, p) => ops.multiply(c, ops.sum(c, x, -1), p),
    shape: [2, 5],
    expected: ([i, j], x, p) => total(3, (k) => x(i, j, k)) * p(j),
  },
  "takes the mean over the first axis": {
    x: [4, 5],
    p: [1],
    operation: (c, x, p) => ops.multiply(c, ops.mean(c, x, 0), p),
    shape: [5],
    expected: ([j], x, p) => (total(4, (i) => x(i, j)) / 4) * p(0),
  },
  "takes the mean of a mean: one number": {
    x: [3, 2],
    p: [1],
    operation: (c, x, p) => ops.multiply(c, ops.mean(c, ops.mean(c, x, 0), 0), p),
    shape: [1],
    expected: (_, x, p) => (total(6, (i) => x(i >> 1, i & 1)) / 6) * p(0),
  },
  "computes σ, tanh and max(0, ·)": {
    x: [3, 3],
    p: [3, 3],
    operation: (c, x, p) => ops.add(c, ops.multiply(c, ops.sigmoid(c, x), ops.tanh(c, p)), ops.relu(c, x)),
    shape: [3, 3],
    expected: ([i, j], x, p) => Math.tanh(p(i, j)) / (1 + Math.exp(-x(i, j))) + Math.max(0, x(i, j)),
  },
  "computes softmax over the last axis": {
    x: [2, 3, 5],
    p: [5],
    operation: (c, x, p) => ops.multiply(c, ops.softmax(c, x), p),
    shape: [2, 3, 5],
    expected: ([i, j, k], x, p) => exponentials(5, 5, (at) => x(i, j, at), k) * p(k),
  },
  "computes softmax over what a row has, and zeros for a row that has nothing": {
    x: [5, 3, 5],
    p: [5],
    lengths: [2, 0, 5],
    operation: (c, x, p) => ops.multiply(c, ops.softmax(c, x, { mask: ops.lengthMask(c, 5) }), p),
    shape: [5, 3, 5],
    expected: ([i, row, k], x, p) => exponentials(5, [2, 0, 5][row], (at) => x(i, row, at), k) * p(k),
  },
  "maps linearly": {
    x: [2, 3, 4],
    p: [5, 4],
    operation: (c, x, p) => ops.linear(c, x, p, ops.sum(c, p, 1)),
    shape: [2, 3, 5],
    expected: ([i, j, o], x, p) => total(4, (k) => (x(i, j, k) + 1) * p(o, k)),
  },
};

describeOperations(cases);

describe("dropout as an operation", () => {
  it("does nothing outside training, and divides the remaining elements in training", async () => {
    const model = new Operated([1], (c, x) => ops.dropout(c, x, 0.5));
    const input = tensor([1, 2, 3, 4, 5, 6, 7, 8]);
    const on = await backend("webgpu");
    expect([...(await forward(model, input, { backend: on })).output.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const { output } = await forward(model, input, { backend: on, training: true, seed: 1 });
    expect(output.data.every((y, i) => y === 0 || y === 2 * (i + 1))).toBe(true);
    expect(new Set(output.data).size).toBeGreaterThan(2);
  });
});

const points = [-3, -0.7, 0.2, 1.5];
const functions: [string, Module, (x: number) => number, (x: number) => number][] = [
  ["σ", new Sigmoid(), (x) => 1 / (1 + Math.exp(-x)), (x) => Math.exp(-x) / (1 + Math.exp(-x)) ** 2],
  ["tanh", new Tanh(), Math.tanh, (x) => 1 / Math.cosh(x) ** 2],
  ["ReLU", new ReLU(), (x) => Math.max(0, x), (x) => (x > 0 ? 1 : 0)],
];

describe.each(kinds)("functions alone, on %s", (kind) => {
  it.each(functions)("%s and its derivative, which is the Jacobian's diagonal", async (_, module, value, derivative) => {
    const result = await jacobian(module, tensor(points), { backend: await backend(kind) });
    expectClose("value", result.output.data, points.map(value));
    expect(result.jacobian.shape).toEqual([4, 4]);
    expectClose(
      "derivative",
      result.jacobian.data,
      points.flatMap((x, i) => points.map((__, j) => (i === j ? derivative(x) : 0))),
    );
  });

  it("softmax and its full Jacobian, y_i ([i = j] - y_j)", async () => {
    const result = await jacobian(new Softmax(), tensor(points), { backend: await backend(kind) });
    const sum = total(4, (i) => Math.exp(points[i]));
    const y = points.map((x) => Math.exp(x) / sum);
    expectClose("value", result.output.data, y);
    expectClose(
      "Jacobian",
      result.jacobian.data,
      y.flatMap((yi, i) => y.map((yj, j) => yi * ((i === j ? 1 : 0) - yj))),
    );
  });
});

describe("an operation that does not fit is refused in words", () => {
  const mistakes: [string, readonly number[], Operation, string][] = [
    [
      "sizes that cannot be repeated",
      [3],
      ops.add,
      "ops.add: a and b must have sizes that are equal or 1, axis by axis from the last, got [2, 4] and [3]",
    ],
    ["a product of unequal sizes", [3, 4], ops.matmul, "ops.matmul: a must have as many columns as b has rows, got [2, 4] and [3, 4]"],
    [
      "batches of unequal sizes",
      [3, 4, 2],
      (c, x, p) => ops.matmul(c, ops.reshape(c, x, [2, 1, 4]), p),
      "ops.matmul: a and b must have the same axes before the last two (b may have none if a is not transposed), got [2, 1, 4] and [3, 4, 2]",
    ],
    [
      "parts that differ in two axes",
      [3, 3],
      (c, x, p) => ops.concat(c, [x, p], 0),
      "ops.concat: parts must be equal in all axes but 0, got [2, 4] and [3, 3]",
    ],
    ["an axis that is not there", [1], (c, x) => ops.sum(c, x, 2), "ops.sum: axis must be an integer from -2 to 1 for [2, 4], got 2"],
    [
      "a slice past the end",
      [1],
      (c, x) => ops.slice(c, x, 1, 2, 5),
      "ops.slice: end must be at most 4, the size of axis 1 of [2, 4], got 5",
    ],
    ["axes named twice", [1], (c, x) => ops.permute(c, x, [1, 1]), "ops.permute: axes must name each axis of [2, 4] once, got [1, 1]"],
    [
      "another number of elements",
      [1],
      (c, x) => ops.reshape(c, x, [3, 3]),
      "ops.reshape: shape must have 8 elements like [2, 4], got [3, 3]",
    ],
    [
      "a mask of another shape",
      [3],
      (c, x, p) => ops.softmax(c, x, { mask: p }),
      "ops.softmax: mask must have sizes that are those of x or 1, axis by axis from the last, got [3] for [2, 4]",
    ],
    ["a factor that is no number", [1], (c, x) => ops.scale(c, x, NaN), "ops.scale: factor must be a finite number, got NaN"],
    ["a weight of other features", [3, 5], ops.linear, "ops.linear: x must have 5 features in its last axis, got [2, 4]"],
    [
      "a bias that is no variable",
      [3, 4],
      (c, x, p) => ops.linear(c, x, p, 0 as unknown as Variable),
      "ops.linear: bias must be a Variable, got 0; ",
    ],
    ["a number instead of a variable", [1], (c) => ops.scale(c, 3 as unknown as Variable, 2), "ops.scale: x must be a Variable, got 3; "],
    [
      "numbers instead of ids",
      [3, 5],
      (c, x, p) => ops.embedding(c, x, p),
      "ops.embedding: ids must be a Variable of ids, got numbers (input)",
    ],
    [
      "a tensor instead of a variable",
      [1],
      (c, x) => ops.add(c, x, tensor([1]) as unknown as Variable),
      "ops.add: b must be a Variable, got an Object; ops.constant makes one of a tensor",
    ],
  ];
  it.each(mistakes)("%s", async (_, p, operation, message) => {
    await expect(
      forward(
        new Operated(p, operation),
        tensor([
          [1, 2, 3, 4],
          [5, 6, 7, 8],
        ]),
        { backend: await backend("cpu") },
      ),
    ).rejects.toThrow(message);
  });
});
