// Operators of ONNX, one small graph each, against numbers worked out by hand or by the definition, loop by loop.
import { beforeAll, describe, expect, it } from "vitest";
import { createBackend, forward, generateTokens, gradients, type Backend, type Tensor } from "webgpu-rnn";
import { importModel } from "webgpu-rnn/formats";
import { expectClose } from "../device/support.ts";
import { onnxFile, type AttributeValue, type NodeParts, type TensorParts } from "./onnx-builder.ts";

let backend: Backend;
beforeAll(async () => {
  backend = await createBackend("cpu");
});

interface Case {
  operator: string;
  /** What x is; numbers from 1 on if there are none. */
  x: readonly number[];
  data?: readonly number[];
  more?: Readonly<Record<string, TensorParts>>;
  attributes?: Readonly<Record<string, AttributeValue>>;
  opset?: number;
  /** The input of ids, in the place of x. */
  isIds?: boolean;
  shape: readonly number[];
  y: readonly number[];
}

const ints = (...data: number[]): TensorParts => ({ dims: [data.length], type: 7, data });
const floats = (dims: number[], ...data: number[]): TensorParts => ({ dims, data });
const count = (shape: readonly number[], first = 1): number[] =>
  Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, i) => first + i);
const e = Math.exp;

const cases: Record<string, Case> = {
  "Conv with a stride, a dilation, groups and more padding before": {
    operator: "Conv",
    x: [1, 2, 5],
    more: { w: floats([2, 1, 2], 1, 10, 2, -1), b: floats([2], 100, 0) },
    attributes: { strides: [2], dilations: [2], pads: [1, 0], group: 2 },
    shape: [1, 2, 2],
    // Padded: 0 1 2 3 4 5 and 0 6 7 8 9 10; taps two apart, from 0 and 2.
    y: [0 + 20 + 100, 2 + 40 + 100, 0 - 7, 14 - 9],
  },
  "Conv of a picture along one side": {
    operator: "Conv",
    x: [1, 1, 2, 4],
    more: { w: floats([1, 1, 1, 2], 1, -1) },
    attributes: { kernel_shape: [1, 2], auto_pad: "SAME_UPPER" },
    shape: [1, 1, 2, 4],
    y: [-1, -1, -1, 4, -1, -1, -1, 8],
  },
  "Conv of a picture along the other side": {
    operator: "Conv",
    x: [1, 1, 3, 2],
    more: { w: floats([2, 1, 2, 1], 1, 1, 0, 1) },
    shape: [1, 2, 2, 2],
    y: [4, 6, 8, 10, 3, 4, 5, 6],
  },
  "ConvTranspose with a stride": {
    operator: "ConvTranspose",
    x: [1, 1, 3],
    more: { w: floats([1, 1, 3], 1, 10, 100) },
    attributes: { strides: [2], pads: [1, 0] },
    shape: [1, 1, 6],
    y: [10, 102, 20, 203, 30, 300],
  },
  "MaxPool with padding": {
    operator: "MaxPool",
    x: [1, 1, 5],
    data: [-3, -1, -4, -1.5, -9],
    attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] },
    shape: [1, 1, 3],
    y: [-1, -1, -1.5],
  },
  "AveragePool without its padding": {
    operator: "AveragePool",
    x: [1, 1, 4],
    attributes: { kernel_shape: [2], pads: [1, 1] },
    shape: [1, 1, 5],
    y: [1, 1.5, 2.5, 3.5, 4],
  },
  GlobalAveragePool: { operator: "GlobalAveragePool", x: [1, 2, 3], shape: [1, 2, 1], y: [2, 5] },
  "Pad that reflects": {
    operator: "Pad",
    x: [1, 4],
    more: { p: ints(0, 2, 0, 1) },
    attributes: { mode: "reflect" },
    shape: [1, 7],
    y: [3, 2, 1, 2, 3, 4, 3],
  },
  "Pad at the edge, and cut off": {
    operator: "Pad",
    x: [2, 3],
    more: { p: ints(1, -1, 0, 1) },
    attributes: { mode: "edge" },
    shape: [3, 3],
    y: [2, 3, 3, 2, 3, 3, 5, 6, 6],
  },
  "Pad with a value, by an attribute": {
    operator: "Pad",
    x: [2],
    attributes: { pads: [1, 1], value: 0.5 },
    opset: 7,
    shape: [4],
    y: [0.5, 1, 2, 0.5],
  },
  "Slice backwards": {
    operator: "Slice",
    x: [1, 5],
    more: { s: ints(-1), e: ints(-9007199254740991), a: ints(1), t: ints(-2) },
    shape: [1, 3],
    y: [5, 3, 1],
  },
  "Slice by attributes": {
    operator: "Slice",
    x: [2, 3],
    attributes: { axes: [1], starts: [1], ends: [9007199254740991] },
    opset: 9,
    shape: [2, 2],
    y: [2, 3, 5, 6],
  },
  "Gather with indices from the end": {
    operator: "Gather",
    x: [2, 3],
    more: { i: ints(-1, 0) },
    attributes: { axis: 1 },
    shape: [2, 2],
    y: [3, 1, 6, 4],
  },
  "Softmax over an axis within": {
    operator: "Softmax",
    x: [1, 2, 2],
    data: [0, 1, 0, 3],
    attributes: { axis: 1 },
    shape: [1, 2, 2],
    y: [0.5, 1 / (1 + e(2)), 0.5, 1 / (1 + e(-2))],
  },
  "Softmax of the old versions, over all axes from one on": {
    operator: "Softmax",
    x: [1, 2, 2],
    data: [0, 0, 0, 0],
    opset: 11,
    shape: [1, 2, 2],
    y: [0.25, 0.25, 0.25, 0.25],
  },
  "LogSoftmax of large numbers": {
    operator: "LogSoftmax",
    x: [1, 2],
    data: [1000, 1001],
    shape: [1, 2],
    y: [-Math.log(1 + e(1)), -Math.log(1 + e(-1))],
  },
  ReduceMax: { operator: "ReduceMax", x: [2, 3], attributes: { axes: [1], keepdims: 0 }, opset: 13, shape: [2], y: [3, 6] },
  "ReduceMin over all": { operator: "ReduceMin", x: [2, 3], data: [3, -1, 4, 1, -5, 9], opset: 13, shape: [1, 1], y: [-5] },
  ReduceL2: { operator: "ReduceL2", x: [1, 2], data: [3, 4], attributes: { axes: [-1] }, opset: 13, shape: [1, 1], y: [5] },
  "ReduceSum by an input": {
    operator: "ReduceSum",
    x: [2, 2, 2],
    more: { a: ints(0, 2) },
    attributes: { keepdims: 0 },
    shape: [2],
    y: [1 + 2 + 5 + 6, 3 + 4 + 7 + 8],
  },
  ArgMax: { operator: "ArgMax", x: [2, 3], data: [1, 7, 2, 9, 0, 3], attributes: { axis: 1, keepdims: 0 }, shape: [2], y: [1, 0] },
  "CumSum from the end": {
    operator: "CumSum",
    x: [3],
    more: { a: { dims: [], type: 7, data: [0] } },
    attributes: { reverse: 1 },
    shape: [3],
    y: [6, 5, 3],
  },
  "Clip by inputs": { operator: "Clip", x: [4], more: { l: floats([], 2), h: floats([], 3) }, shape: [4], y: [2, 2, 3, 3] },
  "Clip by attributes": { operator: "Clip", x: [3], attributes: { max: 2.5 }, opset: 9, shape: [3], y: [1, 2, 2.5] },
  "Pow of negative numbers": { operator: "Pow", x: [2], data: [-3, 2], more: { p: floats([], 2) }, shape: [2], y: [9, 4] },
  "Pow by a root": { operator: "Pow", x: [2], data: [9, 2.25], more: { p: floats([], 0.5) }, shape: [2], y: [3, 1.5] },
  "PRelu with a slope for each channel": {
    operator: "PRelu",
    x: [1, 2, 2],
    data: [-1, 1, -2, 2],
    more: { s: floats([2, 1], 0.5, 3) },
    shape: [1, 2, 2],
    y: [-0.5, 1, -6, 2],
  },
  HardSigmoid: { operator: "HardSigmoid", x: [3], data: [-9, 1, 9], shape: [3], y: [0, 0.7, 1] },
  Selu: {
    operator: "Selu",
    x: [2],
    data: [-1, 1],
    shape: [2],
    y: [1.0507009873554805 * 1.6732632423543772 * (e(-1) - 1), 1.0507009873554805],
  },
  ThresholdedRelu: { operator: "ThresholdedRelu", x: [3], data: [0.5, 1, 1.5], shape: [3], y: [0, 0, 1.5] },
  "Div with broadcast operands": { operator: "Div", x: [2, 2], more: { d: floats([2, 1], 1, 2) }, shape: [2, 2], y: [1, 2, 1.5, 2] },
  "Max of three": { operator: "Max", x: [2], more: { a: floats([2], 5, 0), b: floats([1], 1.5) }, shape: [2], y: [5, 2] },
  Mean: { operator: "Mean", x: [2], more: { a: floats([2], 5, 0) }, shape: [2], y: [3, 1] },
  Expand: { operator: "Expand", x: [2, 1], more: { s: ints(2, 1, 3) }, shape: [2, 2, 3], y: [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2] },
  Tile: { operator: "Tile", x: [2], more: { r: ints(2) }, shape: [4], y: [1, 2, 1, 2] },
  "Gemm with factors": {
    operator: "Gemm",
    x: [2, 1],
    more: { b: floats([2, 2], 1, 2, 3, 4), c: floats([1], 10) },
    attributes: { transA: 1, alpha: 2, beta: 0.5 },
    shape: [1, 2],
    y: [2 * (1 + 6) + 5, 2 * (2 + 8) + 5],
  },
  "MatMul by a vector": { operator: "MatMul", x: [2, 2], more: { v: floats([2], 1, 10) }, shape: [2], y: [21, 43] },
  InstanceNormalization: {
    operator: "InstanceNormalization",
    x: [1, 1, 2],
    data: [1, 3],
    more: { s: floats([1], 2), b: floats([1], 1) },
    attributes: { epsilon: 0.5 },
    shape: [1, 1, 2],
    y: [1 - 2 / Math.sqrt(1.5), 1 + 2 / Math.sqrt(1.5)],
  },
  BatchNormalization: {
    operator: "BatchNormalization",
    x: [1, 2],
    more: { s: floats([2], 2, 1), b: floats([2], 1, 0), m: floats([2], 0, 2), v: floats([2], 4, 1) },
    attributes: { epsilon: 1e-9 },
    shape: [1, 2],
    y: [2, 0],
  },
  "Reshape that keeps an axis and counts another": {
    operator: "Reshape",
    x: [2, 3, 2],
    more: { s: ints(0, -1) },
    shape: [2, 6],
    y: count([12]),
  },
  "Flatten from the last axis": { operator: "Flatten", x: [2, 3], attributes: { axis: -1 }, shape: [2, 3], y: count([6]) },
  "Transpose without axes": { operator: "Transpose", x: [2, 3], shape: [3, 2], y: [1, 4, 2, 5, 3, 6] },
  "Unsqueeze and others by attributes": {
    operator: "Unsqueeze",
    x: [2],
    attributes: { axes: [0, 2] },
    opset: 9,
    shape: [1, 2, 1],
    y: [1, 2],
  },
};

describe("an operator of an ONNX graph", () => {
  it.each(Object.keys(cases))("computes what its definition says: %s", async (name) => {
    const { operator, x, data = count(x), more = {}, attributes, opset, shape, y } = cases[name];
    const node = { operator, inputs: ["x", ...Object.keys(more)], outputs: ["y"], attributes };
    const file = onnxFile({ nodes: [node], tensors: more, inputs: { x }, outputs: ["y"] }, opset);
    const { model } = await importModel(file);
    const { output } = await forward(model, { shape: x, data }, { backend });
    expect(output.shape).toEqual(shape);
    expectClose("y", output.data, y);
  });

  it("computes the same on the host, where its operands are constants", async () => {
    const names = [
      "Pad that reflects",
      "Slice backwards",
      "Gather with indices from the end",
      "Expand",
      "Tile",
      "Transpose without axes",
      "ReduceMax",
      "Div with broadcast operands",
    ];
    for (const name of names) {
      const { operator, x, data = count(x), more = {}, attributes, opset, shape, y } = cases[name];
      const node = { operator, inputs: ["c", ...Object.keys(more)], outputs: ["k"], attributes };
      const add = { operator: "Add", inputs: ["x", "k"], outputs: ["y"] };
      const tensors = { ...more, c: { dims: x, data } };
      const { model, report } = await importModel(onnxFile({ nodes: [node, add], tensors, inputs: { x: [1] }, outputs: ["y"] }, opset));
      expect(report[0].became, name).toBe("a constant");
      const { output } = await forward(model, { shape: [1], data: [0] }, { backend });
      expect(output.shape).toEqual(shape);
      expectClose(name, output.data, y);
    }
  });

  it("lets gradients through to the input and to weights", async () => {
    const nodes: NodeParts[] = [
      { operator: "Conv", inputs: ["x", "w"], outputs: ["h"], attributes: { kernel_shape: [2] } },
      { operator: "ReduceSum", inputs: ["h"], outputs: ["y"], attributes: { keepdims: 0 } },
    ];
    const file = onnxFile({ nodes, tensors: { w: floats([1, 1, 2], 3, 5) }, inputs: { x: [1, 1, 3] }, outputs: ["y"] });
    const { model } = await importModel(file);
    const x: Tensor = { shape: [1, 1, 3], data: Float32Array.of(1, 2, 4) };
    const found = await gradients(model, x, { output: { shape: [], data: Float32Array.of(1) } }, { backend });
    expectClose("dx", found.gradients.input!.data, [3, 8, 5]);
    expectClose("dw", found.gradients.parameters.w.data, [3, 6]);
  });

  it("looks up rows along any axis by the ids of an input, below the number of rows", async () => {
    const node = { operator: "Gather", inputs: ["w", "ids"], outputs: ["y"], attributes: { axis: 1 } };
    const file = onnxFile({ nodes: [node], tensors: { w: floats([2, 3], 1, 2, 3, 4, 5, 6) }, inputs: { ids: [2] }, outputs: ["y"] });
    const { model, inputs } = await importModel(file);
    expect(inputs[0].ids).toBe(3);
    const { output } = await forward(model, { shape: [2], data: Uint32Array.of(2, 0) }, { backend });
    expect([...output.shape, ...output.data]).toEqual([2, 2, 3, 1, 6, 4]);
  });

  it("draws tokens where each step is by itself, and refuses windows over the ids by name", async () => {
    const drawn = (taps: number): Promise<unknown> => {
      const nodes: NodeParts[] = [
        { operator: "Gather", inputs: ["table", "ids"], outputs: ["rows"], attributes: { axis: 0 } },
        { operator: "Transpose", inputs: ["rows"], outputs: ["x"], attributes: { perm: [0, 2, 1] } },
        { operator: "Conv", name: "conv_in", inputs: ["x", "w"], outputs: ["h"], attributes: { pads: [taps - 1, 0] } },
        { operator: "Transpose", inputs: ["h"], outputs: ["y"], attributes: { perm: [0, 2, 1] } },
      ];
      const w = floats([3, 2, taps], ...count([3, 2, taps]));
      const tensors = { table: floats([3, 2], 1, 2, -3, 4, 5, -6), w };
      const file = onnxFile({ nodes, tensors, inputs: { ids: ["batch", "steps"] }, outputs: ["y"] });
      return importModel(file).then(({ model }) => collect(generateTokens(model, [1], { backend, length: 4, temperature: 0 })));
    };
    expect(await drawn(1)).toHaveLength(4);
    for (const taps of [2, 3])
      await expect(drawn(taps)).rejects.toThrow(
        'generate: needs a model that goes on from step to step, and "conv_in" needs whole sequences: Conv of a graph reads several of them at once',
      );
  });
});

async function collect(pieces: AsyncIterable<ArrayLike<number>>): Promise<number[]> {
  const all: number[] = [];
  for await (const piece of pieces) all.push(...Array.from(piece));
  return all;
}
