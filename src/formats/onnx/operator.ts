/** What an operator of ONNX is here, and what all of them share. */
import { type Attributes, fail, type Node } from "./graph.ts";
import { isKnown } from "./host.ts";
import type { Value, Values } from "./values.ts";

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
export function axesOf(call: Call, rank: number): number[] | undefined {
  const axes = call.attributes.numbers("axes", undefined) ?? setting(call, 1, "axes");
  return axes?.map((axis) => axisOf(axis, rank));
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** An operator of one result. */
const one =
  (compute: (x: Value, call: Call) => Value): Operator["compute"] =>
  (call) => [compute(operand(call, 0), call)];

export const simple = (
  compute: (x: Value, call: Call) => Value,
  attributes: readonly string[] = [],
  more: Partial<Operator> = {},
): Operator => ({ attributes, ...more, compute: one(compute) });
