/** Convolutions and pooling of sequences: the windows of a sequence, and a product or a reduction of them. */
import { fold as foldKernel, unfold as unfoldKernel } from "../kernels/windows.ts";
import { combined, sum } from "./elementwise.ts";
import { linear } from "./linear.ts";
import { product } from "./product.ts";
import { extreme } from "./reduce.ts";
import type { Tape, Variable } from "./tape.ts";
import { turn } from "./turn.ts";

/** Sequences [batch, channels, length], or [batch, length, channels] if `last`, and the windows that go over them. */
export interface Windows {
  readonly batch: number;
  readonly channels: number;
  readonly length: number;
  readonly last: boolean;
  readonly groups: number;
  readonly taps: number;
  readonly stride: number;
  readonly dilation: number;
  /** Steps of padding before the sequence. */
  readonly before: number;
  /** How many positions the window has. */
  readonly positions: number;
}

const paramsOf = ({ last, ...windows }: Windows, fill: number) => ({
  ...windows,
  xBatch: windows.channels * windows.length,
  xChannel: last ? 1 : windows.length,
  xStep: last ? windows.channels : 1,
  fill,
});

/** [groups, batch, positions, channels / groups, taps]: the windows of x. Outside of the sequence they hold `fill`. */
function unfold(tape: Tape, label: string, x: Variable, w: Windows, fill = 0): Variable {
  const y = tape.result(label, [w.groups, w.batch, w.positions, w.channels / w.groups, w.taps], [x]);
  tape.recording.dispatch(unfoldKernel, { x: x.view, windows: y.view }, { ...paramsOf(w, fill), accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(x);
    tape.recording.dispatch(foldKernel, { windows: y.gradient!, x: view }, { ...paramsOf(w, 0), accumulate });
  });
  return y;
}

const shapeOf = ({ batch, channels, length, last }: Windows): number[] => (last ? [batch, length, channels] : [batch, channels, length]);

/** The sequences that these are the windows of, added up where windows overlap. */
function fold(tape: Tape, label: string, windows: Variable, w: Windows): Variable {
  const y = tape.result(label, shapeOf(w), [windows]);
  tape.recording.dispatch(foldKernel, { windows: windows.view, x: y.view }, { ...paramsOf(w, 0), accumulate: 0 });
  tape.record([y], () => {
    const { view, accumulate } = tape.share(windows);
    tape.recording.dispatch(unfoldKernel, { x: y.gradient!, windows: view }, { ...paramsOf(w, 0), accumulate });
  });
  return y;
}

/** y + bias, a number for each channel. */
function biased(tape: Tape, label: string, y: Variable, bias: Variable | undefined, last: boolean): Variable {
  if (!bias) return y;
  return combined(tape, `${label}.biased`, "add", y, last ? bias : bias.reshaped([bias.shape[0], 1]), y.shape);
}

/**
 * y[n, o, p] = Σ_{c,k} weight[o, c, k] x[n, c, p·stride + k·dilation - before] + bias[o], over the channels c of o's group.
 * @param weight [O, channels / groups, taps]
 * @param bias [O]
 * @returns [batch, O, positions], or [batch, positions, O] if `last`
 */
export function conv1d(tape: Tape, label: string, x: Variable, weight: Variable, bias: Variable | undefined, w: Windows): Variable {
  const { batch, positions, groups, last } = w;
  const O = weight.shape[0];
  const K = (w.channels / groups) * w.taps;
  const windows = unfold(tape, `${label}.windows`, x, w);
  if (groups === 1) {
    const y = linear(tape, label, windows.reshaped([batch, positions, K]), weight.reshaped([O, K]), bias);
    return last ? y : turn(tape, `${label}.turned`, y, [0, 2, 1]);
  }
  const [M, N] = [batch * positions, O / groups];
  const each = product(
    tape,
    `${label}.y`,
    windows.reshaped([groups, M, K]),
    weight.reshaped([groups, N, K]),
    { batch: groups, M, N, K },
    { transposeA: false, transposeB: true },
    [groups, batch, positions, N],
  );
  const turned = turn(tape, `${label}.turned`, each, last ? [1, 2, 0, 3] : [1, 0, 3, 2]);
  return biased(tape, label, turned.reshaped(last ? [batch, positions, O] : [batch, O, positions]), bias, last);
}

/**
 * The transposed map, which spreads each element of x over a window of y:
 * y[n, o, p·stride + k·dilation - before] += Σ_c weight[c, o, k] x[n, c, p], and + bias[o].
 * @param x [batch, C, positions], or [batch, positions, C] if `last`
 * @param weight [C, O / groups, taps]
 * @param w the windows of y, so `channels` is O and `length` the length of y
 */
export function convTranspose1d(
  tape: Tape,
  label: string,
  x: Variable,
  weight: Variable,
  bias: Variable | undefined,
  w: Windows,
): Variable {
  const { batch, positions, groups, last } = w;
  const perGroup = weight.shape[0] / groups;
  const split = x.reshaped(last ? [batch, positions, groups, perGroup] : [batch, groups, perGroup, positions]);
  const rows = turn(tape, `${label}.rows`, split, last ? [2, 0, 1, 3] : [1, 0, 3, 2]);
  const [M, N] = [batch * positions, (w.channels / groups) * w.taps];
  const windows = product(
    tape,
    `${label}.windows`,
    rows.reshaped([groups, M, perGroup]),
    weight.reshaped([groups, perGroup, N]),
    { batch: groups, M, N, K: perGroup },
    { transposeA: false, transposeB: false },
    [groups, batch, positions, w.channels / groups, w.taps],
  );
  return biased(tape, label, fold(tape, `${label}.y`, windows, w), bias, last);
}

/** [channels, batch, positions] as sequences. */
const asSequences = (tape: Tape, label: string, y: Variable, last: boolean): Variable =>
  turn(tape, `${label}.turned`, y, last ? [1, 2, 0] : [1, 0, 2]);

/** Below every number that is not -∞; what padding holds where the greatest is taken. */
export const leastNumber = -3.4028234663852886e38;

/** The greatest element of each window of each channel; padding does not count. `w.groups` is `w.channels`. */
export function maxPool1d(tape: Tape, label: string, x: Variable, w: Windows): Variable {
  const windows = unfold(tape, `${label}.windows`, x, w, leastNumber).reshaped([w.channels, w.batch, w.positions, w.taps]);
  return asSequences(tape, label, extreme(tape, `${label}.y`, windows, 3, 1).y, w.last);
}

/** factor · the sum of each window of each channel; padding counts as 0. `w.groups` is `w.channels`. */
export function sumPool1d(tape: Tape, label: string, x: Variable, w: Windows, factor: number): Variable {
  const windows = unfold(tape, `${label}.windows`, x, w).reshaped([w.channels, w.batch, w.positions, w.taps]);
  return asSequences(tape, label, sum(tape, `${label}.y`, windows, 3, factor), w.last);
}
