/** Convolutions, pooling and normalization: values against plain loops, derivatives against finite differences. */
import { describe, expect, it } from "vitest";
import {
  AvgPool1d,
  BatchNorm1d,
  Conv1d,
  forward,
  gradients,
  LayerNorm,
  Linear,
  MaxPool1d,
  Residual,
  Sequential,
  squaredError,
  tensor,
  Trainer,
  sgd,
  type Module,
  type Variable,
} from "webgpu-rnn";
import * as ops from "webgpu-rnn/ops";
import { checkGradients } from "./gradient-check.ts";
import { describeOperations, Operated, total, type Case, type Operation } from "./operation-check.ts";
import { backend, expectClose, kinds, numbers } from "./support.ts";

interface Convolution {
  readonly x: readonly [number, number, number];
  readonly outputs: number;
  readonly taps: number;
  readonly stride?: number;
  readonly padding?: ops.Padding;
  /** What `padding` comes to before the sequence. */
  readonly before?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly positions: number;
}

const convolutions: Record<string, Convolution> = {
  "with nothing around it": { x: [2, 3, 7], outputs: 4, taps: 3, positions: 5 },
  "of one step": { x: [2, 3, 5], outputs: 2, taps: 1, positions: 5 },
  "with a stride and zeros on both sides": { x: [2, 2, 8], outputs: 3, taps: 3, stride: 2, padding: 1, before: 1, positions: 4 },
  "with unequal sides": { x: [1, 2, 6], outputs: 2, taps: 4, padding: [3, 1], before: 3, positions: 7 },
  "that is causal, with a dilation": { x: [2, 2, 6], outputs: 3, taps: 3, padding: "causal", before: 4, dilation: 2, positions: 6 },
  "as long as its input": { x: [1, 3, 6], outputs: 2, taps: 4, padding: "same", before: 1, positions: 6 },
  "as long as its input divided by a stride": { x: [1, 2, 7], outputs: 2, taps: 4, stride: 3, padding: "same", before: 1, positions: 3 },
  "in groups": { x: [2, 4, 5], outputs: 6, taps: 2, groups: 2, positions: 4 },
  "for each channel alone": { x: [2, 3, 6], outputs: 3, taps: 3, groups: 3, padding: "causal", before: 2, positions: 6 },
};

/** The same with channels last. */
const turned =
  (of: Operation): Operation =>
  (c, x, p) =>
    ops.permute(c, of(c, ops.permute(c, x, [0, 2, 1]), p), [0, 2, 1]);

describeOperations(
  Object.fromEntries(
    Object.entries(convolutions).flatMap(([name, one]) => {
      const { x: shape, outputs, taps, positions, before = 0, ...options } = one;
      const { stride = 1, dilation = 1, groups = 1 } = options;
      const perGroup = shape[1] / groups;
      const at = (x: (...index: number[]) => number, n: number, c: number, l: number): number => (l < 0 || l >= shape[2] ? 0 : x(n, c, l));
      const of: Case = {
        x: shape,
        p: [outputs, perGroup, taps],
        operation: (c, x, p) => ops.conv1d(c, x, p, ops.mean(c, p, [1, 2]), options),
        shape: [shape[0], outputs, positions],
        expected: ([n, o, position], x, p) => {
          const first = Math.floor(o / (outputs / groups)) * perGroup;
          return total(perGroup * taps, (i) => {
            const [c, k] = [Math.floor(i / taps), i % taps];
            return p(o, c, k) * (at(x, n, first + c, position * stride + k * dilation - before) + 1 / (perGroup * taps));
          });
        },
      };
      const last: Operation = turned((c, x, p) => ops.conv1d(c, x, p, ops.mean(c, p, [1, 2]), { ...options, layout: "channelsLast" }));
      return [
        [`convolves ${name}`, of],
        [`convolves ${name}, channels last`, { ...of, operation: last }],
      ] as const;
    }),
  ),
);

interface Transposed {
  readonly x: readonly [number, number, number];
  readonly outputs: number;
  readonly taps: number;
  readonly options: { stride?: number; padding?: number; dilation?: number; groups?: number; outputPadding?: number };
  readonly length: number;
}

const transposed: Record<string, Transposed> = {
  "with nothing cut off": { x: [2, 3, 4], outputs: 2, taps: 3, options: {}, length: 6 },
  "with a stride, cut off at both ends, and a step more": {
    x: [2, 2, 4],
    outputs: 3,
    taps: 4,
    options: { stride: 3, padding: 2, outputPadding: 1 },
    length: 10,
  },
  "in groups, with a dilation": { x: [1, 4, 3], outputs: 6, taps: 2, options: { dilation: 3, groups: 2 }, length: 6 },
};

describeOperations(
  Object.fromEntries(
    Object.entries(transposed).flatMap(([name, { x: shape, outputs, taps, options, length }]) => {
      const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
      const [inGroup, outGroup] = [shape[1] / groups, outputs / groups];
      const bias = (p: (...index: number[]) => number): number => total(inGroup * groups, (c) => p(c, 0, 0));
      const of: Case = {
        x: shape,
        p: [shape[1], outGroup, taps],
        operation: (c, x, p) =>
          ops.convTranspose1d(
            c,
            x,
            p,
            ops.expand(c, ops.sum(c, ops.slice(c, ops.reshape(c, p, [shape[1], outGroup * taps]), 1, 0, 1)), [outputs]),
            options,
          ),
        shape: [shape[0], outputs, length],
        expected: ([n, o, l], x, p) => {
          const g = Math.floor(o / outGroup);
          return (
            bias(p) +
            total(inGroup * shape[2] * taps, (i) => {
              const [c, position, k] = [Math.floor(i / (shape[2] * taps)), Math.floor(i / taps) % shape[2], i % taps];
              const hits = position * stride + k * dilation - padding === l;
              return hits ? x(n, g * inGroup + c, position) * p(g * inGroup + c, o % outGroup, k) : 0;
            })
          );
        },
      };
      const last = turned((c, x, p) => ops.convTranspose1d(c, x, p, undefined, { ...options, layout: "channelsLast" }));
      return [
        [`convolves transposed, ${name}`, of],
        [
          `convolves transposed, ${name}, channels last`,
          { ...of, operation: last, expected: (index, x, p) => of.expected(index, x, p) - bias(p) },
        ],
      ] as [string, Case][];
    }),
  ),
);

const windowOf = (length: number, first: number, size: number, dilation = 1): number[] =>
  Array.from({ length: size }, (_, k) => first + k * dilation).filter((l) => l >= 0 && l < length);

describeOperations({
  "takes the greatest of each window": {
    x: [2, 3, 8],
    p: [3, 1],
    operation: (c, x, p) => ops.multiply(c, ops.maxPool1d(c, x, 3, { stride: 2, padding: 1 }), p),
    shape: [2, 3, 4],
    expected: ([n, c, i], x, p) => Math.max(...windowOf(8, 2 * i - 1, 3).map((l) => x(n, c, l))) * p(c, 0),
  },
  "takes the greatest of each window, channels last, with a dilation": {
    x: [2, 8, 3],
    p: [3],
    operation: (c, x, p) => ops.multiply(c, ops.maxPool1d(c, x, 2, { stride: 1, dilation: 3, layout: "channelsLast" }), p),
    shape: [2, 5, 3],
    expected: ([n, i, c], x, p) => Math.max(x(n, i, c), x(n, i + 3, c)) * p(c),
  },
  "takes the mean of each window": {
    x: [2, 3, 9],
    p: [3, 1],
    operation: (c, x, p) => ops.multiply(c, ops.avgPool1d(c, x, 4), p),
    shape: [2, 3, 2],
    expected: ([n, c, i], x, p) => (total(4, (k) => x(n, c, 4 * i + k)) / 4) * p(c, 0),
  },
  "takes the mean of each window with its padding": {
    x: [1, 2, 5],
    p: [2, 1],
    operation: (c, x, p) => ops.multiply(c, ops.avgPool1d(c, x, 3, { stride: 2, padding: 1 }), p),
    shape: [1, 2, 3],
    expected: ([n, c, i], x, p) => (windowOf(5, 2 * i - 1, 3).reduce((sum, l) => sum + x(n, c, l), 0) / 3) * p(c, 0),
  },
  "takes the mean of each window without its padding, channels last": {
    x: [1, 5, 2],
    p: [2],
    operation: (c, x, p) =>
      ops.multiply(c, ops.avgPool1d(c, x, 3, { stride: 2, padding: 1, countPadding: false, layout: "channelsLast" }), p),
    shape: [1, 3, 2],
    expected: ([n, i, c], x, p) => {
      const inside = windowOf(5, 2 * i - 1, 3);
      return (inside.reduce((sum, l) => sum + x(n, l, c), 0) / inside.length) * p(c);
    },
  },
});

const statistics = (values: readonly number[]): { mean: number; deviation: number } => {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length + 1e-5) };
};
const list = (n: number, of: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => of(i));

describeOperations({
  "normalizes the last two axes": {
    x: [3, 2, 4],
    p: [2, 4],
    operation: (c, x, p) => ops.layerNorm(c, x, [2, 4], p, ops.multiply(c, p, 2)),
    shape: [3, 2, 4],
    expected: ([i, j, k], x, p) => {
      const { mean, deviation } = statistics(list(8, (at) => x(i, at >> 2, at & 3)));
      return ((x(i, j, k) - mean) / deviation) * p(j, k) + 2 * p(j, k);
    },
  },
  "normalizes each channel of each row": {
    x: [2, 3, 5],
    p: [3],
    operation: (c, x, p) => ops.instanceNorm(c, x, p, p),
    shape: [2, 3, 5],
    expected: ([i, j, k], x, p) => {
      const { mean, deviation } = statistics(list(5, (at) => x(i, j, at)));
      return ((x(i, j, k) - mean) / deviation) * p(j) + p(j);
    },
  },
  "normalizes by given statistics": {
    x: [2, 3, 4],
    p: [3],
    operation: (c, x, p) => ops.batchNorm(c, x, { mean: p, variance: ops.exp(c, p) }, p, p),
    shape: [2, 3, 4],
    expected: ([i, j, k], x, p) => ((x(i, j, k) - p(j)) / Math.sqrt(Math.exp(p(j)) + 1e-5)) * p(j) + p(j),
  },
  "normalizes by given statistics, without a weight and a bias": {
    x: [4, 3],
    p: [3],
    operation: (c, x, p) => ops.batchNorm(c, x, { mean: p, variance: ops.exp(c, p) }),
    shape: [4, 3],
    expected: ([i, j], x, p) => (x(i, j) - p(j)) / Math.sqrt(Math.exp(p(j)) + 1e-5),
  },
});

describe("modules", () => {
  const input = { shape: [2, 3, 6], data: Float64Array.from(numbers(36, 3)) };
  const model = (): Module =>
    new Sequential(
      [
        new Conv1d(3, 4, 3, { padding: "causal" }),
        new BatchNorm1d(4),
        new Residual(new Conv1d(4, 4, 3, { padding: "same", groups: 2 })),
        new AvgPool1d(2),
        new LayerNorm(3),
        new MaxPool1d(3),
      ],
      { seed: 2 },
    );

  it("take PyTorch's count of batches in a state dictionary, which nothing reads", async () => {
    const norm = new BatchNorm1d(2);
    const dict = { ...(await norm.stateDict()), num_batches_tracked: tensor([7]) };
    expect(norm.loadStateDict(dict)).toEqual({ missing: [], unexpected: [] });
    expect(() =>
      new LayerNorm(2).loadStateDict({ weight: tensor([1, 1]), bias: tensor([0, 0]), num_batches_tracked: tensor([7]) }),
    ).toThrow('has unknown "num_batches_tracked"');
  });

  it("have PyTorch's names and shapes of parameters", () => {
    const shapes = Object.fromEntries([...model().namedParameters()].map(([name, { shape }]) => [name, [...shape]]));
    expect(shapes).toEqual({
      "0.weight": [4, 3, 3],
      "0.bias": [4],
      "1.weight": [4],
      "1.bias": [4],
      "1.running_mean": [4],
      "1.running_var": [4],
      "2.block.weight": [4, 2, 3],
      "2.block.bias": [4],
      "4.weight": [3],
      "4.bias": [3],
    });
  });

  it.each([false, true])("have the gradients of finite differences, training: %s", async (training) => {
    await checkGradients(model(), { input }, training, { bends: training });
  });

  it("have the same gradients on WebGPU as on the CPU", async () => {
    const cotangent = { shape: [2, 4, 1], data: numbers(8, 9) };
    const [gpu, cpu] = await Promise.all(
      [backend("webgpu"), backend("cpu", "float64")].map(async (on) => {
        const run = { backend: await on, training: true };
        return (await gradients(model(), { input }, { output: cotangent }, run)).gradients.parameters;
      }),
    );
    for (const [name, { data }] of Object.entries(cpu)) expectClose(name, gpu[name].data, data);
  });

  // PyTorch: running = 0.9·running + 0.1·statistic, with the unbiased variance.
  it.each(kinds)("keep running statistics of the batches in training, on %s", async (kind) => {
    const norm = new BatchNorm1d(2);
    const x = tensor([
      [1, 10],
      [2, 30],
      [6, 20],
    ]);
    const on = await backend(kind);
    await forward(norm, x, { backend: on, training: true });
    const after = await norm.stateDict();
    expectClose("mean", after.running_mean.data, [0.3, 2]);
    expectClose("variance", after.running_var.data, [0.9 + 0.7, 0.9 + 10]);
    const { output } = await forward(norm, x, { backend: on });
    expectClose(
      "output",
      output.data,
      [...x.data].map((value, i) => (i % 2 ? (value - 2) / Math.sqrt(10.9 + 1e-5) : (value - 0.3) / Math.sqrt(1.6 + 1e-5))),
    );
  });

  it.each(kinds)("learn together, on %s", async (kind) => {
    const trained = new Sequential(
      [new Conv1d(2, 4, 3, { padding: "same" }), new BatchNorm1d(4), new MaxPool1d(2), new LayerNorm(3), new Linear(3, 1)],
      { seed: 1 },
    );
    const batch = { input: { shape: [3, 2, 6], data: numbers(36, 1) }, targets: { shape: [3, 4, 1], data: numbers(12, 2) } };
    const trainer = new Trainer(trained, {
      backend: await backend(kind),
      data: { batches: 1, batch: () => batch },
      loss: squaredError(),
      optimizer: sgd({ learningRate: 0.1 }),
    });
    const { losses } = await trainer.train({ steps: 40 });
    expect(losses.at(-1)).toBeLessThan(losses[0] / 2);
  });
});

describe("what does not fit is refused in words:", () => {
  const x = { shape: [2, 3, 4], data: numbers(24, 1) };
  it.each<[string, readonly number[], Operation, string]>([
    ["a weight of other channels", [4, 2, 3], ops.conv1d, "ops.conv1d: x must have 2 channels for weight [4, 2, 3], got [2, 3, 4]"],
    ["a weight with two axes", [4, 3], ops.conv1d, "ops.conv1d: weight must be [outputs, channels / groups, taps], got [4, 3]"],
    [
      "a window that is too long",
      [4, 3, 7],
      (c, v, p) => ops.conv1d(c, v, p, undefined, { padding: 1 }),
      "ops.conv1d: x must be at least 5 long for this window and padding, got [2, 3, 4]",
    ],
    [
      "groups that divide nothing",
      [4, 1, 1],
      (c, v, p) => ops.conv1d(c, v, p, undefined, { groups: 3 }),
      "ops.conv1d: groups must divide the channels on both sides, got 3 for weight [4, 1, 1]",
    ],
    [
      "another way of padding",
      [4, 3, 1],
      (c, v, p) => ops.conv1d(c, v, p, undefined, { padding: "full" as "same" }),
      'ops.conv1d: padding must be "valid" or "same" or "causal", got "full"',
    ],
    ["axes that x does not end in", [1], (c, v) => ops.layerNorm(c, v, [3]), "ops.layerNorm: x must end in the axes [3], got [2, 3, 4]"],
    [
      "a word as the shape of the last axes",
      [1],
      (c, v) => ops.layerNorm(c, v, "4" as unknown as number[]),
      'ops.layerNorm: shape must be a list of sizes, got "4"',
    ],
    [
      "a weight that is no variable",
      [1],
      (c, v) => ops.layerNorm(c, v, [4], 0 as unknown as Variable),
      "ops.layerNorm: weight must be a Variable, got 0; ",
    ],
    [
      "a weight of channels that is no variable",
      [1],
      (c, v) => ops.instanceNorm(c, v, null as unknown as Variable),
      "ops.instanceNorm: weight must be a Variable, got null; ",
    ],
    [
      "a bias that is no variable",
      [4, 3, 1],
      (c, v, p) => ops.conv1d(c, v, p, false as unknown as Variable),
      "ops.conv1d: bias must be a Variable, got false; ",
    ],
    [
      "a signal that is too long",
      [1],
      (c, v) => ops.istft(c, ops.reshape(c, v, [1, 4, 6]), { size: 2, hop: 2 ** 28, length: 1 }),
      "ops.istft: the signal of 6 frames would have 1342177282 numbers, and 268435456 is the limit",
    ],
    [
      "a weight that is no number for each channel",
      [4],
      (c, v, p) => ops.instanceNorm(c, v, p),
      "ops.instanceNorm: weight must be [3], a number for each channel of [2, 3, 4], got [4]",
    ],
    [
      "padding that fills a window before the sequence",
      [1],
      (c, v) => ops.maxPool1d(c, v, 2, { padding: 2 }),
      "ops.maxPool1d: padding must leave each window of 2 an element, and window 0 of 4 has none",
    ],
    [
      "padding that fills a window behind the sequence",
      [1],
      (c, v) => ops.avgPool1d(c, v, 2, { padding: [0, 2], countPadding: false }),
      "ops.avgPool1d: padding must leave each window of 2 an element, and window 2 of 3 has none",
    ],
    [
      "taps on both sides of the sequence",
      [1],
      (c, v) => ops.maxPool1d(c, v, 2, { padding: [1, 1], dilation: 5, stride: 1 }),
      "ops.maxPool1d: padding must leave each window of 2 an element, and window 0 of 1 has none",
    ],
  ])("%s", async (_, p, operation, message) => {
    await expect(forward(new Operated(p, operation), x, { backend: await backend("cpu") })).rejects.toThrow(message);
  });

  it("a batch of one number for each feature, in training", async () => {
    await expect(forward(new BatchNorm1d(3), tensor([[1, 2, 3]]), { backend: await backend("cpu"), training: true })).rejects.toThrow(
      "BatchNorm1d: training needs more than one number for each feature, got [1, 3]; use a larger batch",
    );
  });
});
