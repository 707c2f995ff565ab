/**
 * What operators are written with: each function computes on the host if it knows all numbers, and records otherwise.
 */
import type { Variable } from "../../autodiff/tape.ts";
import { broadcastShape } from "../../autodiff/elementwise.ts";
import type { Context } from "../../nn/context.ts";
import * as ops from "../../nn/ops.ts";
import { sameShape, sizeOf, type Shape } from "../../tensor/shape.ts";
import { fail, type Kind, type Known } from "./graph.ts";
import { chosen, expanded, filled, isKnown, joined, mapped, paired, permuted, reshaped, selected } from "./host.ts";

/** A value on the device. Integers there are ids (u32); a bool is 1 or 0. */
export interface Recorded {
  readonly variable: Variable;
  readonly kind: Kind;
}

export type Value = Known | Recorded;

export const shapeOf = (value: Value): Shape => (isKnown(value) ? value.shape : value.variable.shape);

/** The shape to which both are broadcast. */
export const commonShape = (a: Shape, b: Shape): Shape =>
  broadcastShape(a, b) ?? fail(`[${a.join(", ")}] and [${b.join(", ")}] must have sizes that are equal or 1, axis by axis from the last`);

/** Thrown where numbers would have to be recorded, but only constants are being computed. */
export class NotConstant extends Error {}

export class Values {
  /** @param context where to record; without it, only constants are computed */
  constructor(readonly context?: Context) {}

  private get recording(): Context {
    if (!this.context) throw new NotConstant();
    return this.context;
  }

  /** Numbers on the device. */
  numbers(value: Value, what = "an operand"): Variable {
    const context = this.recording;
    if (isKnown(value)) return ops.constant(context, { shape: value.shape, data: value.data });
    if (value.kind === "int")
      return fail(`${what} must be numbers, got ids (${value.variable.label}); integers of an input can only be looked up by Gather`);
    return value.variable;
  }

  /** Records a function of one value. */
  record(x: Value, of: (context: Context, x: Variable) => Variable, kind: Kind = "float"): Value {
    return { variable: of(this.recording, this.numbers(x)), kind };
  }

  reshape(x: Value, shape: Shape): Value {
    if (sameShape(shapeOf(x), shape)) return x;
    if (sizeOf(shape) !== sizeOf(shapeOf(x))) return fail(`[${shapeOf(x).join(", ")}] has not the size of [${shape.join(", ")}]`);
    if (isKnown(x)) return reshaped(x, shape);
    return { variable: x.variable.reshaped(shape), kind: x.kind };
  }

  /** Puts axis axes[i] at place i. */
  permute(x: Value, axes: readonly number[]): Value {
    if (axes.every((axis, i) => axis === i)) return x;
    const shape = shapeOf(x);
    if (axes.length !== shape.length || !shape.every((_, i) => axes.includes(i)))
      return fail(`axes must name each axis of [${shape.join(", ")}] once, got [${axes.join(", ")}]`);
    if (isKnown(x)) return permuted(x, axes);
    // Where only axes of size 1 move, the numbers stay in their places.
    const moved = axes.filter((axis) => shape[axis] !== 1);
    if (moved.every((axis, i) => i === 0 || axis > moved[i - 1]))
      return this.reshape(
        x,
        axes.map((axis) => shape[axis]),
      );
    return this.record(x, (context, variable) => ops.permute(context, variable, axes), x.kind);
  }

  /** The elements with these indices along one axis. */
  select(x: Value, axis: number, indices: readonly number[]): Value {
    const size = shapeOf(x)[axis];
    const wrong = indices.find((index) => !(index >= 0 && index < size && Number.isInteger(index)));
    if (wrong !== undefined) return fail(`index ${wrong} is outside of axis ${axis} of [${shapeOf(x).join(", ")}]`);
    if (indices.length === size && indices.every((index, i) => index === i)) return x;
    if (isKnown(x)) return selected(x, axis, indices);
    if (indices.length === 0)
      return fail(`nothing is left of axis ${axis} of [${shapeOf(x).join(", ")}], and empty values cannot be recorded`);
    const isRun = indices.every((index, i) => index === indices[0] + i);
    return this.record(
      x,
      (context, variable) =>
        isRun ? ops.slice(context, variable, axis, indices[0], indices[0] + indices.length) : ops.gather(context, variable, axis, indices),
      x.kind,
    );
  }

  /** More elements before and behind along one axis. */
  pad(x: Value, axis: number, amounts: readonly [number, number], mode: "constant" | "reflect" | "edge", value: number): Value {
    const [before, behind] = amounts;
    if (before === 0 && behind === 0) return x;
    if (!isKnown(x))
      return this.record(x, (context, variable) =>
        ops.pad(context, variable, axis, amounts, mode === "constant" ? { mode, value } : { mode }),
      );
    const last = x.shape[axis] - 1;
    if (mode === "constant") {
      const ends = amounts.map((size) =>
        filled(
          x.shape.map((n, i) => (i === axis ? size : n)),
          value,
          x,
        ),
      );
      return this.concat([ends[0], x, ends[1]], axis);
    }
    const inside = (i: number): number => Math.max(0, Math.min(last, i));
    const places = Array.from({ length: before + last + 1 + behind }, (_, i) => i - before);
    return this.select(
      x,
      axis,
      places.map((i) => (mode === "edge" ? inside(i) : i < 0 ? -i : i > last ? 2 * last - i : i)),
    );
  }

  concat(parts: readonly Value[], axis: number): Value {
    if (parts.length === 1) return parts[0];
    const filled = parts.filter((part) => sizeOf(shapeOf(part)) > 0);
    const [first] = filled;
    const shape = shapeOf(first ?? parts[0]);
    const other = filled.find(
      (part) => shapeOf(part).length !== shape.length || shapeOf(part).some((n, i) => i !== axis && n !== shape[i]),
    );
    if (other) return fail(`[${shape.join(", ")}] and [${shapeOf(other).join(", ")}] must be equal in all axes but ${axis}`);
    if (parts.every(isKnown)) return joined(filled.length > 0 ? (filled as Known[]) : [parts[0]], axis);
    if (filled.length === 1) return first;
    const variables = filled.map((part) => this.numbers(part));
    return { variable: ops.concat(this.recording, variables, axis), kind: first.kind };
  }

  expand(x: Value, shape: Shape): Value {
    if (sameShape(shapeOf(x), shape)) return x;
    if (isKnown(x)) return expanded(x, shape);
    return this.record(x, (context, variable) => ops.expand(context, variable, shape), x.kind);
  }

  /** A function of two operands, broadcast, by ONNX' name. */
  pair(name: string, a: Value, b: Value): Value {
    const shape = commonShape(shapeOf(a), shapeOf(b));
    if (isKnown(a) && isKnown(b)) return paired(name, a, b, shape);
    const of = recordedPairs[name];
    if (!of) return fail(`${name} of values that depend on an input is not supported`);
    const isBool = isAnswer(name);
    return { variable: of(this.recording, this.numbers(a), this.numbers(b)), kind: isBool ? "bool" : "float" };
  }

  /** A function of each number. @param onHost the same function on the host, if it has one there */
  map(x: Value, onHost: ((value: number) => number) | undefined, record: (context: Context, x: Variable) => Variable): Value {
    return isKnown(x) && onHost ? mapped(x, onHost) : this.record(x, record);
  }

  where(condition: Value, a: Value, b: Value): Value {
    const shape = commonShape(commonShape(shapeOf(a), shapeOf(b)), shapeOf(condition));
    if (isKnown(condition) && isKnown(a) && isKnown(b)) return chosen(condition, a, b, shape);
    const [test, one, other] = [condition, a, b].map((value) => this.numbers(value));
    return { variable: ops.where(this.recording, test, one, other), kind: a.kind };
  }
}

const isAnswer = (name: string): boolean => /^(Equal|Less|Greater|And|Or|Xor)/.test(name);

/** Functions of two variables, by ONNX' names. */
const recordedPairs: Readonly<Record<string, ((context: Context, a: Variable, b: Variable) => Variable) | undefined>> = {
  Add: ops.add,
  Sub: ops.subtract,
  Mul: ops.multiply,
  Div: ops.divide,
  Pow: ops.power,
  Min: ops.minimum,
  Max: ops.maximum,
  Equal: ops.equal,
  Less: ops.less,
  LessOrEqual: ops.lessOrEqual,
  Greater: ops.greater,
  GreaterOrEqual: ops.greaterOrEqual,
  And: ops.and,
  Or: ops.or,
  Xor: (context, a, b) => ops.not(context, ops.equal(context, ops.not(context, a), ops.not(context, b))),
};
