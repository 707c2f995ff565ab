/**
 * Runs a recurrent layer over a whole sequence as one differentiable op: in one direction, in both at once, or as
 * several stacked layers.
 *
 * Letters: T steps, B rows of the batch, I inputs, H units, G gates. Gates of a unit lie side by side, so the rows of
 * both weights are ordered [unit, gate]; `Parameter` converts from and to the gate-major order of files. Lanes
 * (directions or layers) and segments (parts of the sequence) are those of `kernels/lanes.ts`.
 */
import { phasesOf, type Cell } from "./cells/cell.ts";
import { carryNumbers, memoryNumbers } from "./cells/memory.ts";
import { align } from "../kernels/kernel.ts";
import { cStart, firstInTime, hSize, hStart, laneStart, type Segment } from "./kernels/lanes.ts";
import { matrixRows, weightWidth, type KernelForm } from "./kernels/recurrent-kernel.ts";
import { subview, type Recording, type View } from "../recording/recording.ts";
import { sizeOf } from "../tensor/shape.ts";
import { strategyFor, takesWavefront } from "./choose.ts";
import { weightAndBias } from "../autodiff/linear.ts";
import { copyElements, laneInput, type LaneInput, type RecurrentWeights } from "./input.ts";
import { halves as halfStorage, perUnit as perUnitCode, stacking } from "./parts.ts";
import { recurrentProducts } from "./products.ts";
import { recurrenceOf, type Recurrence } from "./recurrence.ts";
import type { Regularization } from "./row.ts";
import { keepsGates, segmentsOf } from "./segments.ts";
import type { Tape, Variable } from "../autodiff/tape.ts";
import { laneBuffer, type LaneBuffer } from "./lane-buffer.ts";
import { strategies } from "./strategies/all-strategies.ts";
import type { SegmentBuffers, Strategy } from "./strategies/strategy.ts";

/** One direction of a layer, or one of the stacked layers. */
export interface Lane {
  readonly label: string;
  readonly weights: RecurrentWeights;
  /** Whether the lane runs from the last step to the first. */
  readonly reverse: boolean;
  /** [B, H]; zeros if left out. */
  readonly initialH?: Variable;
  /** Initial values of the other states, in the order of `Cell.states`. */
  readonly initialMemory?: readonly (Variable | undefined)[];
}

export interface RecurrentOptions {
  readonly cell: Cell;
  /** The steps that each row has, u32; see `hasStep` of lanes.ts. */
  readonly lengths: View;
  /** Whether rows may also lack steps before their end (default false). */
  readonly hasGaps?: boolean;
  /** Normalisation, zoneout or recurrent dropout; stacked layers have none. */
  readonly regularization?: Regularization;
  /** The lanes are layers. Each reads the outputs of the one before, and they share dispatches. This needs `canStack`. */
  readonly stacked?: boolean;
}

export interface RecurrentResult {
  /** [T, B, H]; at a step that a row lacks, its last state. Use only the last one of stacked layers. */
  readonly y: Variable;
  /** [B, H], the state after the last step. Final states are not aligned: copy or download them, do not bind them. */
  readonly finalH: Variable;
  readonly finalMemory: readonly Variable[];
}

/** Whether `layers` layers of one direction, with nothing between them, share their dispatches. */
export function canStack(tape: Tape, cell: Cell, { T, B, H }: { T: number; B: number; H: number }, layers: number): boolean {
  const { strategy, differentiates } = tape.options;
  const [G, phases, recomputes, linear] = [cell.gateNames.length, phasesOf(cell), !keepsGates(tape.options), cell.isLinear];
  return takesWavefront(strategy, { T, B, H, G, phases, layers, linear, recomputes, training: differentiates }, tape.recording.target);
}

/** A computed segment. */
interface Computed extends SegmentBuffers {
  /** One lane's gates. */
  readonly lane: (n: number) => View;
  /** Further numbers that the recurrence needs in the backward pass. */
  readonly saved?: View;
  /** Makes the gates again, if they were not kept. */
  readonly restore?: () => Computed;
}

/** @param x [T, B, I] */
export function recurrent(tape: Tape, label: string, x: Variable, lanes: readonly Lane[], options: RecurrentOptions): RecurrentResult[] {
  return new RecurrentOp(tape, label, x, lanes, options).record();
}

/** The buffers of one op, its forward commands and its vector-Jacobian product. */
class RecurrentOp {
  private readonly recording: Recording;
  /** The whole sequence as one segment. */
  private readonly whole: Segment;
  private readonly segments: readonly { first: number; steps: number }[];
  private readonly recurrence: Recurrence;
  private readonly h: View;
  private readonly c: View;
  private readonly forwardWeights: LaneBuffer;
  private readonly backwardWeights: LaneBuffer;
  private readonly inputs: readonly LaneInput[];
  private readonly form: KernelForm;
  private readonly roundedWeights: { forward?: View; backward?: View } = {};

  constructor(
    private readonly tape: Tape,
    private readonly label: string,
    private readonly x: Variable,
    private readonly lanes: readonly Lane[],
    private readonly options: RecurrentOptions,
  ) {
    const { cell, stacked, hasGaps } = options;
    const recording = (this.recording = tape.recording);
    const [T, B] = x.shape;
    const H = lanes[0].weights.inputWeight.shape[0] / this.G;
    const size = B * H;
    const count = lanes.length;
    const reverse = lanes.reduce((bits, lane, n) => bits | (lane.reverse ? 1 << n : 0), 0);
    // The outputs of a forward lane start behind its first slot; hBase aligns that place.
    this.whole = { lanes: count, T, B, H, reverse, hBase: align(size) - size, first: 0, steps: T };
    this.segments = segmentsOf(label, T, (laneStart(count - 1, size) + size) * this.G, tape);
    const { recurrentWeight } = lanes[0].weights;
    const heads = recurrentWeight && H / recurrentWeight.shape[1];
    const { regularization } = options;
    const shares = recording.target.isGpu && (heads ?? 1) === 1 && !regularization;
    const shared = shares ? recording.target.mostThreads : undefined;
    // A GPU waits for weights less if they are half as long. A CPU would unpack each of them at every step.
    const half = tape.options.halves && recording.target.kind === "webgpu";
    this.form = { stacked, heads, half, gaps: hasGaps, shared };
    const site = { tape, label, cell, whole: this.whole, lanes, form: this.form, regularization };
    this.recurrence = recurrenceOf(stacked ? strategies.wavefront : this.strategy(count, regularization), site);
    const states = memoryNumbers(cell);
    this.h = recording.buffer(`${label}.h`, [laneStart(count - 1, hSize(this.whole)) + hSize(this.whole)]);
    this.c = cell.usesC
      ? laneBuffer(recording, `${label}.c`, count, [T + 1, ...(states > 1 ? [states] : []), B, H]).whole
      : recording.buffer(`${label}.c.unused`, [1]);
    const { weightRows } = this.recurrence;
    const matrices = stacked ? 2 * count - 1 : count;
    this.forwardWeights = laneBuffer(recording, `${label}.weights.forward`, matrices, [weightRows.forward, H, this.width], this.width);
    this.backwardWeights = laneBuffer(
      recording,
      `${label}.weights.backward`,
      matrices,
      tape.differentiates ? [weightRows.backward, H, this.width] : [this.width],
      this.width,
    );
    this.inputs = lanes.map((lane, n) => this.inputOf(lane, n));
  }

  private strategy(lanes: number, regularization: Regularization | undefined): Strategy {
    const {
      tape: { options, recording },
      G,
      whole: { T, B, H },
      options: { cell },
    } = this;
    const regularized = !regularization ? "none" : regularization.normalization === "batch" ? "batch" : "row";
    const shape = {
      T,
      B,
      H,
      G,
      phases: phasesOf(cell),
      lanes,
      linear: cell.isLinear,
      regularized,
      training: options.differentiates,
    } as const;
    return strategyFor(this.label, options.strategy, shape, recording.target);
  }

  private get G(): number {
    return this.options.cell.gateNames.length;
  }

  /** Numbers of a unit in a row of the packed weights. */
  private get width(): number {
    return weightWidth(this.G, this.form);
  }

  private inputOf({ label, weights: all }: Lane, n: number): LaneInput {
    const {
      tape,
      x,
      whole,
      form,
      options: { cell, lengths, stacked },
    } = this;
    const { H } = whole;
    const weights = this.recurrence.ownsBiases ? { ...all, inputBias: undefined } : all;
    const packed = (part: number) => ({
      forward: this.forwardWeights.of(part),
      backward: this.backwardWeights.of(part),
      H,
      width: this.width,
      biasRow: matrixRows(cell, H, form),
      rest: () => this.packRest(all, part),
      restOf: this.recurrence.rowParts(all, "forward").map(({ values }) => values),
    });
    if (!stacked || n === 0) return laneInput(tape, label, x, () => this.shareInput(), weights, packed(n), lengths);
    const below = { view: this.h, offset: hStart(n - 1, whole) + whole.B * H };
    return stacking.now.stackedInput(
      tape,
      label,
      below,
      weights,
      { recurrent: packed(n), input: packed(whole.lanes + n - 1) },
      whole.T * whole.B,
      lengths,
    );
  }

  /** Packs the rows behind U and b_hh, for both passes. */
  private packRest(weights: RecurrentWeights, lane: number): void {
    const {
      tape,
      recording,
      recurrence,
      width,
      whole: { H },
    } = this;
    for (const pass of tape.differentiates ? (["forward", "backward"] as const) : (["forward"] as const)) {
      const packed = (pass === "forward" ? this.forwardWeights : this.backwardWeights).of(lane);
      // A norm has rows that a layer without biases leaves empty.
      if (recurrence.ownsBiases)
        recording.clearFirst(subview(packed, (H + 1) * H * width, [recurrence.weightRows[pass] - H - 1, H, width]));
      for (const { row, values, first } of recurrence.rowParts(weights, pass)) {
        const numbers = sizeOf(values.shape) / H;
        copyElements(recording, values.view, packed, H, { numbers, to: width, toOffset: row * H * width + first });
      }
    }
  }

  /** Lanes of opposite directions reach the same rows of x in different segments, so each can only add to the gradient. */
  private shareInput(): ReturnType<Tape["share"]> {
    const place = this.tape.share(this.x);
    if (place.accumulate === 1 || this.lanes.length === 1 || this.segments.length === 1) return place;
    this.recording.clearFirst(place.view);
    return { ...place, accumulate: 1 };
  }

  private hSlot(lane: number, slot: number): View {
    const { B, H } = this.whole;
    return subview(this.h, hStart(lane, this.whole) + slot * B * H, [B, H]);
  }

  /** The slot of a state besides h. */
  private memorySlot(lane: number, slot: number, state: number): View {
    const { B, H } = this.whole;
    const states = memoryNumbers(this.options.cell);
    return subview(this.c, cStart(lane, this.whole, states) + (slot * states + state) * B * H, [B, H]);
  }

  record(): RecurrentResult[] {
    const {
      tape,
      recording,
      whole: { T, B, H, lanes: count },
      options: { cell, stacked },
    } = this;
    this.lanes.forEach(({ reverse, initialH, initialMemory }, n) => {
      const first = reverse ? T : 0;
      setFirst(recording, initialH, this.hSlot(n, first));
      cell.states.forEach((_, s) => setFirst(recording, initialMemory?.[s], this.memorySlot(n, first, s)));
    });
    this.recurrence.begin?.(this.h);
    const computed = this.segments.map((part) => this.compute("gates", part));
    const dy = count > 1 && !stacked && tape.differentiates ? laneBuffer(recording, `${this.label}.dy`, count, [T, B, H]) : undefined;
    const results = this.lanes.map((lane, n): RecurrentResult => {
      // A layer in a stack depends on x through the layers below it.
      const sources = [
        this.x,
        ...this.lanes.flatMap(({ weights: { gains, ...weights }, initialH, initialMemory = [] }) => [
          ...(Object.values({ ...weights, ...gains }) as (Variable | undefined)[]),
          initialH,
          ...initialMemory,
        ]),
      ];
      const last = lane.reverse ? 0 : T;
      const outputs = subview(this.hSlot(n, lane.reverse ? 0 : 1), 0, [T, B, H]);
      return {
        y: tape.result(`${lane.label}.y`, [T, B, H], sources, outputs, dy?.of(n)),
        finalH: tape.result(`${lane.label}.final.h`, [B, H], sources, this.hSlot(n, last)),
        finalMemory: cell.states.map((name, s) => tape.result(`${lane.label}.final.${name}`, [B, H], sources, this.memorySlot(n, last, s))),
      };
    });
    const outputs = results.flatMap(({ y, finalH, finalMemory }) => [y, finalH, ...finalMemory]);
    tape.record(outputs, () => this.differentiate(computed, results, dy));
    return results;
  }

  /** Computes gates and states of a segment, from its inputs and the states before it. */
  private compute(name: string, part: { first: number; steps: number }, again = false): Computed {
    const {
      tape,
      options: { lengths },
    } = this;
    const segment = { ...this.whole, ...part };
    const gates = this.gatesBuffer(name, part.steps);
    this.inputs.forEach((input, n) => input.project(gates.of(n), firstInTime(n, segment), part.steps));
    const buffers = { segment, gates: gates.whole, h: this.h, c: this.c, lengths };
    const saved = this.recurrence.forward(buffers, this.packed("forward"), name, again);
    const computed = { ...buffers, lane: gates.of, saved };
    if (keepsGates(tape.options) || this.segments.length === 1) return computed;
    // Half precision cannot tell a clipped gate from others, so these gates are computed again too.
    if (tape.options.recompute || this.options.cell.functions?.clip) return { ...computed, restore: () => this.compute(name, part, true) };
    const halves = this.halves(`${name}.half`, gates.whole, 2);
    return {
      ...computed,
      restore: () => {
        const again = this.gatesBuffer(name, part.steps);
        this.unpack(halves, again.whole, 2);
        return { ...buffers, gates: again.whole, lane: again.of };
      },
    };
  }

  private gatesBuffer(name: string, steps: number): LaneBuffer {
    const { B, H, lanes } = this.whole;
    return laneBuffer(this.recording, `${this.label}.${name}`, lanes, [steps, B, H, this.G], this.G);
  }

  /** Copies `x` in half precision. */
  private halves(name: string, x: View, width: number): View {
    const length = sizeOf(x.shape);
    const y = this.recording.buffer(`${this.label}.${name}`, [halfStorage.now.halfLength(length, width)], "transient", "u32");
    this.recording.dispatch(halfStorage.now.toHalf, { x, y }, { length, width });
    return y;
  }

  /** Copies halves to `y` in single precision. */
  private unpack(halves: View, y: View, width: number): View {
    this.recording.dispatch(halfStorage.now.fromHalf, { x: halves, y }, { length: sizeOf(y.shape), width });
    return y;
  }

  /** The weights that a pass reads. The inputs must have packed them. */
  private packed(pass: "forward" | "backward"): View {
    const { whole } = pass === "forward" ? this.forwardWeights : this.backwardWeights;
    if (!this.tape.options.halves) return whole;
    return (this.roundedWeights[pass] ??= this.recording.derive([whole], () => {
      const name = `weights.${pass}`;
      const halves = this.halves(`${name}.half`, whole, this.width);
      return this.form.half ? halves : this.unpack(halves, this.recording.buffer(`${this.label}.${name}.rounded`, whole.shape), this.width);
    }));
  }

  private differentiate(computed: readonly Computed[], results: readonly RecurrentResult[], dy: LaneBuffer | undefined): void {
    const {
      tape,
      recording,
      recurrence,
      lanes,
      form,
      whole: { B, H, lanes: count },
      options: { cell },
    } = this;
    const carry = laneBuffer(recording, `${this.label}.carry`, count, recurrence.carry.shape, recurrence.carry.width);
    recording.clearFirst(carry.whole);
    const width = carryNumbers(cell);
    results.forEach(({ finalH, finalMemory }, n) =>
      [finalH, ...finalMemory].forEach((final, state) => {
        if (final.gradient) copyElements(recording, final.gradient, carry.of(n), B * H, { to: width, toOffset: state });
      }),
    );
    const cotangents = { weights: this.packed("backward"), dy: this.outputGradient(results, dy), carry: carry.whole };
    const wantsInitial = lanes.some(({ initialH, initialMemory = [] }) => [initialH, ...initialMemory].some((v) => v?.needsGradient));
    for (let s = computed.length - 1; s >= 0; s--) {
      const { lane: gatesOf, saved, restore: _, ...buffers } = computed[s].restore?.() ?? computed[s];
      const { segment } = buffers;
      const recurrentSideOf = recurrence.backward(buffers, saved, cotangents, s > 0 || wantsInitial);
      const operands = { ...buffers, h: recurrence.operand ?? this.h };
      lanes.forEach(({ weights: { recurrentWeight, recurrentBias, perUnit } }, n) => {
        const recurrentSide = recurrentSideOf(n);
        const place =
          recurrentWeight &&
          weightAndBias(tape, recurrentWeight, recurrence.ownsBiases ? undefined : recurrentBias, recurrentSide, segment.steps * B);
        if (place) recurrentProducts(recording, cell, operands, n, recurrentSide, form.heads ?? 1, place);
        if (perUnit?.needsGradient) perUnitCode.now.perUnitProducts(recording, cell, buffers, n, gatesOf(n), tape.share(perUnit));
        this.inputs[n].collect(gatesOf(n), firstInTime(n, segment), segment.steps);
      });
    }
    for (const input of this.inputs) input.finish();
    recurrence.finish?.(tape, carry.whole);
    // In the end, the carry holds ∂L/∂h_0 and ∂L/∂c_0.
    lanes.forEach(({ initialH, initialMemory = [] }, n) =>
      [initialH, ...initialMemory].forEach((initial, state) => {
        if (!initial?.needsGradient) return;
        const { view, accumulate } = tape.share(initial);
        copyElements(recording, carry.of(n), view, B * H, { from: width, fromOffset: state, accumulate });
      }),
    );
  }

  /** ∂L/∂y of all lanes in one buffer; for stacked layers, that of the last one. */
  private outputGradient(results: readonly RecurrentResult[], dy: LaneBuffer | undefined): View {
    const {
      recording,
      whole: { T, B, H },
    } = this;
    if (!dy) return results[results.length - 1].y.gradient ?? recording.buffer(`${this.label}.dy.none`, [T, B, H], "constant");
    results.forEach(({ y }, n) => {
      if (!y.gradient) recording.clearFirst(dy.of(n));
      else if (y.gradient.buffer !== dy.whole.buffer) copyElements(recording, y.gradient, dy.of(n), T * B * H, {});
    });
    return dy.whole;
  }
}

function setFirst(recording: Recording, initial: Variable | undefined, slot: View): void {
  if (initial) recording.copyFirst(initial.view, slot);
  else recording.clearFirst(slot);
}
