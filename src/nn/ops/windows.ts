/**
 * Convolutions and pooling of sequences. Letters: N batch, C channels, L length, O channels of the result, K taps.
 * Sequences are [N, C, L], as in PyTorch and ONNX; with `layout: "channelsLast"` they are [N, L, C], as in Keras.
 */
import { checkBoolean, checkChoice, checkSize, RnnError, show } from "../../errors.ts";
import { takeItems, takeOptions } from "../../options.ts";
import { combined, mostProducts } from "../../autodiff/elementwise.ts";
import type { Variable } from "../../autodiff/tape.ts";
import {
  conv1d as conv1dOp,
  convTranspose1d as convTranspose1dOp,
  maxPool1d as maxPool1dOp,
  sumPool1d,
  type Windows,
} from "../../autodiff/windows.ts";
import { sameShape } from "../../tensor/shape.ts";
import type { Context } from "../context.ts";
import { operand, optionalOperand, words } from "./operand.ts";

/**
 * Zeros around a sequence: as many on both sides, [before, behind], none ("valid"), as many as make the result as long as
 * the sequence divided by the stride ("same", one more behind if their number is odd), or all before, so that no element
 * sees later ones ("causal").
 */
export type Padding = number | readonly [number, number] | "valid" | "same" | "causal";

/** Where the channels are: [N, C, L] or [N, L, C]. */
export type Layout = "channelsFirst" | "channelsLast";

/** Options of windows that go over a sequence. */
export interface WindowOptions {
  /** Steps from one window to the next (default 1). */
  readonly stride?: number;
  /** Default 0. */
  readonly padding?: Padding;
  /** Steps from one tap to the next (default 1). */
  readonly dilation?: number;
  /** Default "channelsFirst". */
  readonly layout?: Layout;
}

/** The same with all values, checked. */
export interface TakenWindows {
  readonly stride: number;
  readonly padding: Padding;
  readonly dilation: number;
  readonly last: boolean;
}

const names = ["stride", "padding", "dilation", "layout"] as const;
const ways = ["valid", "same", "causal"] as const;

function takePadding(where: string, padding: unknown): Padding {
  if (typeof padding === "string") return checkChoice(where, "padding", padding, ways);
  if (typeof padding === "number") return checkSize(where, "padding", padding, 0);
  const sides = takeItems("option", where, "padding", `a number, [before, behind], "valid", "same" or "causal"`, padding, (side) =>
    checkSize(where, "padding", side, 0),
  );
  if (sides.length !== 2) throw new RnnError("option", where, `padding must have two sizes, [before, behind], got ${show(padding)}`);
  return [sides[0], sides[1]];
}

/** Checks the options that all windows have. @param usualStride that of pooling is the size of the window */
export function takeWindows(where: string, given: WindowOptions, usualStride = 1): TakenWindows {
  const { stride = usualStride, padding = 0, dilation = 1, layout = "channelsFirst" } = given;
  checkChoice(where, "layout", layout, ["channelsFirst", "channelsLast"]);
  return {
    stride: checkSize(where, "stride", stride, 1),
    padding: takePadding(where, padding),
    dilation: checkSize(where, "dilation", dilation, 1),
    last: layout === "channelsLast",
  };
}

/** Zeros before and behind a sequence of this length. */
function sidesOf({ padding, stride, dilation }: TakenWindows, length: number, taps: number): readonly [number, number] {
  const span = dilation * (taps - 1);
  if (padding === "valid") return [0, 0];
  if (padding === "causal") return [span, 0];
  if (padding === "same") {
    const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + span + 1 - length);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }
  return typeof padding === "number" ? [padding, padding] : padding;
}

/** [batch, channels, length] of sequences. */
function sequences(where: string, x: Variable, last: boolean): [number, number, number] {
  if (x.shape.length !== 3)
    throw new RnnError(
      "shape",
      where,
      `x must be ${last ? "[batch, length, channels]" : "[batch, channels, length]"}, got ${words(x.shape)}`,
    );
  const [N, second, third] = x.shape;
  return last ? [N, third, second] : [N, second, third];
}

function windowsOf(where: string, x: Variable, taps: number, taken: TakenWindows, groups: number | undefined): Windows {
  const [batch, channels, length] = sequences(where, x, taken.last);
  const [before, behind] = sidesOf(taken, length, taps);
  const room = before + length + behind - taken.dilation * (taps - 1) - 1;
  if (room < 0)
    throw new RnnError("shape", where, `x must be at least ${length - room} long for this window and padding, got ${words(x.shape)}`);
  const { stride, dilation, last } = taken;
  const positions = Math.floor(room / stride) + 1;
  return { batch, channels, length, last, groups: groups ?? channels, taps, stride, dilation, before, positions };
}

/** Checks the weight and the bias of a convolution against its channels. */
function checkWeights(where: string, weight: Variable, bias: Variable | undefined, groups: number, outputs: number, what: string): void {
  if (weight.shape[0] % groups !== 0 || outputs % groups !== 0 || groups > mostProducts)
    throw new RnnError("shape", where, `groups must divide the channels on both sides, got ${groups} for weight ${words(weight.shape)}`);
  if (bias && !sameShape(bias.shape, [outputs]))
    throw new RnnError("shape", where, `bias must be [${outputs}], ${what}, got ${words(bias.shape)}`);
}

/**
 * y[n, o, p] = Σ_{c,k} weight[o, c, k] x[n, c, p·stride + k·dilation - padding] + bias[o]; x is 0 outside. It ends in one
 * matrix product over all windows.
 * @param x [N, C, L], or [N, L, C]
 * @param weight [O, C / groups, K]; with groups = C each channel has filters of its own (depthwise)
 * @param bias [O]
 * @param options.groups number of groups of channels that do not see each other (default 1)
 * @returns [N, O, ·], or [N, ·, O]
 */
export function conv1d(
  context: Context,
  x: Variable,
  weight: Variable,
  bias?: Variable,
  given: WindowOptions & { readonly groups?: number } = {},
): Variable {
  const where = "ops.conv1d";
  const options = takeOptions(where, given, [...names, "groups"]);
  const groups = checkSize(where, "groups", options.groups ?? 1, 1);
  const taken = takeWindows(where, options);
  const from = operand(context, where, "x", x);
  const W = operand(context, where, "weight", weight);
  const b = optionalOperand(context, where, "bias", bias);
  if (W.shape.length !== 3) throw new RnnError("shape", where, `weight must be [outputs, channels / groups, taps], got ${words(W.shape)}`);
  const w = windowsOf(where, from, W.shape[2], taken, groups);
  if (w.channels !== W.shape[1] * groups)
    throw new RnnError(
      "shape",
      where,
      `x must have ${W.shape[1] * groups} channels for weight ${words(W.shape)}, got ${words(from.shape)}`,
    );
  checkWeights(where, W, b, groups, W.shape[0], "a number for each channel of the result");
  return conv1dOp(context.tape, context.label("conv1d"), from, W, b, w);
}

/**
 * The transposed convolution, which makes a sequence longer: each element of x is spread over a window of y,
 * y[n, o, p·stride + k·dilation - padding] = Σ_c weight[c, o, k] x[n, c, p] + bias[o], summed where windows overlap.
 * @param x [N, C, L], or [N, L, C]
 * @param weight [C, O / groups, K]
 * @param bias [O]
 * @param options.padding steps that are cut off at both ends, or [at the start, at the end] (default 0)
 * @param options.outputPadding steps more at the end (default 0)
 * @returns [N, O, (L - 1)·stride + dilation·(K - 1) + 1 - padding + outputPadding], or with channels last
 */
export function convTranspose1d(
  context: Context,
  x: Variable,
  weight: Variable,
  bias?: Variable,
  given: WindowOptions & { readonly groups?: number; readonly outputPadding?: number } = {},
): Variable {
  const where = "ops.convTranspose1d";
  const options = takeOptions(where, given, [...names, "groups", "outputPadding"]);
  const groups = checkSize(where, "groups", options.groups ?? 1, 1);
  const more = checkSize(where, "outputPadding", options.outputPadding ?? 0, 0);
  const taken = takeWindows(where, options);
  if (typeof taken.padding === "string" && taken.padding !== "valid")
    throw new RnnError("option", where, `padding must be a number, [start, end] or "valid", got ${show(taken.padding)}`);
  const from = operand(context, where, "x", x);
  const W = operand(context, where, "weight", weight);
  const b = optionalOperand(context, where, "bias", bias);
  if (W.shape.length !== 3) throw new RnnError("shape", where, `weight must be [channels, outputs / groups, taps], got ${words(W.shape)}`);
  const [batch, inputs, positions] = sequences(where, from, taken.last);
  const [C, perGroup, taps] = W.shape;
  if (inputs !== C) throw new RnnError("shape", where, `x must have ${C} channels for weight ${words(W.shape)}, got ${words(from.shape)}`);
  const channels = perGroup * groups;
  checkWeights(where, W, b, groups, channels, "a number for each channel of the result");
  const { stride, dilation, last } = taken;
  const [before, behind] = sidesOf(taken, 0, taps);
  const length = (positions - 1) * stride + dilation * (taps - 1) + 1 - before - behind + more;
  if (length < 1) throw new RnnError("shape", where, `padding ${show(taken.padding)} leaves nothing of ${words(from.shape)}`);
  const w: Windows = { batch, channels, length, last, groups, taps, stride, dilation, before, positions };
  return convTranspose1dOp(context.tape, context.label("convTranspose1d"), from, W, b, w);
}

/** How many elements of the sequence each window has. @throws RnnError `option` if one has none, and so no extreme and no mean */
function countsOf(where: string, w: Windows): number[] {
  return Array.from({ length: w.positions }, (_, p) => {
    let count = 0;
    for (let k = 0, step = p * w.stride - w.before; k < w.taps; k++, step += w.dilation) if (step >= 0 && step < w.length) count++;
    if (count === 0)
      throw new RnnError(
        "option",
        where,
        `padding must leave each window of ${w.taps} an element, and window ${p} of ${w.positions} has none`,
      );
    return count;
  });
}

/**
 * The greatest element of each window, channel by channel; padding does not count.
 * @param size of the window; also the stride if `options` has none
 */
export function maxPool1d(context: Context, x: Variable, size: number, given: WindowOptions = {}): Variable {
  const where = "ops.maxPool1d";
  checkSize(where, "size", size, 1);
  const taken = takeWindows(where, takeOptions(where, given, names), size);
  const from = operand(context, where, "x", x);
  const w = windowsOf(where, from, size, taken, undefined);
  countsOf(where, w);
  return maxPool1dOp(context.tape, context.label("maxPool1d"), from, w);
}

/**
 * The mean of each window, channel by channel.
 * @param size of the window; also the stride if `options` has none
 * @param options.countPadding true if padding counts as zeros (default, as in PyTorch), false if it does not (ONNX, Keras)
 */
export function avgPool1d(
  context: Context,
  x: Variable,
  size: number,
  given: WindowOptions & { readonly countPadding?: boolean } = {},
): Variable {
  const where = "ops.avgPool1d";
  checkSize(where, "size", size, 1);
  const options = takeOptions(where, given, [...names, "countPadding"]);
  const countPadding = checkBoolean(where, "countPadding", options.countPadding ?? true);
  const taken = takeWindows(where, options, size);
  const from = operand(context, where, "x", x);
  const w = windowsOf(where, from, size, taken, undefined);
  const counts = countPadding ? [size] : countsOf(where, w);
  const { tape } = context;
  const label = context.label("avgPool1d");
  if (counts.every((count) => count === counts[0])) return sumPool1d(tape, label, from, w, 1 / counts[0]);
  const sums = sumPool1d(tape, label, from, w, 1);
  const shares = Float64Array.from(counts, (count) => 1 / count);
  const shape = w.last ? [w.positions, 1] : [w.positions];
  const factors = tape.leaf(`${label}.shares`, tape.recording.buffer(`${label}.shares`, shape, "constant", "f32", shares));
  return combined(tape, `${label}.mean`, "multiply", sums, factors, sums.shape);
}
