/**
 * Runs a recurrent layer over a whole sequence as one differentiable op: in one direction, in both at once, or as
 * several stacked layers.
 *
 * Letters: T steps, B rows of the batch, I inputs, H units, G gates. Gates of a unit lie side by side, so the rows of
 * both weights are ordered [unit, gate]; `Parameter` converts from and to the gate-major order of files. Lanes
 * (directions or layers) and segments (parts of the sequence) are those of `kernels/lanes.ts`.
 */
import type { Tape, Variable } from "../autodiff/tape.ts";
import { align } from "../kernels/kernel.ts";
import { subview, type Recording, type View } from "../recording/recording.ts";
import type { ComputedSegment } from "./backward.ts";
import type { Cell } from "./cells/cell.ts";
import { memoryNumbers } from "./cells/memory.ts";
import { laneInput, type LaneInput, type RecurrentWeights } from "./input.ts";
import { cStart, firstInTime, hSize, hStart, laneStart } from "./kernels/lanes.ts";
import { laneBuffer, type LaneBuffer } from "./lane-buffer.ts";
import { strategyOf } from "./op-strategy.ts";
import { OpWeights } from "./op-weights.ts";
import { halves, stacking } from "./parts.ts";
import { recurrenceOf, type Recurrence } from "./recurrence.ts";
import type { Regularization } from "./regularized.ts";
import { keepsGates, segmentsOf } from "./segments.ts";
import { strategies } from "./strategies/all-strategies.ts";
import type { Site, Strategy } from "./strategies/strategy.ts";

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
  /** The steps that each row has, u32; see `hasBits` in kernels/lanes.ts. */
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

/** @param x [T, B, I] */
export function recurrent(tape: Tape, label: string, x: Variable, lanes: readonly Lane[], options: RecurrentOptions): RecurrentResult[] {
  return new RecurrentOp(tape, label, x, lanes, options).record();
}

/** The buffers of one op, and its forward commands. */
class RecurrentOp {
  private readonly recording: Recording;
  private readonly site: Site;
  private readonly segments: readonly { first: number; steps: number }[];
  private readonly strategy: Strategy;
  private readonly recurrence: Recurrence;
  private readonly h: View;
  private readonly c: View;
  private readonly weights: OpWeights;
  private readonly inputs: readonly LaneInput[];

  constructor(
    private readonly tape: Tape,
    private readonly label: string,
    private readonly x: Variable,
    private readonly lanes: readonly Lane[],
    private readonly options: RecurrentOptions,
  ) {
    const { cell, stacked, hasGaps, regularization } = options;
    const recording = (this.recording = tape.recording);
    const [T, B] = x.shape;
    const H = lanes[0].weights.inputWeight.shape[0] / this.G;
    const size = B * H;
    const count = lanes.length;
    const reverse = lanes.reduce((bits, lane, n) => bits | (lane.reverse ? 1 << n : 0), 0);
    // The outputs of a forward lane start behind its first slot; hBase aligns that place.
    const whole = { lanes: count, T, B, H, reverse, hBase: align(size) - size, first: 0, steps: T };
    this.segments = segmentsOf(label, T, (laneStart(count - 1, size) + size) * this.G, tape);
    const { recurrentWeight } = lanes[0].weights;
    const heads = recurrentWeight && H / recurrentWeight.shape[1];
    const shares = recording.target.isGpu && (heads ?? 1) === 1 && !regularization;
    const shared = shares ? recording.target.mostThreads : undefined;
    // A GPU waits for weights less if they are half as long. A CPU would unpack each of them at every step.
    const half = tape.options.halves && recording.target.kind === "webgpu";
    const form = { stacked, heads, half, gaps: hasGaps, shared };
    this.site = { tape, label, cell, whole, lanes, form, regularization };
    this.strategy = stacked ? strategies.wavefront : strategyOf(tape, label, cell, { ...whole, heads }, regularization);
    this.recurrence = recurrenceOf(this.strategy, this.site);
    const states = memoryNumbers(cell);
    this.h = recording.buffer(`${label}.h`, [laneStart(count - 1, hSize(whole)) + hSize(whole)]);
    this.c = cell.usesC
      ? laneBuffer(recording, `${label}.c`, count, [T + 1, ...(states > 1 ? [states] : []), B, H]).whole
      : recording.buffer(`${label}.c.unused`, [1]);
    this.weights = new OpWeights(this.site, this.recurrence);
    this.inputs = lanes.map((lane, n) => this.inputOf(lane, n));
  }

  private get G(): number {
    return this.options.cell.gateNames.length;
  }

  private inputOf({ label, weights: all }: Lane, n: number): LaneInput {
    const {
      tape,
      x,
      site: { whole },
      options: { lengths, stacked },
    } = this;
    const weights = this.recurrence.ownsBiases ? { ...all, inputBias: undefined } : all;
    const packed = this.weights.placesOf(all, n);
    if (!stacked || n === 0) return laneInput(tape, label, x, () => this.shareInput(), weights, packed, lengths);
    const below = { view: this.h, offset: hStart(n - 1, whole) + whole.B * whole.H };
    const places = { recurrent: packed, input: this.weights.placesOf(all, whole.lanes + n - 1) };
    return stacking.now.stackedInput(tape, label, below, weights, places, lengths);
  }

  /** Lanes of opposite directions reach the same rows of x in different segments, so each can only add to the gradient. */
  private shareInput(): ReturnType<Tape["share"]> {
    const place = this.tape.share(this.x);
    if (place.accumulate === 1 || this.lanes.length === 1 || this.segments.length === 1) return place;
    this.recording.clearFirst(place.view);
    return { ...place, accumulate: 1 };
  }

  private hSlot(lane: number, slot: number): View {
    const { B, H } = this.site.whole;
    return subview(this.h, hStart(lane, this.site.whole) + slot * B * H, [B, H]);
  }

  /** The slot of a state besides h. */
  private memorySlot(lane: number, slot: number, state: number): View {
    const { B, H } = this.site.whole;
    const states = memoryNumbers(this.options.cell);
    return subview(this.c, cStart(lane, this.site.whole, states) + (slot * states + state) * B * H, [B, H]);
  }

  record(): RecurrentResult[] {
    const {
      tape,
      recording,
      site: {
        whole: { T, B, H, lanes: count },
      },
      options: { cell, stacked },
    } = this;
    this.lanes.forEach(({ reverse, initialH, initialMemory }, n) => {
      const first = reverse ? T : 0;
      setFirst(recording, initialH, this.hSlot(n, first));
      cell.states.forEach((_, s) => setFirst(recording, initialMemory?.[s], this.memorySlot(n, first, s)));
    });
    this.recurrence.begin?.(this.h);
    const segments = this.segments.map((part) => this.compute("gates", part));
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
    const { site, lanes, strategy, recurrence, weights, inputs } = this;
    tape.record(outputs, ({ recurrentBackward }) =>
      recurrentBackward({ site, lanes, strategy, recurrence, weights, inputs, segments, results, dy }),
    );
    return results;
  }

  /** Computes gates and states of a segment, from its inputs and the states before it. */
  private compute(name: string, part: { first: number; steps: number }, again = false): ComputedSegment {
    const {
      tape,
      options: { lengths },
    } = this;
    const segment = { ...this.site.whole, ...part };
    const gates = this.gatesBuffer(name, part.steps);
    this.inputs.forEach((input, n) => input.project(gates.of(n), firstInTime(n, segment), part.steps));
    const buffers = { segment, gates: gates.whole, h: this.h, c: this.c, lengths };
    const saved = this.recurrence.forward(buffers, this.weights.readBy("forward"), name, again);
    const computed = { ...buffers, lane: gates.of, saved };
    if (keepsGates(tape) || this.segments.length === 1) return computed;
    // Half precision cannot tell a clipped gate from others, so these gates are computed again too.
    if (tape.options.recompute || this.options.cell.functions?.clip) return { ...computed, restore: () => this.compute(name, part, true) };
    const { toHalves, fromHalves } = halves.now;
    const kept = toHalves(this.recording, `${this.label}.${name}.half`, gates.whole, 2);
    return {
      ...computed,
      restore: () => {
        const again = this.gatesBuffer(name, part.steps);
        fromHalves(this.recording, kept, again.whole, 2);
        return { ...buffers, gates: again.whole, lane: again.of };
      },
    };
  }

  private gatesBuffer(name: string, steps: number): LaneBuffer {
    const { B, H, lanes } = this.site.whole;
    return laneBuffer(this.recording, `${this.label}.${name}`, lanes, [steps, B, H, this.G], this.G);
  }
}

function setFirst(recording: Recording, initial: Variable | undefined, slot: View): void {
  if (initial) recording.copyFirst(initial.view, slot);
  else recording.clearFirst(slot);
}
