/** Operators that fold axes: sums, means, the greatest and least. */
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import { fail } from "./graph.ts";
import { isKnown, mapped, reduced } from "./host.ts";
import { axesOf, axisOf, range, setting, simple, type Call, type Operator } from "./operator.ts";
import { shapeOf, type Value } from "./values.ts";

interface Fold {
  readonly onHost: (a: number, b: number) => number;
  readonly record?: (context: Context, x: Variable, axes: readonly number[]) => Variable;
  readonly isMean?: boolean;
}

const kept = { keepAxes: true };
const sum: Fold = { onHost: (a, b) => a + b, record: (context, x, axes) => ops.sum(context, x, axes, kept) };
const mean: Fold = { onHost: (a, b) => a + b, record: (context, x, axes) => ops.mean(context, x, axes, kept), isMean: true };
const greatest: Fold = { onHost: Math.max, record: (context, x, axes) => ops.max(context, x, axes, kept) };
const least: Fold = { onHost: Math.min, record: (context, x, axes) => ops.min(context, x, axes, kept) };

/** The fold over these axes, which stay with size 1. */
function over({ values }: Call, x: Value, axes: readonly number[], { onHost, record, isMean }: Fold): Value {
  if (!isKnown(x)) {
    if (!record) return fail("it is not supported on values that depend on an input");
    return axes.length === 0 ? x : values.record(x, (context, variable) => record(context, variable, axes));
  }
  const folded = axes.reduce((part, axis) => reduced(part, axis, onHost), x);
  const count = axes.reduce((product, axis) => product * x.shape[axis], 1);
  return isMean ? mapped(folded, (value) => value / count) : folded;
}

/** The mean over these axes, which stay with size 1. */
export const meanOver = (call: Call, x: Value, axes: readonly number[]): Value => over(call, x, axes, mean);
/** The greatest element over these axes, which stay with size 1. */
export const maxOver = (call: Call, x: Value, axes: readonly number[]): Value => over(call, x, axes, greatest);
/** The sum over these axes, which stay with size 1. */
export const sumOver = (call: Call, x: Value, axes: readonly number[]): Value => over(call, x, axes, sum);

type Step = (x: Value, call: Call) => Value;

/** @param before,after what is done with each number before and after the fold */
function reducing(fold: Fold, before: Step = (x) => x, after: Step = (x) => x): Operator {
  return simple(
    (x, call) => {
      const shape = shapeOf(x);
      const wanted = axesOf(call, shape.length);
      const none = wanted === undefined || wanted.length === 0;
      if (none && call.attributes.number("noop_with_empty_axes", 0) === 1) return x;
      const axes = none ? range(shape.length) : wanted;
      const folded = after(over(call, before(x, call), axes, fold), call);
      if (call.attributes.number("keepdims", 1) !== 0) return folded;
      return call.values.reshape(
        folded,
        shape.filter((_, axis) => !axes.includes(axis)),
      );
    },
    ["axes", "keepdims", "noop_with_empty_axes"],
    { settings: [1] },
  );
}

const squared: Step = (x, { values }) => values.pair("Mul", x, x);
const root: Step = (x, { values }) => values.map(x, Math.sqrt, ops.sqrt);
const logarithm: Step = (x, { values }) => values.map(x, Math.log, ops.log);

/** The index of the greatest or least element, as a number. */
function place(record: typeof ops.argMax): Operator {
  return simple(
    (x, { attributes, values }) => {
      const axis = axisOf(attributes.number("axis", 0), shapeOf(x).length);
      if (attributes.number("select_last_index", 0) !== 0) return fail("select_last_index is not supported");
      const keepAxes = attributes.number("keepdims", 1) !== 0;
      return values.record(x, (context, variable) => record(context, variable, axis, { keepAxes }));
    },
    ["axis", "keepdims", "select_last_index"],
  );
}

function cumulativeSum(x: Value, call: Call): Value {
  const axis = axisOf(setting(call, 1, "axis")?.[0] ?? 0, shapeOf(x).length);
  const [exclusive, reverse] = ["exclusive", "reverse"].map((name) => call.attributes.number(name, 0) !== 0);
  return call.values.record(x, (context, variable) => ops.cumulativeSum(context, variable, axis, { exclusive, reverse }));
}

export const reduceOperators: Readonly<Record<string, Operator>> = {
  ReduceSum: reducing(sum),
  ReduceMean: reducing(mean),
  ReduceProd: reducing({ onHost: (a, b) => a * b }),
  ReduceMax: reducing(greatest),
  ReduceMin: reducing(least),
  ReduceL1: reducing(sum, (x, { values }) => values.map(x, Math.abs, ops.abs)),
  ReduceL2: reducing(sum, squared, root),
  ReduceSumSquare: reducing(sum, squared),
  ReduceLogSum: reducing(sum, undefined, logarithm),
  ArgMax: place(ops.argMax),
  ArgMin: place(ops.argMin),
  CumSum: simple(cumulativeSum, ["exclusive", "reverse"], { settings: [1] }),
};
