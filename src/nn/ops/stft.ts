/**
 * Short-time Fourier transforms as convolutions: exact, differentiable, and one matrix product each. Letters: N batch, S
 * samples, F = size / 2 + 1 frequencies (rounded down), T frames.
 */
import { checkBoolean, checkChoice, checkCount, checkSize, RnnError, show } from "../../errors.ts";
import { takeOptions } from "../../options.ts";
import type { Variable } from "../../autodiff/tape.ts";
import { sizeOf, type Shape } from "../../tensor/shape.ts";
import { finite, takeList } from "../../tensor/take.ts";
import type { Context } from "../context.ts";
import { multiply } from "./elementwise.ts";
import { operand, words } from "./operand.ts";
import { pad, slice } from "./parts.ts";
import { conv1d, convTranspose1d } from "./windows.ts";

/** Options of `stft` and `istft`; the same ones make the one the inverse of the other. */
export interface StftOptions {
  /** Samples in a frame. */
  readonly size: number;
  /** Samples from one frame to the next (default a quarter of the size, rounded down). */
  readonly hop?: number;
  /** The factors of a frame's samples, `size` of them, or their name (default "hann", as PyTorch's periodic one). */
  readonly window?: "hann" | "hamming" | "rectangular" | readonly number[];
  /** True (default) if frame t is around sample t·hop, so that the signal is reflected at both ends; false if it begins there. */
  readonly center?: boolean;
}

interface Taken {
  readonly size: number;
  readonly hop: number;
  readonly window: Float64Array;
  readonly center: boolean;
}

const names = ["size", "hop", "window", "center"];
const shapes = { hann: [0.5, 0.5], hamming: [0.54, 0.46], rectangular: [1, 0] } as const;

function take(where: string, options: StftOptions): Taken {
  const size = checkSize(where, "size", options.size, 1);
  checkCount(where, `its ${size} samples and frequencies`, size * (size + 2));
  const { hop = Math.max(1, Math.floor(size / 4)), window = "hann", center = true } = options;
  checkSize(where, "hop", hop, 1);
  checkBoolean(where, "center", center);
  if (typeof window === "string") {
    const [level, swing] = shapes[checkChoice(where, "window", window, ["hann", "hamming", "rectangular"])];
    return { size, hop, center, window: Float64Array.from({ length: size }, (_, m) => level - swing * Math.cos((2 * Math.PI * m) / size)) };
  }
  const factors = takeList(where, "window", window, finite);
  if (factors.length !== size)
    throw new RnnError("option", where, `window must have ${size} factors, one for each sample, got ${factors.length}`);
  return { size, hop, center, window: Float64Array.from(factors) };
}

const constant = (context: Context, name: string, shape: Shape, of: (...index: number[]) => number): Variable => {
  const inner = sizeOf(shape.slice(1));
  const data = Float64Array.from({ length: sizeOf(shape) }, (_, i) => of(Math.floor(i / inner), i % inner));
  const label = context.label(name);
  return context.tape.leaf(label, context.tape.recording.buffer(label, shape, "constant", "f32", data));
};

const frequencies = (size: number): number => Math.floor(size / 2) + 1;
/** cos and -sin of frequency f at sample m: rows f of the first and of the second half. */
const wave = (size: number, row: number, m: number): number => {
  const F = frequencies(size);
  const angle = (2 * Math.PI * ((row % F) * m)) / size;
  return row < F ? Math.cos(angle) : -Math.sin(angle);
};

/**
 * X[f, t] = Σ_m window[m] x[t·hop + m] e^{-2πi·fm/size}.
 * @param x [N, S]
 * @returns [N, 2·F, T]: the real parts of all frequencies, then their imaginary parts
 * @throws RnnError `option` if an option is unknown or out of range, `shape` if x is no [N, S] or too short
 */
export function stft(context: Context, x: Variable, options: StftOptions): Variable {
  const where = "ops.stft";
  const { size, hop, window, center } = take(where, takeOptions(where, options, names, { needed: true }));
  const from = operand(context, where, "x", x);
  const [N, S] = from.shape;
  const half = Math.floor(size / 2);
  const shortest = center ? half + 1 : size;
  if (from.shape.length !== 2 || S < shortest)
    throw new RnnError("shape", where, `x must be [batch, samples] with at least ${shortest} samples, got ${words(from.shape)}`);
  const whole = center ? pad(context, from, 1, [half, half], { mode: "reflect" }) : from;
  const waves = constant(context, "stft.waves", [2 * frequencies(size), 1, size], (row, m) => window[m] * wave(size, row, m));
  return conv1d(context, whole.reshaped([N, 1, whole.shape[1]]), waves, undefined, { stride: hop });
}

/**
 * The inverse of `stft` with the same options: the frames' inverse transforms times the window, summed where they overlap
 * and divided by the sum of squared windows (Griffin and Lim 1984).
 * @param spectrum [N, 2·F, T]
 * @param options.length samples of the result (default: as many as the frames cover, without what was reflected)
 * @returns [N, length]
 * @throws RnnError `option` if an option is unknown or out of range, or no frame covers a sample; `shape` if it does not fit
 */
export function istft(context: Context, spectrum: Variable, options: StftOptions & { readonly length?: number }): Variable {
  const where = "ops.istft";
  const all = takeOptions(where, options, [...names, "length"], { needed: true });
  const { size, hop, window, center } = take(where, all);
  const from = operand(context, where, "spectrum", spectrum);
  const [F, [N, rows, T]] = [frequencies(size), from.shape];
  if (from.shape.length !== 3 || rows !== 2 * F)
    throw new RnnError("shape", where, `spectrum must be [batch, ${2 * F}, frames] for a size of ${size}, got ${words(from.shape)}`);
  const covered = (T - 1) * hop + size;
  checkCount(where, `the signal of ${T} frames`, covered);
  const start = center ? Math.floor(size / 2) : 0;
  const length = checkSize(where, "length", all.length ?? covered - 2 * start, 1);
  if (start + length > covered)
    throw new RnnError("option", where, `length must be at most ${covered - start}, which the frames cover, got ${show(length)}`);
  // A real signal has each frequency twice, but for 0 and the highest of an even size.
  const share = (f: number): number => (f === 0 || 2 * f === size ? 1 : 2) / size;
  const waves = constant(context, "istft.waves", [2 * F, 1, size], (row, m) => share(row % F) * window[m] * wave(size, row, m));
  const squares = new Float64Array(covered);
  for (let t = 0; t < T; t++) for (let m = 0; m < size; m++) squares[t * hop + m] += window[m] ** 2;
  const empty = squares.subarray(start, start + length).findIndex((sum) => sum < 1e-11);
  if (empty >= 0)
    throw new RnnError("option", where, `sample ${empty} has no window above 0; use a smaller hop, center: true, or another window`);
  const sums = convTranspose1d(context, from, waves, undefined, { stride: hop }).reshaped([N, covered]);
  const kept = slice(context, sums, 1, start, start + length);
  return multiply(
    context,
    kept,
    constant(context, "istft.shares", [1, length], (_, m) => 1 / squares[start + m]),
  );
}
