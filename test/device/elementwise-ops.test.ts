/** Operations element by element: values from SciPy, derivatives by finite differences, and PyTorch's choice at kinks. */
import { describe, expect, it } from "vitest";
import { forward, gradients, tensor, type Context, type Variable } from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { describeOperations, Operated, type Case, type Operation } from "./operation-check.ts";
import { backend, expectClose, kinds } from "./support.ts";

type Unary = (context: Context, x: Variable) => Variable;

/** Away from all kinks, on both sides of them. */
const points = [-5, -2.75, -1.2, -0.3, 0.04, 0.6, 1.3, 2.9, 4.5];
const positive = [0.6, 1.1, 2.5, 40];

/** Computed by SciPy in float64, and rounded to nine digits. */
const published: Readonly<Record<string, readonly number[]>> = {
  erf: [-1, -0.999899378, -0.910313978, -0.328626759, 0.0451111061, 0.603856091, 0.934007945, 0.999958902, 1],
  gelu: [-1.43325786e-6, -0.0081943489, -0.138083604, -0.114626573, 0.0206381375, 0.435448129, 1.17415937, 2.89458914, 4.49998471],
  geluTanh: [-2.2917962e-7, -0.00772314407, -0.138297231, -0.114629076, 0.0206381366, 0.435415199, 1.17392901, 2.89503333, 4.49999486],
  softplus: [0.00671534849, 0.061967589, 0.263282467, 0.554355244, 0.713347167, 1.03748795, 1.54100845, 2.95356278, 4.51104774],
  silu: [-0.0334642546, -0.165238288, -0.27777026, -0.127667245, 0.0203999467, 0.387393784, 1.02158548, 2.74875467, 4.45055876],
};
const from = (name: string) => (x: number) => published[name][points.findIndex((point) => Math.fround(point) === x)];

const functions: readonly [name: string, of: Unary, value: (x: number) => number, at?: readonly number[]][] = [
  ["√x", ops.sqrt, Math.sqrt, positive],
  ["ln x", ops.log, Math.log, positive],
  ["e^x", ops.exp, Math.exp],
  ["|x|", ops.abs, Math.abs],
  ["-x", ops.negate, (x) => -x],
  ["1/x", ops.reciprocal, (x) => 1 / x, [-3, -0.8, 0.6, 1.5]],
  ["erf", ops.erf, from("erf")],
  ["GELU", ops.gelu, from("gelu")],
  ["GELU by tanh", (c, x) => ops.gelu(c, x, { approximate: "tanh" }), from("geluTanh")],
  ["SiLU", ops.silu, from("silu")],
  ["softplus", ops.softplus, from("softplus")],
  ["softsign", ops.softsign, (x) => x / (1 + Math.abs(x))],
  ["ELU", (c, x) => ops.elu(c, x, { alpha: 0.7 }), (x) => (x > 0 ? x : 0.7 * (Math.exp(x) - 1))],
  ["SELU", ops.selu, (x) => 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (Math.exp(x) - 1))],
  ["leaky ReLU", (c, x) => ops.leakyRelu(c, x, { alpha: 0.2 }), (x) => (x > 0 ? x : 0.2 * x)],
  ["hard sigmoid", ops.hardSigmoid, (x) => Math.min(1, Math.max(0, x / 6 + 0.5))],
  [
    "hard sigmoid with ONNX' slope",
    (c, x) => ops.hardSigmoid(c, x, { alpha: 0.2, beta: 0.5 }),
    (x) => Math.min(1, Math.max(0, 0.2 * x + 0.5)),
  ],
  ["hard swish", ops.hardSwish, (x) => x * Math.min(1, Math.max(0, x / 6 + 0.5))],
  ["a clip on both sides", (c, x) => ops.clip(c, x, { minimum: -1, maximum: 2 }), (x) => Math.min(2, Math.max(-1, x))],
  ["a clip from below", (c, x) => ops.clip(c, x, { minimum: 0.5 }), (x) => Math.max(0.5, x)],
  ["a power of a number", (c, x) => ops.power(c, x, 3), (x) => x * x * x],
  ["a number to a power", (c, x) => ops.power(c, 1.5, x), (x) => Math.exp(x * Math.log(1.5))],
  ["a number minus x", (c, x) => ops.subtract(c, 1, x), (x) => 1 - x],
  ["what is at least a number", (c, x) => ops.maximum(c, x, 0.5), (x) => Math.max(x, 0.5)],
];

describeOperations(
  Object.fromEntries(
    functions.map(([name, of, value, at = points]): [string, Case] => [
      `computes ${name}`,
      {
        x: [at.length],
        values: at,
        p: [at.length],
        operation: (c, x, p) => ops.multiply(c, of(c, x), p),
        shape: [at.length],
        expected: ([i], x, p) => value(x(i)) * p(i),
      },
    ]),
  ),
);

const pairs: Record<string, Case> = {
  "subtracts, repeating either side": {
    x: [2, 1, 3],
    p: [4, 1],
    operation: ops.subtract,
    shape: [2, 4, 3],
    expected: ([i, j, k], x, p) => x(i, 0, k) - p(j, 0),
  },
  "divides by numbers that are repeated": {
    x: [2, 3, 4],
    p: [3, 1],
    operation: (c, x, p) => ops.divide(c, x, ops.add(c, ops.exp(c, p), 0.5)),
    shape: [2, 3, 4],
    expected: ([i, j, k], x, p) => x(i, j, k) / (Math.exp(p(j, 0)) + 0.5),
  },
  "divides a repeated number": {
    x: [2, 3, 4],
    p: [1],
    operation: (c, x, p) => ops.divide(c, p, ops.add(c, x, 3)),
    shape: [2, 3, 4],
    expected: ([i, j, k], x, p) => p(0) / (x(i, j, k) + 3),
  },
  "divides a variable by itself": {
    x: [5],
    p: [5],
    operation: (c, x, p) => ops.add(c, ops.divide(c, x, x), p),
    shape: [5],
    expected: ([i], _, p) => 1 + p(i),
  },
  "takes powers, repeating either side": {
    x: [2, 3],
    p: [4, 1, 3],
    operation: (c, x, p) => ops.power(c, ops.exp(c, x), p),
    shape: [4, 2, 3],
    expected: ([i, j, k], x, p) => Math.exp(x(j, k) * p(i, 0, k)),
  },
  "takes the greater and the lesser": {
    x: [4, 5],
    p: [5],
    operation: (c, x, p) => ops.subtract(c, ops.maximum(c, x, p), ops.scale(c, ops.minimum(c, x, p), 3)),
    shape: [4, 5],
    expected: ([i, j], x, p) => Math.max(x(i, j), p(j)) - 3 * Math.min(x(i, j), p(j)),
  },
  "chooses by a condition, repeating all sides": {
    x: [2, 1, 5],
    p: [3, 1],
    operation: (c, x, p) => ops.where(c, ops.less(c, x, 0.1), p, ops.multiply(c, x, x)),
    shape: [2, 3, 5],
    expected: ([i, j, k], x, p) => (x(i, 0, k) < 0.1 ? p(j, 0) : x(i, 0, k) ** 2),
  },
};
describeOperations(pairs);

/** Runs an operation on x, and gives the derivatives of the sum of its results. */
async function slopes(of: Operation, x: readonly number[], kind: "cpu" | "webgpu"): Promise<{ y: number[]; dx: number[] }> {
  const cotangent = { shape: [x.length], data: new Float32Array(x.length).fill(1) };
  const result = await gradients(new Operated([1], of), tensor([...x]), { output: cotangent }, { backend: await backend(kind) });
  return { y: [...result.output.data], dx: [...result.gradients.input!.data] };
}

describe.each(kinds)("on %s", (kind) => {
  // [function, x, y, PyTorch's derivative there]
  it.each<[string, Operation, readonly number[], readonly number[], readonly number[]]>([
    ["|x|", ops.abs, [0], [0], [0]],
    ["ReLU", ops.relu, [0], [0], [0]],
    ["leaky ReLU", (c, x) => ops.leakyRelu(c, x, { alpha: 0.25 }), [0], [0], [0.25]],
    ["ELU", (c, x) => ops.elu(c, x, { alpha: 0.5 }), [0], [0], [0.5]],
    ["hard sigmoid", (c, x) => ops.hardSigmoid(c, x), [-3, 3], [0, 1], [0, 0]],
    ["hard swish", ops.hardSwish, [-3, 3], [0, 3], [0, 1]],
    ["a clip", (c, x) => ops.clip(c, x, { minimum: -1, maximum: 2 }), [-1, 2, 3], [-1, 2, 2], [1, 1, 0]],
    ["the greater of two that are equal", (c, x) => ops.maximum(c, x, 1), [1], [1], [0.5]],
    ["the lesser of two that are equal", (c, x) => ops.minimum(c, 1, x), [1], [1], [0.5]],
    ["x² and x¹ at 0", (c, x) => ops.add(c, ops.power(c, x, 2), x), [0], [0], [1]],
    ["x⁰", (c, x) => ops.power(c, x, 0), [0, -2], [1, 1], [0, 0]],
    ["an odd power below 0", (c, x) => ops.power(c, x, 3), [-2], [-8], [12]],
    ["an even power below 0", (c, x) => ops.power(c, x, 4), [-2], [16], [-32]],
    ["a negative power below 0", (c, x) => ops.power(c, x, -1), [-2], [-0.5], [-0.25]],
  ])("%s has PyTorch's derivative at a kink", async (_, of, x, y, dx) => {
    const result = await slopes(of, x, kind);
    expectClose("y", result.y, y);
    expectClose("dx", result.dx, dx);
  });

  it("a number below 0 has no power that is no integer, and 0 no logarithm", async () => {
    const on = { backend: await backend(kind) };
    const root = await forward(new Operated([1], (c, x) => ops.power(c, x, 0.5)), tensor([-2, 4]), on);
    expect([...root.output.data]).toEqual([NaN, 2]);
    expect([...(await forward(new Operated([1], ops.log), tensor([0, -1]), on)).output.data]).toEqual([-Infinity, NaN]);
    expect([...(await forward(new Operated([1], ops.sqrt), tensor([0, -1]), on)).output.data]).toEqual([0, NaN]);
    expect([...(await forward(new Operated([1], ops.exp), tensor([200, -200]), on)).output.data]).toEqual([Infinity, 0]);
    expect([...(await forward(new Operated([1], ops.reciprocal), tensor([0]), on)).output.data]).toEqual([Infinity]);
  });

  it.each<[string, Operation, readonly number[]]>([
    ["equal", (c, x) => ops.equal(c, x, 1), [0, 1, 0]],
    ["less", (c, x) => ops.less(c, x, 1), [1, 0, 0]],
    ["lessOrEqual", (c, x) => ops.lessOrEqual(c, x, 1), [1, 1, 0]],
    ["greater", (c, x) => ops.greater(c, x, 1), [0, 0, 1]],
    ["greaterOrEqual", (c, x) => ops.greaterOrEqual(c, x, 1), [0, 1, 1]],
    ["not", ops.not, [1, 0, 0]],
    ["and", (c, x) => ops.and(c, x, ops.greater(c, 2, x)), [0, 1, 0]],
    ["or", (c, x) => ops.or(c, x, 0), [0, 1, 1]],
  ])("%s gives 1 and 0, and no gradient", async (_, of, expected) => {
    const on = { backend: await backend(kind) };
    expect([...(await forward(new Operated([1], of), tensor([0, 1, 2]), on)).output.data]).toEqual(expected);
    expect((await slopes((c, x, p) => ops.add(c, of(c, x, p), x), [0, 1, 2], kind)).dx).toEqual([1, 1, 1]);
  });

  it("rounds as IEEE 754 does, halves to the even integer", async () => {
    const on = { backend: await backend(kind) };
    const x = tensor([-2.5, -1.5, -0.4, 0.5, 1.5, 2.6]);
    const of = async (operation: Operation): Promise<number[]> => [
      ...(await forward(new Operated([1], (c, x) => ops.add(c, operation(c, x, x), 0)), x, on)).output.data,
    ];
    expect(await of(ops.round)).toEqual([-2, -2, 0, 0, 2, 3]);
    expect(await of(ops.floor)).toEqual([-3, -2, -1, 0, 1, 2]);
    expect(await of(ops.ceil)).toEqual([-2, -1, 0, 1, 2, 3]);
    expect(await of(ops.sign)).toEqual([-1, -1, -1, 1, 1, 1]);
  });

  it("takes what a condition chooses, whatever the other side is", async () => {
    const on = { backend: await backend(kind) };
    const { output } = await forward(new Operated([1], (c, x) => ops.where(c, x, ops.reciprocal(c, x), -1)), tensor([0, 4]), on);
    expect([...output.data]).toEqual([-1, 0.25]);
  });
});

describe("what does not fit is refused in words:", () => {
  it.each<[string, Operation, string]>([
    [
      "sizes that cannot be repeated",
      (c, x, p) => ops.divide(c, x, p),
      "ops.divide: a and b must have sizes that are equal or 1, axis by axis from the last, got [2, 4] and [3]",
    ],
    [
      "a condition of another size",
      (c, x, p) => ops.where(c, p, x, 1),
      "ops.where: condition, a and b must have sizes that are equal or 1, axis by axis from the last, got [3] and [2, 4] and []",
    ],
    ["a number that is none", (c, x) => ops.maximum(c, x, NaN), "ops.maximum: b must be a finite number, got NaN"],
    [
      "limits the wrong way round",
      (c, x) => ops.clip(c, x, { minimum: 2, maximum: 1 }),
      "ops.clip: minimum must be at most maximum, got 2 and 1",
    ],
    ["a limit that is no number", (c, x) => ops.clip(c, x, { minimum: NaN }), "ops.clip: minimum must be a number, got NaN"],
    [
      "another approximation",
      (c, x) => ops.gelu(c, x, { approximate: "erf" as "none" }),
      'ops.gelu: approximate must be "none" or "tanh", got "erf"',
    ],
    [
      "a slope that falls below 0",
      (c, x) => ops.leakyRelu(c, x, { alpha: -1 }),
      "ops.leakyRelu: alpha must be a finite number of at least 0, got -1",
    ],
  ])("%s", async (_, operation, message) => {
    const input = tensor([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    await expect(forward(new Operated([3], operation), input, { backend: await backend("cpu") })).rejects.toThrow(message);
  });
});
