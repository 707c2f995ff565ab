/**
 * A recurrent layer over a whole sequence, in one direction or in both at once, as one differentiable op.
 *
 * Letters: T steps, B rows of the batch, I inputs, H units, G gates. Gates of a unit lie side by side, so the rows of
 * both weights are ordered [unit, gate]; `io` converts from and to the gate-major order of files. Lanes (directions)
 * and segments (parts of the sequence) are those of `kernels/recurrent-lanes.ts`.
 */
import { RnnError } from "../errors.ts";
import { align } from "../kernels/kernel.ts";
import { cStart, firstInTime, hSize, hStart, laneStart, type Segment } from "../kernels/recurrent-lanes.ts";
import { stridedCopy } from "../kernels/strided-copy.ts";
import { subview, type Recording, type View } from "../recording/recording.ts";
import { sizeOf, type Shape } from "../tensor/shape.ts";
import { weightAndBias } from "./linear.ts";
import { laneInput, type RecurrentWeights } from "./recurrent-input.ts";
import { checkedStrategy, chooseStrategy, layoutOf, recordBackward, recordForward, recurrentProducts, type RecurrentCell, type SegmentBuffers } from "./recurrent-strategy.ts";
import type { Tape, Variable } from "./tape.ts";

/** One direction of a layer. */
export interface Lane {
  readonly label: string;
  readonly weights: RecurrentWeights;
  /** From the last step to the first. */
  readonly reverse: boolean;
  /** [B, H]; zeros if left out. */
  readonly initialH?: Variable;
  readonly initialC?: Variable;
}

export interface RecurrentOptions {
  readonly cell: RecurrentCell;
  /** [B] u32: steps of each row. */
  readonly lengths: View;
}

export interface RecurrentResult {
  /** [T, B, H]; rows past their length repeat their last state. */
  readonly y: Variable;
  /** [B, H], the state after the last step. Their views are not aligned: copy or download them, do not bind them. */
  readonly finalH: Variable;
  readonly finalC?: Variable;
}

/** With `recompute` a layer keeps the gates of an eighth of its steps at a time, but of no fewer than this. */
const leastRecomputed = 8;

/**
 * The parts in which a sequence is computed: one if its gates fit a buffer and are to be kept.
 * @throws RnnError `limit` if not even one step fits
 */
function segmentsOf(label: string, T: number, gatesPerStep: number, { recompute, mostElements = Infinity }: Tape["options"]): { first: number; steps: number }[] {
  const fitting = Math.floor(mostElements / gatesPerStep);
  if (fitting < 1) throw new RnnError("limit", label, `the gates of one step are ${gatesPerStep} numbers, more than the ${mostElements} that fit a buffer of this device; use a smaller batch`);
  const most = Math.min(fitting, recompute ? Math.max(leastRecomputed, Math.ceil(T / 8)) : T);
  // Of nearly equal size.
  const steps = Math.ceil(T / Math.ceil(T / most));
  return Array.from({ length: Math.ceil(T / steps) }, (_, s) => ({ first: s * steps, steps: Math.min(steps, T - s * steps) }));
}

/** A buffer with a share for each lane of `size` units of `width` numbers; one lane's has its own shape. */
function laneBuffer(recording: Recording, label: string, lanes: number, shape: Shape, width = 1): { whole: View; of: (lane: number) => View } {
  const size = sizeOf(shape) / width;
  const whole = recording.buffer(label, lanes === 1 ? shape : [(laneStart(lanes - 1, size) + size) * width]);
  return { whole, of: (lane) => subview(whole, laneStart(lane, size) * width, shape) };
}

/** @param x [T, B, I] */
export function recurrent(tape: Tape, label: string, x: Variable, lanes: readonly Lane[], { cell, lengths }: RecurrentOptions): RecurrentResult[] {
  const { recording } = tape;
  const { hasMemory, usesC, splitsRecurrentGradient } = layoutOf(cell);
  const [T, B] = x.shape;
  const G = cell.gateNames.length;
  const H = lanes[0].weights.recurrentWeight.shape[1];
  const size = B * H;
  const count = lanes.length;
  const reverse = lanes.reduce((bits, lane, n) => bits | (lane.reverse ? 1 << n : 0), 0);
  // Outputs of a lane that goes forwards start behind its first slot; the base makes that an aligned place.
  const whole: Segment = { lanes: count, T, B, H, reverse, hBase: align(size) - size, first: 0, steps: T };
  const strategy = checkedStrategy(label, tape.options.strategy ?? chooseStrategy(H), H);

  const h = recording.buffer(`${label}.h`, [laneStart(count - 1, hSize(whole)) + hSize(whole)]);
  const c = usesC ? laneBuffer(recording, `${label}.c`, count, [T + 1, B, H]).whole : recording.buffer(`${label}.c.unused`, [1]);
  const hSlot = (lane: number, slot: number): View => subview(h, hStart(lane, whole) + slot * size, [B, H]);
  const cSlot = (lane: number, slot: number): View => subview(c, cStart(lane, whole) + slot * size, [B, H]);
  lanes.forEach(({ reverse, initialH, initialC }, n) => {
    const first = reverse ? T : 0;
    setFirst(recording, initialH, hSlot(n, first));
    if (hasMemory) setFirst(recording, initialC, cSlot(n, first));
  });

  const forwardWeights = laneBuffer(recording, `${label}.weights.forward`, count, [H + 1, H, G], G);
  const backwardWeights = laneBuffer(recording, `${label}.weights.backward`, count, tape.differentiates ? [H, H, G] : [G], G);
  const segments = segmentsOf(label, T, (laneStart(count - 1, size) + size) * G, tape.options);
  const inputs = lanes.map((lane, n) => laneInput(tape, lane.label, x, shareInput, lane.weights, { forward: forwardWeights.of(n), backward: backwardWeights.of(n) }, lengths));

  /** Gates and states of a segment, from its inputs and the states before it. */
  const compute = (name: string, part: { first: number; steps: number }): SegmentBuffers & { lane: (n: number) => View } => {
    const segment = { ...whole, ...part };
    const gates = laneBuffer(recording, `${label}.${name}`, count, [part.steps, B, H, G], G);
    inputs.forEach((input, n) => input.project(gates.of(n), firstInTime(n, segment), part.steps));
    const buffers = { segment, gates: gates.whole, h, c, lengths };
    recordForward(recording, strategy, cell, buffers, forwardWeights.whole);
    return { ...buffers, lane: gates.of };
  };
  const computed = segments.map((part) => compute("gates", part));

  const dy = count > 1 && tape.differentiates ? laneBuffer(recording, `${label}.dy`, count, [T, B, H]) : undefined;
  const results = lanes.map((lane, n): RecurrentResult => {
    const sources = [x, ...Object.values(lane.weights) as (Variable | undefined)[], lane.initialH, lane.initialC];
    const last = lane.reverse ? 0 : T;
    return {
      y: tape.result(`${lane.label}.y`, [T, B, H], sources, subview(h, hStart(n, whole) + (lane.reverse ? 0 : size), [T, B, H]), dy?.of(n)),
      finalH: tape.result(`${lane.label}.final.h`, [B, H], sources, hSlot(n, last)),
      finalC: hasMemory ? tape.result(`${lane.label}.final.c`, [B, H], sources, cSlot(n, last)) : undefined,
    };
  });

  const outputs = results.flatMap(({ y, finalH, finalC }) => (finalC ? [y, finalH, finalC] : [y, finalH]));
  tape.record(outputs, () => {
    const carry = laneBuffer(recording, `${label}.carry`, count, [B, H, 2], 2);
    recording.clearFirst(carry.whole);
    results.forEach(({ finalH, finalC }, n) => [finalH, finalC].forEach((final, half) => {
      if (final?.gradient) copyHalf(recording, final.gradient, carry.of(n), size, { to: half });
    }));
    const cotangents = { weights: backwardWeights.whole, dy: outputGradient(), carry: carry.whole };
    const wantsInitial = lanes.some(({ initialH, initialC }) => [initialH, initialC].some((v) => v?.needsGradient));
    for (let s = segments.length - 1; s >= 0; s--) {
      const again = tape.options.recompute && segments.length > 1;
      const { lane: gatesOf, ...buffers } = again ? compute("gates.again", segments[s]) : computed[s];
      const { segment } = buffers;
      const dRecurrent = laneBuffer(recording, `${label}.dRecurrent`, count, splitsRecurrentGradient ? [segment.steps, B, H, G] : [G], G);
      recordBackward(recording, strategy, cell, buffers, { ...cotangents, dRecurrent: dRecurrent.whole }, s > 0 || wantsInitial);
      lanes.forEach(({ weights: { recurrentWeight, recurrentBias } }, n) => {
        const recurrentSide = splitsRecurrentGradient ? dRecurrent.of(n) : gatesOf(n);
        const place = weightAndBias(tape, recurrentWeight, recurrentBias, recurrentSide, segment.steps * B);
        if (place) recurrentProducts(recording, cell, buffers, n, recurrentSide, place);
        inputs[n].collect(gatesOf(n), firstInTime(n, segment), segment.steps);
      });
    }
    for (const input of inputs) input.finish();
    // ∂L/∂h_0 and ∂L/∂c_0 are what the carry holds in the end.
    lanes.forEach(({ initialH, initialC }, n) => [initialH, initialC].forEach((initial, half) => {
      if (!initial?.needsGradient) return;
      const { view, accumulate } = tape.share(initial);
      copyHalf(recording, carry.of(n), view, size, { from: half, accumulate });
    }));
  });
  return results;

  /** Segments of lanes that go against each other meet in x in any order: they can only add to its gradient. */
  function shareInput(): ReturnType<Tape["share"]> {
    const place = tape.share(x);
    if (place.accumulate === 1 || count === 1 || segments.length === 1) return place;
    recording.clearFirst(place.view);
    return { ...place, accumulate: 1 };
  }

  /** ∂L/∂y of all lanes in one buffer. */
  function outputGradient(): View {
    if (!dy) return results[0].y.gradient ?? recording.buffer(`${label}.dy.none`, [T, B, H], "constant");
    results.forEach(({ y }, n) => {
      if (!y.gradient) recording.clearFirst(dy.of(n));
      else if (y.gradient.buffer !== dy.whole.buffer) copyElements(recording, y.gradient, dy.of(n), T * size, { from: 1, to: 1 });
    });
    return dy.whole;
  }
}

function setFirst(recording: Recording, initial: Variable | undefined, slot: View): void {
  if (initial) recording.copyFirst(initial.view, slot);
  else recording.clearFirst(slot);
}

/** Copies all of a state from or to its half (0: h, 1: c) of the carry. */
function copyHalf(recording: Recording, input: View, output: View, size: number, { from, to, accumulate = 0 }: { from?: number; to?: number; accumulate?: 0 | 1 }): void {
  copyElements(recording, input, output, size, { from: from === undefined ? 1 : 2, fromOffset: from, to: to === undefined ? 1 : 2, toOffset: to, accumulate });
}

function copyElements(recording: Recording, input: View, output: View, count: number, { from, to, fromOffset = 0, toOffset = 0, accumulate = 0 }: { from: number; to: number; fromOffset?: number; toOffset?: number; accumulate?: 0 | 1 }): void {
  recording.dispatch(stridedCopy, { input, output }, { size0: count, size1: 1, size2: 1, fromOffset, from0: from, from1: 0, from2: 0, toOffset, to0: to, to1: 0, to2: 0, accumulate });
}
