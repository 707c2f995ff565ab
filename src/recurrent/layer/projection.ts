/**
 * The projected LSTM (Sak et al. 2014), h_t = W_hr·m_t with m_t = o⊙tanh(c_t), runs as an LSTM of m. Since U·h_{t-1} =
 * (U·W_hr)·m_{t-1}, its recurrent weight is the product U·W_hr, computed once per training step. One product behind the
 * recurrence gives h of all steps. So every kernel of the plain cell serves it. A given h_0 is W_hr·m for no known m.
 * It comes in as further inputs at each row's first step: W·x_1 + U·h_0 = [W U]·[x_1; h_0].
 */
import { RnnError } from "../../errors.ts";
import { combined } from "../../autodiff/elementwise.ts";
import { maskSteps } from "../../autodiff/mask-steps.ts";
import { concat, slice } from "../../autodiff/parts.ts";
import { linear } from "../../autodiff/linear.ts";
import { product } from "../../autodiff/product.ts";
import type { Lane, RecurrentOptions, RecurrentResult } from "../sequence.ts";
import type { Variable } from "../../autodiff/tape.ts";
import type { Context } from "../../nn/context.ts";

const straight = { transposeA: false, transposeB: false };

/**
 * @param weight W_hr [P, H]
 * @param lane with U [G·H, P] and h_0 [B, P]
 * @param runLstm runs an LSTM of m
 */
export function projected(
  context: Context,
  weight: Variable,
  x: Variable,
  lane: Lane,
  lengths: RecurrentOptions["lengths"],
  runLstm: (lane: Lane, input: Variable) => RecurrentResult,
): RecurrentResult {
  const { tape } = context;
  const { label, initialH, reverse, weights } = lane;
  const { inputWeight } = weights;
  const recurrentWeight = weights.recurrentWeight!;
  if (tape.options.recurrent)
    throw new RnnError(
      "option",
      label,
      "a projected layer is computed as one whose state is m_t = o⊙tanh(c_t), so gradientFlow does not see its h_t",
    );
  const [P, H] = weight.shape;
  const [rows] = recurrentWeight.shape;
  const [, B] = x.shape;
  const both = tape.recording.derive([recurrentWeight.view, weight.view], () =>
    product(tape, `${label}.recurrent`, recurrentWeight, weight, { batch: 1, M: rows, N: H, K: P }, straight, [rows, H]),
  );
  const ofMemory = (inputs: Variable): Lane => ({
    ...lane,
    initialH: undefined,
    weights: { ...weights, inputWeight: inputs, recurrentWeight: both },
  });
  const project = (name: string, m: Variable): Variable => linear(tape, `${label}.${name}`, m, weight, undefined);
  // No kernel can bind final states where they lie.
  const last = ({ finalH }: RecurrentResult): Variable => project("final", slice(tape, `${label}.last`, finalH, 0, 0, B));
  if (!initialH) {
    const result = runLstm(ofMemory(inputWeight), x);
    return { ...result, y: project("h", result.y), finalH: last(result) };
  }
  if (context.hasGaps)
    throw new RnnError(
      "option",
      label,
      "a projected layer that begins with a given state takes lengths, but no stepMask; leave out the state or the mask",
    );
  const h0 = slice(tape, `${label}.h0`, initialH, 0, 0, B).reshaped([1, B, P]);
  const whole = context.lengths === undefined;
  const first = whole ? atEnd(context, label, h0, x.shape[0], reverse) : atFirstStep(context, label, h0, x.shape[0], reverse, lengths);
  const result = runLstm(
    ofMemory(
      tape.recording.derive([inputWeight.view, recurrentWeight.view], () =>
        concat(tape, `${label}.inputs`, [inputWeight, recurrentWeight], 1),
      ),
    ),
    concat(tape, `${label}.x`, [x, first], 2),
  );
  const finalH = last(result);
  if (whole) return { ...result, y: project("h", result.y), finalH };
  // A row of length 0 ends with the state that it began with. The mask keeps h_0 in the other rows only.
  const unread = minus(context, `${label}.unread`, h0, maskSteps(tape, `${label}.read`, h0, lengths)).reshaped([B, P]);
  return { ...result, y: project("h", result.y), finalH: combined(tape, `${label}.end`, "add", finalH, unread, [B, P]) };
}

function minus({ tape }: Context, label: string, a: Variable, b: Variable): Variable {
  const one = tape.leaf(`${label}.minus`, tape.recording.buffer(`${label}.minus`, [1], "constant", "f32", Float64Array.of(-1)));
  return combined(tape, label, "add", a, combined(tape, `${label}.negative`, "multiply", b, one, b.shape), a.shape);
}

const zeros = ({ tape }: Context, label: string, shape: readonly number[]): Variable =>
  tape.leaf(label, tape.recording.buffer(label, shape, "constant"));

/** [T, B, P]: h_0 at the first step that the lane reads, zeros at the others. */
function atEnd(context: Context, label: string, h0: Variable, T: number, reverse: boolean): Variable {
  if (T === 1) return h0;
  const rest = zeros(context, `${label}.zeros`, [T - 1, ...h0.shape.slice(1)]);
  return concat(context.tape, `${label}.first`, reverse ? [rest, h0] : [h0, rest], 0);
}

/** The same for a reverse lane, which begins at each row's own end: h_0 within the row, minus the same shifted by a step. */
function atFirstStep(
  context: Context,
  label: string,
  h0: Variable,
  T: number,
  reverse: boolean,
  lengths: RecurrentOptions["lengths"],
): Variable {
  if (!reverse) return atEnd(context, label, h0, T, false);
  const { tape } = context;
  const shape = [T, ...h0.shape.slice(1)];
  const ones = tape.leaf(
    `${label}.ones`,
    tape.recording.buffer(`${label}.ones`, [T, 1, 1], "constant", "f32", new Float64Array(T).fill(1)),
  );
  const within = maskSteps(tape, `${label}.within`, combined(tape, `${label}.each`, "multiply", h0, ones, shape), lengths);
  const further = concat(
    tape,
    `${label}.further`,
    [...(T > 1 ? [slice(tape, `${label}.shifted`, within, 0, 1, T)] : []), zeros(context, `${label}.zeros`, h0.shape)],
    0,
  );
  return minus(context, `${label}.first`, within, further);
}
