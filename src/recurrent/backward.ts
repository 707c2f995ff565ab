/** The backward pass of a recurrent op: BPTT of each segment, the last one first, then the gradients that follow from it. */
import { weightAndBias } from "../autodiff/linear.backward.ts";
import type { Variable } from "../autodiff/tape.ts";
import type { View } from "../recording/recording.ts";
import { carryNumbers } from "./cells/memory.ts";
import { inputGradients, type InputGradients } from "./input.backward.ts";
import { copyElements, type LaneInput } from "./input.ts";
import { firstInTime } from "./kernels/lanes.ts";
import { laneBuffer, type LaneBuffer } from "./lane-buffer.ts";
import type { OpWeights } from "./op-weights.ts";
import { perUnit as perUnitCode } from "./parts.ts";
import { recurrentProducts, stateRows } from "./products.ts";
import { plainBackward } from "./plain.backward.ts";
import type { Recurrence } from "./recurrence.ts";
import type { Lane, RecurrentResult } from "./sequence.ts";
import type { Cotangents, SegmentBuffers, Site, Strategy } from "./strategies/strategy.ts";

/** A segment whose forward pass has been recorded. */
export interface ComputedSegment extends SegmentBuffers {
  /** One lane's gates. */
  readonly lane: (n: number) => View;
  /** Further numbers that the recurrence needs in the backward pass. */
  readonly saved?: View;
  /** Makes the gates again, if they were not kept. */
  readonly restore?: () => ComputedSegment;
}

/** What the backward pass needs of the forward pass. */
export interface ForwardPass {
  readonly site: Site;
  readonly lanes: readonly Lane[];
  readonly strategy: Strategy;
  readonly recurrence: Recurrence;
  readonly weights: OpWeights;
  readonly inputs: readonly LaneInput[];
  readonly segments: readonly ComputedSegment[];
  readonly results: readonly RecurrentResult[];
  /** The place of ∂L/∂y of all lanes, if there are several results. */
  readonly dy: LaneBuffer | undefined;
}

/** Records the backward pass. */
export function recurrentBackward(pass: ForwardPass): void {
  const {
    site: { tape, label, whole },
    recurrence,
    weights,
    segments,
  } = pass;
  const carry = laneBuffer(tape.recording, `${label}.carry`, whole.lanes, recurrence.carry.shape, recurrence.carry.width);
  tape.recording.clearFirst(carry.whole);
  addFinals(pass, carry);
  const cotangents = { weights: weights.readBy("backward"), dy: outputGradient(pass), carry: carry.whole };
  const wantsInitial = pass.lanes.some((lane) => initialsOf(lane).some((v) => v?.needsGradient));
  const inputs = pass.inputs.map(({ product }) => inputGradients(tape, product, whole.B));
  for (let s = segments.length - 1; s >= 0; s--) backThrough(pass, inputs, segments[s], cotangents, s > 0 || wantsInitial);
  for (const input of inputs) input.finish();
  recurrence.finish?.(tape, carry.whole);
  shareInitials(pass, carry);
}

const initialsOf = ({ initialH, initialMemory = [] }: Lane): (Variable | undefined)[] => [initialH, ...initialMemory];

/** The carry begins with the gradients of the final states. */
function addFinals({ site, results }: ForwardPass, carry: LaneBuffer): void {
  const {
    tape: { recording },
    cell,
    whole: { B, H },
  } = site;
  results.forEach(({ finalH, finalMemory }, n) =>
    [finalH, ...finalMemory].forEach((final, state) => {
      if (final.gradient) copyElements(recording, final.gradient, carry.of(n), B * H, { to: carryNumbers(cell), toOffset: state });
    }),
  );
}

/** In the end, the carry holds the gradients of the initial states. */
function shareInitials({ site, lanes }: ForwardPass, carry: LaneBuffer): void {
  const {
    tape,
    cell,
    whole: { B, H },
  } = site;
  lanes.forEach((lane, n) =>
    initialsOf(lane).forEach((initial, state) => {
      if (!initial?.needsGradient) return;
      const { view, accumulate } = tape.share(initial);
      copyElements(tape.recording, carry.of(n), view, B * H, { from: carryNumbers(cell), fromOffset: state, accumulate });
    }),
  );
}

/** Records BPTT of a segment, then its share of all gradients. @param tail whether the carry must reach the state before it */
function backThrough(
  { site, lanes, strategy, recurrence }: ForwardPass,
  inputs: readonly InputGradients[],
  computed: ComputedSegment,
  cotangents: Cotangents,
  tail: boolean,
): void {
  const { tape, cell, whole, form } = site;
  const { lane: gatesOf, saved, restore: _, ...buffers } = computed.restore?.() ?? computed;
  const { segment } = buffers;
  const recurrentSideOf =
    recurrence.backward?.(buffers, saved, cotangents, tail) ?? plainBackward(site, strategy, buffers, cotangents, tail);
  const operands = { ...buffers, h: recurrence.operand ?? buffers.h };
  lanes.forEach(({ weights: { recurrentWeight, recurrentBias, perUnit } }, n) => {
    const recurrentSide = recurrentSideOf(n);
    const place =
      recurrentWeight &&
      weightAndBias(tape, recurrentWeight, recurrence.ownsBiases ? undefined : recurrentBias, recurrentSide, segment.steps * whole.B);
    if (place) recurrentProducts(tape.recording, cell, operands, n, recurrentSide, form.heads ?? 1, place);
    if (perUnit?.needsGradient)
      perUnitCode.now.perUnitProducts(tape.recording, cell, buffers, n, stateRows(n, segment), gatesOf(n), tape.share(perUnit));
    inputs[n].collect(gatesOf(n), firstInTime(n, segment), segment.steps);
  });
}

/** ∂L/∂y of all lanes in one buffer; for stacked layers, that of the last one. */
function outputGradient({ site, results, dy }: ForwardPass): View {
  const {
    tape: { recording },
    label,
    whole: { T, B, H },
  } = site;
  if (!dy) return results[results.length - 1].y.gradient ?? recording.buffer(`${label}.dy.none`, [T, B, H], "constant");
  results.forEach(({ y }, n) => {
    if (!y.gradient) recording.clearFirst(dy.of(n));
    else if (y.gradient.buffer !== dy.whole.buffer) copyElements(recording, y.gradient, dy.of(n), T * B * H, {});
  });
  return dy.whole;
}
