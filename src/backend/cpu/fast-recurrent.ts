/**
 * Steps and time loops in WebAssembly. The package's cells are there from beginning to end, with their variants; of any
 * other cell the products are, and the rest is done by its twin's functions.
 */
import type { Cell } from "../../kernels/cells/cell.ts";
import type { Arrays, Kernel } from "../../kernels/kernel.ts";
import { cStart, firstInTime, hStart, isReversed, laneStart, stepAt, type Segment } from "../../kernels/recurrent-lanes.ts";
import { stepsBack } from "../../kernels/recurrent-loop.ts";
import { addToCarry, backwardMatrix, backwardUnits, forwardMatrix, forwardUnits, type backwardBindings, type forwardBindings } from "../../kernels/recurrent-step.ts";
import { worthSharing, type Addresses, type Call, type FastKernel, type Params, type Workforce } from "./calls.ts";
import { regularizedKernel } from "./fast-regularized.ts";
import { isTwoPhase, knownCell, type AnyCell, type KnownCell } from "./known-cells.ts";
import type { WasmHeap } from "./wasm-heap.ts";
import { WorkSpace, type Means } from "./work-space.ts";

/** One step of a lane, or with `tail` what remains behind the first. */
interface LaneStep {
  readonly lane: number;
  readonly i: number;
  readonly tail: number;
}

/** Whether a kernel, by its name, is a whole loop, and of which pass. */
const isLoop = ({ name }: Kernel): boolean => name.startsWith("loop");
const isBackward = ({ name }: Kernel): boolean => /^[a-z-]*backward/.test(name);

/** The steps of a kernel in the order in which they are computed. */
function stepsOf(kernel: Kernel, { i, tail = 0, steps, lanes }: Params): LaneStep[] {
  const forward = Array.from({ length: steps }, (_, n) => ({ i: n, tail: 0 }));
  const all = !isLoop(kernel) ? [{ i, tail }] : isBackward(kernel) ? stepsBack(steps, tail === 1) : forward;
  return all.flatMap((step) => Array.from({ length: lanes }, (_, lane) => ({ ...step, lane })));
}

/** Byte addresses of one lane's numbers, such that the kernels find the segment's gates by the step's own number. */
function laneOf(at: Addresses, p: Params, lane: number, cell: AnyCell) {
  const { B, H } = p;
  const segment = p as Segment;
  const G = cell.gateNames.length;
  const layout = isTwoPhase(cell) ? {} : cell;
  const gates = 4 * G * (laneStart(lane, p.steps * B * H) - firstInTime(lane, segment) * B * H);
  return {
    gates: at.gates + gates, dRecurrent: at.dRecurrent + gates,
    h: at.h + 4 * hStart(lane, segment), c: at.c + 4 * cStart(lane, segment), dy: at.dy + 4 * laneStart(lane, p.T * B * H),
    carry: at.carry + 8 * laneStart(lane, B * H), lengths: at.lengths,
    forwardWeights: at.weights + 4 * G * forwardMatrix(layout, lane, H), backwardWeights: at.weights + 4 * G * backwardMatrix(layout, lane, H),
  };
}

/** Where a step finds its states, and the step whose gates' gradients reach it. */
function slotsOf(p: Params, { lane, i, tail }: LaneStep) {
  const segment = p as Segment;
  const { t } = stepAt(segment, lane, i);
  const reversed = isReversed(p.reverse, lane);
  return {
    t, previousSlot: reversed ? t + 1 : t, currentSlot: reversed ? t : t + 1,
    nextT: stepAt(segment, lane, tail ? i : i + 1).t, hasNext: tail || i + 1 < p.steps ? 1 : 0,
  };
}

/** A kernel of a cell that WebAssembly knows: a thread owns rows of the batch, whatever the number of steps. */
function knownKernel(kernel: Kernel, cell: AnyCell, { number, variant }: KnownCell, { threads, work }: Means): FastKernel {
  const G = cell.gateNames.length;
  const phases = !isTwoPhase(cell) ? [0] : isLoop(kernel) ? [0, 1] : [kernel.constants!.phase];
  const callOf = (at: Addresses, p: Params, step: LaneStep, phase: number, first: number, end: number): Call => {
    const { B, H } = p;
    const { gates, forwardWeights, backwardWeights, h, c, dy, carry, dRecurrent, lengths } = laneOf(at, p, step.lane, cell);
    const { t, previousSlot, currentSlot, nextT, hasNext } = slotsOf(p, step);
    const buffer = work.address;
    if (isTwoPhase(cell)) {
      return isBackward(kernel)
        ? { name: "twoPhaseBackward", args: [phase, variant, gates, backwardWeights, h, dy, carry, lengths, buffer, B, H, t, previousSlot, nextT, hasNext, step.tail] }
        : { name: "twoPhaseForward", args: [phase, variant, gates, forwardWeights, h, c, lengths, buffer, B, H, t, previousSlot, currentSlot] };
    }
    return isBackward(kernel)
      ? { name: "stepBackward", args: [number, variant, gates, backwardWeights, h, c, dy, carry, dRecurrent, lengths, buffer, B, H, t, previousSlot, currentSlot, nextT, hasNext, step.tail, first, end] }
      : { name: "stepForward", args: [number, variant, gates, forwardWeights, h, c, lengths, buffer, B, H, t, previousSlot, currentSlot, first, end] };
  };
  return (at, p) => {
    const { B, H } = p;
    work.reserve(B * H * (isBackward(kernel) ? 1 : G));
    const steps = stepsOf(kernel, p);
    const shared = !isTwoPhase(cell) && (isLoop(kernel) ? p.steps : 1) * B * H * H >= worthSharing;
    // Four rows are what bits do not depend on; a tile has them too. A tail has no second phase.
    return threads.parallel(B, shared ? 4 : B, (first, end) => steps.flatMap((step) => (
      phases.slice(0, step.tail ? 1 : 2).map((phase) => callOf(at, p, step, phase, first, end))
    )));
  };
}

/** Shares the rows of a product. */
type Share = (call: (first: number, end: number) => Call) => () => void;

/** A step of any other cell: the product into `work`, then its units. */
function forwardStep(cell: Cell, at: Addresses, arrays: Arrays<typeof forwardBindings>, segment: Segment, { lane, i }: LaneStep, work: WorkSpace, share: Share): () => void {
  const { B, H } = segment;
  const G = cell.gateNames.length;
  const step = stepAt(segment, lane, i);
  const weights = at.weights + 4 * G * forwardMatrix(cell, lane, H);
  const width = H * G;
  const recurrent = work.array(B * width);
  const input = arrays.gates.subarray(step.gates * G);
  const multiply = share((first, end) => ({
    name: "matmul",
    args: [at.h + 4 * (step.hPrevious + first * H), weights, weights + 4 * H * width, work.address + 4 * first * width, end - first, width, H, 1, 0, H, 1, 0, width, 1, 0, width, 0],
  }));
  return () => {
    multiply();
    forwardUnits(cell, arrays, segment, lane, step, recurrent, input);
  };
}

function backwardStep(cell: Cell, at: Addresses, arrays: Arrays<typeof backwardBindings>, segment: Segment, { lane, i, tail }: LaneStep, work: WorkSpace, share: Share): () => void {
  const { B, H, steps } = segment;
  const G = cell.gateNames.length;
  const step = stepAt(segment, lane, i);
  const from = tail ? step.gates : i + 1 < steps ? stepAt(segment, lane, i + 1).gates : undefined;
  const following = cell.splitsRecurrentGradient ? at.dRecurrent : at.gates;
  const weights = at.weights + 4 * G * backwardMatrix(cell, lane, H);
  const product = work.array(B * H);
  const dy = arrays.dy.subarray(step.dy);
  const multiply = from === undefined ? () => product.fill(0) : share((first, end) => ({
    name: "gateProduct", args: [following + 4 * G * (from + first * H), weights, work.address + 4 * first * H, end - first, H, G],
  }));
  return () => {
    multiply();
    if (tail) addToCarry(arrays.carry, segment, lane, product);
    else backwardUnits(cell, arrays, segment, lane, step, product, dy);
  };
}

function otherKernel(kernel: Kernel, cell: Cell, { threads, work }: Means): FastKernel {
  const G = cell.gateNames.length;
  const stepOf = isBackward(kernel) ? backwardStep : forwardStep;
  return (at, p, arraysOf) => {
    const { B, H } = p;
    work.reserve(B * H * G);
    const arrays = arraysOf() as Arrays<typeof forwardBindings & typeof backwardBindings>;
    const share: Share = (call) => threads.parallel(B, B * H * H >= worthSharing ? 4 : B, (first, end) => [call(first, end)]);
    const steps = stepsOf(kernel, p).map((step) => stepOf(cell, at, arrays, p as Segment, step, work, share));
    return () => {
      for (const step of steps) step();
    };
  };
}

/** The WebAssembly version of a recurrent kernel. Stacked layers, which only a GPU is given, have none. */
export function recurrentKernels(heap: WasmHeap, threads: Workforce): (kernel: Kernel, cell: AnyCell) => FastKernel | undefined {
  const means = { threads, work: new WorkSpace(heap) };
  return (kernel, cell) => {
    if (kernel.constants?.stacked || kernel.bindings.weights.type === "u32") return undefined;
    const found = knownCell(cell);
    if (kernel.name.startsWith("regularized")) return found && regularizedKernel(kernel, cell, found, means);
    if (found) return knownKernel(kernel, cell, found, means);
    return isTwoPhase(cell) ? undefined : otherKernel(kernel, cell, means);
  };
}
