/** The state of windows that look back: the steps before a sequence. */
import { concat, slice } from "../autodiff/parts.ts";
import { pick } from "../autodiff/pick.ts";
import { shiftRows } from "../autodiff/shift-rows.ts";
import type { Variable } from "../autodiff/tape.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import type { Context } from "./context.ts";
import { operand } from "./ops/operand.ts";
import type { WholeSequences } from "./module.ts";
import type { Padding, WindowOptions } from "./ops/windows.ts";

/** How far windows look back, in steps. */
export interface LookBack {
  readonly steps: number;
  /** What stands before a sequence that begins, if not zeros. */
  readonly first?: number;
}

/**
 * How many steps before its own a window reads, if it goes from step to step and reads no later ones.
 * @returns undefined if the windows need a whole sequence
 */
export function stepsBack(size: number, { stride = 1, padding = 0, dilation = 1 }: WindowOptions): number | undefined {
  const span = dilation * (size - 1);
  const [before, behind] = typeof padding === "number" ? [padding, padding] : typeof padding === "string" ? [0, 0] : padding;
  const isCausal = padding === "causal" || (before === span && behind === 0) || span === 0;
  return stride === 1 && isCausal && (span > 0 || (before === 0 && behind === 0)) ? span : undefined;
}

/** Why these windows need a whole sequence, if they do. */
export function wholeSequences(size: number, options: WindowOptions): WholeSequences | undefined {
  if (stepsBack(size, options) !== undefined) return undefined;
  const { stride = 1 } = options;
  const reason =
    stride === 1
      ? 'its windows read later steps; padding: "causal" makes them read earlier ones only'
      : `it has a result for one of ${stride} steps only`;
  return { path: "", reason };
}

/**
 * Puts the state `past` before a sequence, and keeps the last steps as the next state: `past` has the shape of x with 1 in
 * front, and `steps` in the place of x's steps.
 * @param x [batch, channels, length], or [batch, length, channels] if `last`
 * @returns what the windows go over, and its padding
 */
export function withPast(context: Context, where: string, x: Variable, last: boolean, back: LookBack): [Variable, Padding] {
  const { steps, first = 0 } = back;
  if (steps === 0) return [x, 0];
  const from = operand(context, where, "x", x);
  if (from.shape.length !== 3) return [x, [steps, 0]];
  const axis = last ? 1 : 2;
  const ofPast = (shape: Shape): Shape => shape.map((n, i) => (i === axis ? steps : n));
  const shape = ofPast(from.shape);
  const filled = (): Variable[] => {
    const label = context.label("past.first");
    const data = new Float32Array(sizeOf(shape)).fill(first);
    return [context.tape.leaf(label, context.tape.recording.buffer(label, shape, "constant", "f32", data))];
  };
  const begins = first === 0 ? context : context.within({ initialState: (name, whole) => context.initialState(name, whole) ?? filled() });
  const [past] = begins.initialState("past", [1, ...shape]) ?? [];
  const whole = past ? concat(context.tape, context.label("past.joined"), [past.reshaped(shape), from], axis) : from;
  context.finalState("past", [1, ...shape], [lastSteps(context, whole, axis, steps, whole === from ? steps : 0)]);
  return [whole, whole === from ? [steps, 0] : 0];
}

/** @param before steps that `whole` lacks at its start, which are zeros */
function lastSteps(context: Context, whole: Variable, axis: number, steps: number, before: number): Variable {
  const { tape, lengths, hasGaps } = context;
  const label = context.label("past.next");
  // A step that a row lacks between others is read as any other one.
  if (lengths && !hasGaps && whole.shape[0] % lengths.shape[0] === 0) return shiftRows(tape, label, whole, axis, lengths, steps, before);
  const start = whole.shape[axis] - steps;
  if (start >= 0) return slice(tape, label, whole, axis, start, start + steps);
  return pick(
    tape,
    label,
    whole,
    axis,
    Array.from({ length: steps }, (_, i) => Math.max(-1, start + i)),
  );
}
