/** ONNX' operators: for each, the attributes that it knows, and how it computes or records. */
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import type { Attributes } from "./graph.ts";
import { fail, type Known, type Node } from "./graph.ts";
import { filled, isKnown, list, mapped, pairs, reduced, scalar } from "./host.ts";
import { commonShape, shapeOf, type Value, type Values } from "./values.ts";
import { kindOf } from "./tensor-proto.ts";

/** One use of an operator. */
export interface Call {
  readonly node: Node;
  readonly attributes: Attributes;
  readonly opset: number;
  /** Undefined where an input is left out. */
  readonly inputs: readonly (Value | undefined)[];
  readonly values: Values;
}

export interface Operator {
  readonly attributes: readonly string[];
  /** Inputs that must be numbers known on the host, such as axes. They never become parameters. */
  readonly settings?: readonly number[];
  /** Inputs that are weights, also where a file has them as constants. */
  readonly weights?: readonly number[];
  /** Of these, the ones that are never learnt. */
  readonly statistics?: readonly number[];
  readonly compute: (call: Call) => readonly Value[];
}

/** The input, which must be there. */
export function operand({ inputs }: Call, i: number): Value {
  return inputs[i] ?? fail(`it lacks its input ${i + 1}`);
}

/** The numbers of an input that must not depend on the model's inputs; undefined if it is left out. */
export function setting({ inputs }: Call, i: number, what: string): number[] | undefined {
  const value = inputs[i];
  if (!value) return undefined;
  if (!isKnown(value)) return fail(`its ${what} must be constants or follow from shapes, but they depend on the numbers of an input`);
  return [...value.data];
}

/** The axis counted from 0. */
export function axisOf(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) return fail(`axis ${axis} must be from ${-rank} to ${rank - 1}`);
  return axis < 0 ? axis + rank : axis;
}

/** Axes in an attribute, or from some version on in an input. */
function axesOf(call: Call, rank: number): number[] | undefined {
  const axes = call.attributes.numbers("axes", undefined) ?? setting(call, 1, "axes");
  return axes?.map((axis) => axisOf(axis, rank));
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const one =
  (compute: (x: Value, call: Call) => Value): Operator["compute"] =>
  (call) => [compute(operand(call, 0), call)];

const simple = (compute: (x: Value, call: Call) => Value, attributes: readonly string[] = [], more: Partial<Operator> = {}): Operator => ({
  attributes,
  ...more,
  compute: one(compute),
});

/** A function of each number. */
const mapping = (record: (context: Context, x: Variable) => Variable, onHost?: (value: number) => number): Operator =>
  simple((x, { values }) => values.map(x, onHost, record));

const combining = (name: string): Operator => ({
  attributes: [],
  compute: (call) => [
    call.inputs.slice(1).reduce<Value>((sum, _, i) => call.values.pair(name, sum, operand(call, i + 1)), operand(call, 0)),
  ],
});

function reshape(x: Value, call: Call): Value {
  const shape = shapeOf(x);
  const wanted = setting(call, 1, "sizes") ?? fail("it lacks its sizes");
  const keepsZero = call.attributes.number("allowzero", 0) === 1;
  const sizes = wanted.map((size, axis) =>
    size === 0 && !keepsZero ? (shape[axis] ?? fail(`it keeps axis ${axis} of [${shape.join(", ")}]`)) : size,
  );
  const open = sizes.indexOf(-1);
  const rest = sizeOf(sizes.filter((size) => size !== -1));
  if (open >= 0) sizes[open] = sizeOf(shape) / rest;
  if (!sizes.every((size) => Number.isInteger(size) && size >= 0))
    return fail(`[${shape.join(", ")}] cannot become [${wanted.join(", ")}]`);
  return call.values.reshape(x, sizes);
}

function unsqueeze(x: Value, call: Call): Value {
  const wanted = call.attributes.numbers("axes", undefined) ?? setting(call, 1, "axes") ?? fail("it lacks its axes");
  const rank = shapeOf(x).length + wanted.length;
  const axes = wanted.map((axis) => axisOf(axis, rank));
  const rest = [...shapeOf(x)];
  return call.values.reshape(
    x,
    range(rank).map((axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? fail("its axes repeat")))),
  );
}

function squeeze(x: Value, call: Call): Value {
  const shape = shapeOf(x);
  const axes = axesOf(call, shape.length) ?? range(shape.length).filter((axis) => shape[axis] === 1);
  const other = axes.find((axis) => shape[axis] !== 1);
  if (other !== undefined) return fail(`axis ${other} of [${shape.join(", ")}] must have size 1`);
  return call.values.reshape(
    x,
    shape.filter((_, axis) => !axes.includes(axis)),
  );
}

function slice(x: Value, call: Call): Value {
  const { attributes } = call;
  const starts = attributes.numbers("starts", undefined) ?? setting(call, 1, "starts") ?? fail("it lacks its starts");
  const ends = attributes.numbers("ends", undefined) ?? setting(call, 2, "ends") ?? fail("it lacks its ends");
  const shape = shapeOf(x);
  const axes = (attributes.numbers("axes", undefined) ?? setting(call, 3, "axes") ?? range(starts.length)).map((axis) =>
    axisOf(axis, shape.length),
  );
  const steps = setting(call, 4, "steps") ?? starts.map(() => 1);
  return axes.reduce((part, axis, i) => {
    const size = shape[axis];
    const [step, backwards] = [steps[i], steps[i] < 0];
    if (!Number.isInteger(step) || step === 0) return fail(`step ${step} must be an integer other than 0`);
    const within = (place: number): number => {
      const from = place < 0 ? place + size : place;
      return backwards ? Math.max(-1, Math.min(size - 1, from)) : Math.max(0, Math.min(size, from));
    };
    const [start, end] = [within(starts[i]), within(ends[i])];
    const count = Math.max(0, Math.ceil((end - start) / step));
    return call.values.select(
      part,
      axis,
      range(count).map((k) => start + k * step),
    );
  }, x);
}

function gather(x: Value, call: Call): Value {
  const shape = shapeOf(x);
  const axis = axisOf(call.attributes.number("axis", 0), shape.length);
  const indices = operand(call, 1);
  if (!isKnown(indices)) {
    if (axis !== 0 || shape.length !== 2)
      return fail(`a lookup by ids of an input must be along axis 0 of [rows, columns], got axis ${axis} of [${shape.join(", ")}]`);
    if (indices.kind !== "int") return fail("its indices must be integers of an input or constants");
    return call.values.record(x, (context, table) => ops.embedding(context, indices.variable, table));
  }
  const places = [...indices.data].map((index) => (index < 0 ? index + shape[axis] : index));
  return call.values.reshape(call.values.select(x, axis, places), [...shape.slice(0, axis), ...indices.shape, ...shape.slice(axis + 1)]);
}

function split(call: Call): Value[] {
  const x = operand(call, 0);
  const shape = shapeOf(x);
  const axis = axisOf(call.attributes.number("axis", 0), shape.length);
  const count = call.node.outputs.length;
  const each = Math.ceil(shape[axis] / count);
  const sizes =
    call.attributes.numbers("split", undefined) ??
    setting(call, 1, "sizes") ??
    range(count).map((i) => Math.min(each, shape[axis] - i * each));
  if (sizes.length !== count || sizes.reduce((sum, size) => sum + size, 0) !== shape[axis])
    return fail(`axis ${axis} of [${shape.join(", ")}] cannot be split into [${sizes.join(", ")}]`);
  let start = 0;
  return sizes.map((size) => {
    const first = start;
    start += size;
    return call.values.select(
      x,
      axis,
      range(size).map((i) => first + i),
    );
  });
}

function cast(x: Value, call: Call): Value {
  const kind = kindOf(call.attributes.number("to", 1), "its result");
  if (!isKnown(x))
    return x.kind === kind || x.kind === "int" || kind === "float"
      ? { ...x, kind: x.kind === "int" ? "int" : kind }
      : fail(`numbers that depend on an input cannot become ${kind}`);
  if (kind === "bool") return mapped(x, (value) => Number(value !== 0), kind);
  return mapped(x, kind === "int" ? Math.trunc : (value) => value, kind);
}

function constant({ attributes }: Call): Value[] {
  const value = attributes.number("value_float", undefined);
  const integer = attributes.number("value_int", undefined);
  const floats = attributes.numbers("value_floats", undefined);
  const integers = attributes.numbers("value_ints", undefined);
  const known =
    attributes.tensor("value") ??
    (value !== undefined ? scalar(value, "float") : undefined) ??
    (integer !== undefined ? scalar(integer) : undefined) ??
    (floats && list(floats, "float")) ??
    (integers && list(integers));
  return [known ?? fail("it has no value of numbers")];
}

function gemm(call: Call): Value[] {
  const { attributes, values } = call;
  const [a, b, c] = [operand(call, 0), operand(call, 1), call.inputs[2]];
  const { context } = values;
  const [alpha, beta] = [attributes.number("alpha", 1), attributes.number("beta", 1)];
  const [transposeA, transposeB] = [attributes.number("transA", 0) !== 0, attributes.number("transB", 0) !== 0];
  const plain = alpha === 1 && beta === 1 && !transposeA && transposeB && c && shapeOf(c).length === 1 && shapeOf(c)[0] === shapeOf(b)[0];
  if (plain && context) return [values.record(a, (at, x) => ops.linear(at, x, values.numbers(b), values.numbers(c)))];
  const scaled = (x: Value, factor: number): Value => (factor === 1 ? x : values.pair("Mul", x, scalar(factor, "float")));
  const product = values.record(a, (at, x) => ops.matmul(at, x, values.numbers(b), { transposeA, transposeB }));
  return [c ? values.pair("Add", scaled(product, alpha), scaled(c, beta)) : scaled(product, alpha)];
}

function matmul(a: Value, call: Call): Value {
  const b = operand(call, 1);
  const [x, y] = [shapeOf(a), shapeOf(b)];
  const { values } = call;
  const record = (from: Value, by: Value): Value => values.record(from, (context, left) => ops.matmul(context, left, values.numbers(by)));
  if (x.length === 0 || y.length === 0) return fail("its operands must have at least one axis");
  // A vector takes part as a matrix of one row, or of one column, which the result does not have.
  if (x.length === 1)
    return values.reshape(matmulOf(values.reshape(a, [1, x[0]]), y.length === 1 ? values.reshape(b, [y[0], 1]) : b), resultOf(x, y));
  if (y.length === 1) return values.reshape(record(a, values.reshape(b, [y[0], 1])), resultOf(x, y));
  return matmulOf(a, b);

  function matmulOf(from: Value, by: Value): Value {
    const [left, right] = [shapeOf(from), shapeOf(by)];
    const before = right.slice(0, -2);
    if (before.length === 0 || (left.length === right.length && before.every((n, i) => n === left[i]))) return record(from, by);
    const one = sizeOf(before) === 1 && right.length <= left.length;
    if (one) return record(from, values.reshape(by, right.slice(-2)));
    return fail(`[${left.join(", ")}] by [${right.join(", ")}] is not supported; their axes before the last two must be equal`);
  }
}

const resultOf = (x: Shape, y: Shape): Shape => [...x.slice(0, -1), ...(y.length === 1 ? [] : [...y.slice(0, -2), y[y.length - 1]])];

/** Softmax over one axis; before opset 13 over all from that one on. */
function softmax(x: Value, call: Call): Value {
  const shape = shapeOf(x);
  const axis = axisOf(call.attributes.number("axis", call.opset < 13 ? 1 : -1), shape.length);
  const { values } = call;
  const over = (from: Value): Value => values.record(from, (context, variable) => ops.softmax(context, variable));
  if (call.opset < 13) return values.reshape(over(values.reshape(x, [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))])), shape);
  const last = shape.length - 1;
  const axes = range(shape.length).map((i) => (i === axis ? last : i === last ? axis : i));
  return values.permute(over(values.permute(x, axes)), axes);
}

function reducing(
  onHost: (a: number, b: number) => number,
  record: ((context: Context, x: Variable, axis: number) => Variable) | undefined,
  mean = false,
): Operator {
  return simple(
    (x, call) => {
      const shape = shapeOf(x);
      const wanted = axesOf(call, shape.length);
      const none = wanted === undefined || wanted.length === 0;
      if (none && call.attributes.number("noop_with_empty_axes", 0) === 1) return x;
      const axes = (none ? range(shape.length) : wanted).sort((a, b) => b - a);
      const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
      const { values } = call;
      const count = axes.reduce((product, axis) => product * shape[axis], 1);
      const sum = axes.reduce<Value>((part, axis) => {
        if (isKnown(part)) return reduced(part, axis, onHost);
        if (!record) return fail("it is not supported on values that depend on an input");
        const result = values.record(part, (context, variable) => record(context, variable, axis));
        return values.reshape(
          result,
          shapeOf(part).map((size, i) => (i === axis ? 1 : size)),
        );
      }, x);
      const result = mean && isKnown(sum) ? mapped(sum, (value) => value / count) : sum;
      return call.attributes.number("keepdims", 1) !== 0
        ? values.reshape(result, kept)
        : values.reshape(
            result,
            shape.filter((_, i) => !axes.includes(i)),
          );
    },
    ["axes", "keepdims", "noop_with_empty_axes"],
    { settings: [1] },
  );
}

const sigmoidOf = (x: number): number => 1 / (1 + Math.exp(-x));
const identity = simple((x) => x);

/** Operators by name. Those of recurrent layers and If are not among them. */
export const operators: Readonly<Record<string, Operator | undefined>> = {
  Identity: identity,
  Dropout: {
    attributes: ["ratio", "seed"],
    settings: [1, 2],
    compute: (call) => [operand(call, 0), filled(shapeOf(operand(call, 0)), 1, list([], "bool"))],
  },
  Constant: { attributes: ["value", "value_float", "value_int", "value_floats", "value_ints"], compute: constant },
  ConstantOfShape: {
    attributes: ["value"],
    settings: [0],
    compute: (call) => {
      const value = call.attributes.tensor("value") ?? list([0], "float");
      return [filled(setting(call, 0, "sizes") ?? fail("it lacks its sizes"), value.data[0], value)];
    },
  },
  Shape: simple(
    (x, { attributes }) => {
      const shape = shapeOf(x);
      const rank = shape.length;
      const within = (place: number): number => Math.max(0, Math.min(rank, place < 0 ? place + rank : place));
      return list(shape.slice(within(attributes.number("start", 0)), within(attributes.number("end", rank))));
    },
    ["start", "end"],
  ),
  Size: simple((x) => scalar(sizeOf(shapeOf(x)))),
  Range: {
    attributes: [],
    settings: [0, 1, 2],
    compute: (call) => {
      const [start, end, step] = [0, 1, 2].map((i) => setting(call, i, "bounds")?.[0] ?? fail("it lacks a bound"));
      const count = Math.max(0, Math.ceil((end - start) / step));
      const { kind } = operand(call, 0) as Known;
      const result = filled([count], 0, list([], kind));
      return [{ ...result, data: result.data.map((_, i) => start + i * step) }];
    },
  },
  Cast: simple(cast, ["to", "saturate"]),
  Reshape: simple(reshape, ["allowzero"], { settings: [1] }),
  Flatten: simple(
    (x, { attributes, values }) => {
      const shape = shapeOf(x);
      const axis = attributes.number("axis", 1);
      const from = axis === shape.length ? axis : axisOf(axis, shape.length);
      return values.reshape(x, [sizeOf(shape.slice(0, from)), sizeOf(shape.slice(from))]);
    },
    ["axis"],
  ),
  Transpose: simple(
    (x, { attributes, values }) => values.permute(x, attributes.numbers("perm", range(shapeOf(x).length).reverse())),
    ["perm"],
  ),
  Squeeze: simple(squeeze, ["axes"], { settings: [1] }),
  Unsqueeze: simple(unsqueeze, ["axes"], { settings: [1] }),
  Slice: simple(slice, ["starts", "ends", "axes"], { settings: [1, 2, 3, 4] }),
  Gather: simple(gather, ["axis"], { weights: [0] }),
  Split: { attributes: ["axis", "split", "num_outputs"], settings: [1], compute: split },
  Concat: {
    attributes: ["axis"],
    compute: (call) => {
      const parts = call.inputs.map((_, i) => operand(call, i));
      const rank = shapeOf(parts[0] ?? fail("it has no inputs")).length;
      return [call.values.concat(parts, axisOf(call.attributes.number("axis", 0), rank))];
    },
  },
  Expand: simple(
    (x, call) => {
      const sizes = setting(call, 1, "sizes") ?? fail("it lacks its sizes");
      return call.values.expand(x, commonShape(shapeOf(x), sizes));
    },
    [],
    { settings: [1] },
  ),
  Tile: simple(
    (x, call) => {
      const times = setting(call, 1, "repeats") ?? fail("it lacks its repeats");
      return times.reduce(
        (part, count, axis) =>
          call.values.concat(
            Array.from({ length: count }, () => part),
            axis,
          ),
        x,
      );
    },
    [],
    { settings: [1] },
  ),
  Where: { attributes: [], compute: (call) => [call.values.where(operand(call, 0), operand(call, 1), operand(call, 2))] },
  Not: mapping(
    (context, x) => ops.add(context, ops.scale(context, x, -1), ops.constant(context, [1])),
    (value) => Number(value === 0),
  ),
  ...Object.fromEntries(Object.keys(pairs).map((name) => [name, combining(name)])),
  Sum: combining("Add"),
  Sigmoid: mapping(ops.sigmoid, sigmoidOf),
  Tanh: mapping(ops.tanh, Math.tanh),
  Relu: mapping(ops.relu, (value) => Math.max(0, value)),
  Neg: mapping(
    (context, x) => ops.scale(context, x, -1),
    (value) => -value,
  ),
  Softmax: simple(softmax, ["axis"]),
  Gemm: { attributes: ["alpha", "beta", "transA", "transB"], weights: [1, 2], compute: gemm },
  MatMul: simple(matmul, [], { weights: [0, 1] }),
  ReduceSum: reducing((a, b) => a + b, ops.sum),
  ReduceMean: reducing((a, b) => a + b, ops.mean, true),
  ReduceProd: reducing((a, b) => a * b, undefined),
};
