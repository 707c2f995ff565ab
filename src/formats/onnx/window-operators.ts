/**
 * Operators whose windows go over a signal: convolutions and pooling. Letters: N rows, C channels, L length, A an axis on
 * which nothing happens. Windows may move along one axis, [N, C, L], or along one of two, [N, C, A, L] or [N, C, L, A].
 */
import * as ops from "../../nn/ops.ts";
import { fail } from "./graph.ts";
import { operand, range, simple, type Call, type Operator } from "./operator.ts";
import { maxOver } from "./reduce-operators.ts";
import { shapeOf, type Value } from "./values.ts";

/** The windows along the one axis on which they move. */
interface Window {
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: readonly [number, number];
}

interface Signal {
  /** [N·A, C, L] */
  readonly x: Value;
  readonly window: Window;
  /** The index of the axis among those of the window. */
  readonly at: number;
  /** Puts a result [N·A, ·, ·] in the place of x. */
  readonly back: (y: Value) => Value;
}

/** @param kernel the sizes of the window */
function signalOf(call: Call, kernel: readonly number[]): Signal {
  const { attributes, values } = call;
  const x = operand(call, 0);
  const shape = shapeOf(x);
  const axes = kernel.length;
  if (shape.length !== axes + 2)
    return fail(`its input must have ${axes + 2} axes for a window [${kernel.join(", ")}], got [${shape.join(", ")}]`);
  const ones = kernel.map(() => 1);
  const [strides, dilations] = [attributes.numbers("strides", ones), attributes.numbers("dilations", ones)];
  const pads = attributes.numbers(
    "pads",
    [...ones, ...ones].map(() => 0),
  );
  const moving = range(axes).filter((i) => kernel[i] !== 1 || strides[i] !== 1 || pads[i] !== 0 || pads[i + axes] !== 0);
  if (axes > 2 || moving.length > 1)
    return fail(`windows that move along more than one axis are not supported, got [${kernel.join(", ")}]`);
  const at = moving[0] ?? axes - 1;
  const length = shape[at + 2];
  const window = { taps: kernel[at], stride: strides[at], dilation: dilations[at] };
  const padding = paddingOf(call, window, length, [pads[at], pads[at + axes]]);
  if (axes === 1) return { x, window: { ...window, padding }, at, back: (y) => y };
  const still = 3 - at;
  const [N, C, A] = [shape[0], shape[1], shape[still]];
  const rows = values.reshape(values.permute(x, [0, still, 1, at + 2]), [N * A, C, length]);
  const back = (y: Value): Value => {
    const [, channels, positions] = shapeOf(y);
    return values.permute(values.reshape(y, [N, A, channels, positions]), at === 0 ? [0, 2, 3, 1] : [0, 2, 1, 3]);
  };
  return { x: rows, window: { ...window, padding }, at, back };
}

/** Zeros before and behind, as the attributes say, or as many as make the result as long as x / stride. */
function paddingOf(
  { attributes }: Call,
  { taps, stride, dilation }: Omit<Window, "padding">,
  length: number,
  given: [number, number],
): [number, number] {
  const auto = attributes.text("auto_pad", "NOTSET");
  if (auto === "NOTSET" || auto === "") return given;
  if (auto === "VALID") return [0, 0];
  const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + dilation * (taps - 1) + 1 - length);
  const [less, more] = [Math.floor(total / 2), Math.ceil(total / 2)];
  if (auto === "SAME_UPPER") return [less, more];
  return auto === "SAME_LOWER" ? [more, less] : fail(`auto_pad ${auto} is not known`);
}

/** The weight of a convolution along one axis: [·, ·, taps]. */
function filtersOf({ values }: Call, weight: Value): Value {
  const [first, second, ...kernel] = shapeOf(weight);
  return values.reshape(weight, [first, second, kernel.reduce((product, size) => product * size, 1)]);
}

function convolution(call: Call, record: (signal: Signal, weight: Value, bias: Value | undefined) => Value): Value[] {
  const weight = operand(call, 1);
  const kernel = call.attributes.numbers("kernel_shape", shapeOf(weight).slice(2));
  if (kernel.some((size, i) => size !== shapeOf(weight)[i + 2]))
    return fail(`kernel_shape must be that of its weight, got [${kernel.join(", ")}]`);
  const signal = signalOf(call, kernel);
  return [signal.back(record(signal, filtersOf(call, weight), call.inputs[2]))];
}

function conv(call: Call): Value[] {
  const { values, attributes } = call;
  const groups = attributes.number("group", 1);
  return convolution(call, ({ x, window: { stride, dilation, padding } }, weight, bias) =>
    values.record(x, (context, from) =>
      ops.conv1d(context, from, values.numbers(weight), bias && values.numbers(bias), { stride, dilation, padding, groups }),
    ),
  );
}

function convTranspose(call: Call): Value[] {
  const { values, attributes } = call;
  if (attributes.has("output_shape")) return fail("output_shape is not supported; export the model with pads and output_padding");
  const groups = attributes.number("group", 1);
  return convolution(call, ({ x, at, window: { stride, dilation, padding } }, weight, bias) => {
    const outputPadding = attributes.numbers("output_padding", [])[at] ?? 0;
    return values.record(x, (context, from) =>
      ops.convTranspose1d(context, from, values.numbers(weight), bias && values.numbers(bias), {
        stride,
        dilation,
        padding,
        groups,
        outputPadding,
      }),
    );
  });
}

/** A window that needs no more elements than there are, also where the result is rounded up. */
function poolSignal(call: Call): Signal {
  const kernel = call.attributes.numbers("kernel_shape", undefined) ?? fail("it lacks its kernel_shape");
  const signal = signalOf(call, kernel);
  const { taps, stride, dilation, padding } = signal.window;
  const room = shapeOf(signal.x)[2] + padding[0] + padding[1] - dilation * (taps - 1) - 1;
  if (call.attributes.number("ceil_mode", 0) !== 0 && room % stride !== 0)
    return fail("ceil_mode is supported only where the windows fill the signal");
  return signal;
}

function maxPool(call: Call): Value[] {
  if (call.node.outputs[1]) return fail("its indices are not supported");
  const { x, window, back } = poolSignal(call);
  const { taps, stride, dilation, padding } = window;
  return [back(call.values.record(x, (context, from) => ops.maxPool1d(context, from, taps, { stride, dilation, padding })))];
}

function averagePool(call: Call): Value[] {
  const { x, window, back } = poolSignal(call);
  const { taps, stride, dilation, padding } = window;
  const countPadding = call.attributes.number("count_include_pad", 0) !== 0;
  return [back(call.values.record(x, (context, from) => ops.avgPool1d(context, from, taps, { stride, dilation, padding, countPadding })))];
}

const windows = ["auto_pad", "dilations", "kernel_shape", "pads", "strides"];
const pooling = [...windows, "ceil_mode", "storage_order"];

export const windowOperators: Readonly<Record<string, Operator>> = {
  Conv: { attributes: [...windows, "group"], weights: [1, 2], compute: conv },
  ConvTranspose: { attributes: [...windows, "group", "output_padding", "output_shape"], weights: [1, 2], compute: convTranspose },
  MaxPool: { attributes: pooling, compute: maxPool },
  AveragePool: { attributes: [...pooling, "count_include_pad"], compute: averagePool },
  GlobalMaxPool: simple((x, call) => maxOver(call, x, range(shapeOf(x).length).slice(2))),
};
