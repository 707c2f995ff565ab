/** Products of matrices, and softmax. */
import * as ops from "../../nn/ops.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import { fail } from "./graph.ts";
import { scalar } from "./host.ts";
import { axisOf, operand, range, simple, type Call, type Operator } from "./operator.ts";
import { maxOver, sumOver } from "./reduce-operators.ts";
import { shapeOf, type Value } from "./values.ts";

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

/** x - ln Σ e^x over one axis, with the greatest element taken out of the sum. Before opset 13 over all from that axis on. */
function logSoftmax(x: Value, call: Call): Value {
  const { values } = call;
  const rank = shapeOf(x).length;
  const axis = axisOf(call.attributes.number("axis", call.opset < 13 ? 1 : -1), rank);
  const axes = call.opset < 13 ? range(rank).filter((i) => i >= axis) : [axis];
  const shifted = values.pair("Sub", x, maxOver(call, x, axes));
  const total = sumOver(call, values.map(shifted, Math.exp, ops.exp), axes);
  return values.pair("Sub", shifted, values.map(total, Math.log, ops.log));
}

export const productOperators: Readonly<Record<string, Operator>> = {
  Softmax: simple(softmax, ["axis"]),
  LogSoftmax: simple(logSoftmax, ["axis"]),
  Gemm: { attributes: ["alpha", "beta", "transA", "transB"], weights: [1, 2], compute: gemm },
  MatMul: simple(matmul, [], { weights: [0, 1] }),
};
