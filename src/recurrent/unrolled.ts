/** Runs a recurrent layer as one op for each step. It is slower than `recurrent`, but shows the gradient of each step's state. */
import type { NumericArray } from "../tensor/tensor.ts";
import type { View } from "../recording/recording.ts";
import { concat, slice } from "../autodiff/parts.ts";
import { recurrent, type Lane, type RecurrentOptions, type RecurrentResult } from "./sequence.ts";
import type { Tape, Variable } from "../autodiff/tape.ts";
import { hasStep } from "./kernels/lanes.twin.ts";

/** The states of one lane: the initial one first, then by step. */
export interface LaneStates {
  readonly label: string;
  readonly h: Variable[];
  /** The first state besides h; empty if there is no other. */
  readonly c: Variable[];
}

/** Makes the weights constant, because only the states' gradients are wanted. */
function withoutGradient(tape: Tape, { gains, ...weights }: Lane["weights"]): Lane["weights"] {
  const fixed = (of: object): object =>
    Object.fromEntries(
      Object.entries(of as Record<string, Variable | undefined>).map(([name, v]) => [name, v && tape.leaf(v.label, v.view)]),
    );
  return { ...fixed(weights), gains: gains && fixed(gains) } as Lane["weights"];
}

/**
 * @param lengths the steps that each row has, as the kernels read them; undefined if no row lacks any
 * @param collect receives the states of each lane
 */
export function unrolled(lengths: NumericArray | undefined, collect: (states: LaneStates) => void): typeof recurrent {
  return (tape, label, x, lanes, options) => {
    const [T] = x.shape;
    const whole = options.lengths.buffer.role === "constant" ? undefined : lengths;
    const steps = Array.from({ length: T }, (_, t) => slice(tape, `${label}.x`, x, 0, t, t + 1));
    const present = steps.map((_, t) => presentAt(tape, `${label}.present`, x.shape[1], whole, t));
    return lanes.map((lane) =>
      unrolledLane(tape, steps, present, { ...lane, weights: withoutGradient(tape, lane.weights) }, options, collect),
    );
  };
}

/** [B] u32: 1 for the rows that have step t. */
function presentAt(tape: Tape, label: string, B: number, lengths: NumericArray | undefined, t: number): View {
  return tape.recording.buffer(
    label,
    [B],
    "constant",
    "u32",
    Uint32Array.from({ length: B }, (_, b) => (lengths && !hasStep(lengths, b, t) ? 0 : 1)),
  );
}

function unrolledLane(
  tape: Tape,
  steps: readonly Variable[],
  present: readonly View[],
  lane: Lane,
  { cell, regularization }: RecurrentOptions,
  collect: (states: LaneStates) => void,
): RecurrentResult {
  const T = steps.length;
  const [, B] = steps[0].shape;
  const H = lane.weights.inputWeight.shape[0] / cell.gateNames.length;
  const zero = (): Variable =>
    tape.leaf(`${lane.label}.zero`, tape.recording.buffer(`${lane.label}.zero`, [B, H], "constant"), { needsGradient: true });
  const states: LaneStates = { label: lane.label, h: [lane.initialH ?? zero()], c: [] };
  let memory: readonly Variable[] = cell.states.map((_, s) => lane.initialMemory?.[s] ?? zero());
  states.c.push(...memory.slice(0, 1));
  let [h] = states.h;
  for (let i = 0; i < T; i++) {
    const t = lane.reverse ? T - 1 - i : i;
    const [{ finalH, finalMemory }] = recurrent(
      tape,
      lane.label,
      steps[t],
      [{ ...lane, reverse: false, initialH: h, initialMemory: memory }],
      { cell, regularization, lengths: present[t] },
    );
    [h, memory] = [finalH, finalMemory];
    states.h[t + 1] = h;
    if (memory.length > 0) states.c[t + 1] = memory[0];
  }
  collect(states);
  return {
    y: concat(
      tape,
      `${lane.label}.y`,
      states.h.slice(1).map((v) => v.reshaped([1, B, H])),
      0,
    ),
    finalH: h,
    finalMemory: memory,
  };
}
