/** Operators that move numbers, make constants or read shapes. */
import * as ops from "../../nn/ops.ts";
import { sizeOf } from "../../tensor/shape.ts";
import { fail, type Known } from "./graph.ts";
import { filled, isKnown, list, mapped, scalar } from "./host.ts";
import { axesOf, axisOf, operand, range, setting, simple, type Call, type Operator } from "./operator.ts";
import { kindOf } from "./tensor-proto.ts";
import { commonShape, shapeOf, type Value } from "./values.ts";

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
    if (indices.kind !== "int") return fail("its indices must be integers of an input or constants");
    const { variable: ids } = indices;
    // Rows of a table need not be made where a layer reads them.
    return call.values.record(x, (context, from) =>
      axis === 0 && shape.length === 2 ? ops.embedding(context, ids, from) : ops.gather(context, from, axis, ids),
    );
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

/** Most elements along an axis that repeats make. */
const mostRepeated = 2 ** 20;

const identity = simple((x) => x);

/** More elements at the ends of axes, or fewer where the amounts are negative. */
function pad(x: Value, call: Call): Value {
  const { attributes, values } = call;
  const rank = shapeOf(x).length;
  const amounts = attributes.numbers("pads", undefined) ?? setting(call, 1, "amounts") ?? fail("it lacks its amounts");
  const axes = (setting(call, 3, "axes") ?? range(rank)).map((axis) => axisOf(axis, rank));
  const value = attributes.number("value", undefined) ?? setting(call, 2, "value")?.[0] ?? 0;
  const mode = attributes.text("mode", "constant");
  if (mode !== "constant" && mode !== "reflect" && mode !== "edge") return fail(`mode must be constant, reflect or edge, got ${mode}`);
  if (amounts.length !== 2 * axes.length) return fail(`it must have ${2 * axes.length} amounts, got ${amounts.length}`);
  return axes.reduce((part, axis, i) => {
    const [before, behind] = [amounts[i], amounts[i + axes.length]];
    const size = shapeOf(part)[axis];
    const inside = range(size).slice(Math.max(0, -before), size - Math.max(0, -behind));
    return values.pad(values.select(part, axis, inside), axis, [Math.max(0, before), Math.max(0, behind)], mode, value);
  }, x);
}

export const layoutOperators: Readonly<Record<string, Operator>> = {
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
  Pad: simple(pad, ["mode", "pads", "value"], { settings: [1, 2, 3] }),
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
      return times.reduce((part, count, axis) => {
        const size = shapeOf(part)[axis];
        if (!(size * count <= mostRepeated)) return fail(`${count} repeats of ${size} elements are more than ${mostRepeated}`);
        return call.values.select(
          part,
          axis,
          range(size * count).map((i) => i % size),
        );
      }, x);
    },
    [],
    { settings: [1] },
  ),
};
