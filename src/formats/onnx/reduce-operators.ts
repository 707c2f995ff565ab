/** Operators that fold axes: sums, means, the greatest and least. */
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import { fail } from "./graph.ts";
import { isKnown, mapped, reduced } from "./host.ts";
import { axesOf, range, simple, type Call, type Operator } from "./operator.ts";
import { shapeOf, type Value } from "./values.ts";

interface Fold {
  readonly onHost: (a: number, b: number) => number;
  /** Folds one axis, which the result does not have. */
  readonly record?: (context: Context, x: Variable, axis: number) => Variable;
  readonly isMean?: boolean;
}

const sum: Fold = { onHost: (a, b) => a + b, record: ops.sum };
const mean: Fold = { onHost: (a, b) => a + b, record: ops.mean, isMean: true };

/** The fold over these axes, which stay with size 1. */
function over({ values }: Call, x: Value, axes: readonly number[], { onHost, record, isMean }: Fold): Value {
  const folded = [...axes].reduce<Value>((part, axis) => {
    const kept = shapeOf(part).map((size, i) => (i === axis ? 1 : size));
    if (isKnown(part)) return reduced(part, axis, onHost);
    if (!record) return fail("it is not supported on values that depend on an input");
    return values.reshape(
      values.record(part, (context, variable) => record(context, variable, axis)),
      kept,
    );
  }, x);
  const count = axes.reduce((product, axis) => product * shapeOf(x)[axis], 1);
  return isMean && isKnown(folded) ? mapped(folded, (value) => value / count) : folded;
}

/** The mean over these axes, which stay with size 1. */
export const meanOver = (call: Call, x: Value, axes: readonly number[]): Value => over(call, x, axes, mean);

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

export const reduceOperators: Readonly<Record<string, Operator>> = {
  ReduceSum: reducing(sum),
  ReduceMean: reducing(mean),
  ReduceProd: reducing({ onHost: (a, b) => a * b }),
  ReduceMax: reducing({ onHost: Math.max }),
  ReduceMin: reducing({ onHost: Math.min }),
  ReduceL1: reducing(sum, (x, { values }) => values.map(x, Math.abs, ops.abs)),
  ReduceL2: reducing(sum, squared, root),
  ReduceSumSquare: reducing(sum, squared),
  ReduceLogSum: reducing(sum, undefined, logarithm),
};
