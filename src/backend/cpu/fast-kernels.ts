/**
 * Kernels that have a WebAssembly version: kernel name -> a function that turns addresses and params into the call.
 * A kernel that is not listed here runs as its twin.
 */
import { RnnError } from "../../errors.ts";
import { matmulBlocks, matmulBlocksWithSums, matmulNaive, matmulSmallM } from "../../kernels/matmul.ts";
import { cStart, firstInTime, hStart, isReversed, laneStart, stepAt, type Segment } from "../../kernels/recurrent-lanes.ts";
import { stepsBack } from "../../kernels/recurrent-loop.ts";
import type { Call, Workforce } from "./calls.ts";
import type { WasmHeap } from "./wasm-heap.ts";
import type { WasmExports, WasmKernels } from "./wasm-kernels.ts";

/** Byte address of each binding. */
type Addresses = Readonly<Record<string, number>>;
type Params = Readonly<Record<string, number>>;
/** Made once when a program is prepared; the returned function is called each run and allocates nothing. */
export type FastKernel = (at: Addresses, params: Params) => () => void;

/** Memory that a kernel needs within one call; one piece, as large as the largest request, serves all. */
class WorkSpace {
  address = 0;
  private bytes = 0;

  constructor(private readonly heap: WasmHeap) {}

  reserve(bytes: number): void {
    if (bytes <= this.bytes) return;
    this.heap.free(this.address);
    this.address = this.heap.allocate(bytes);
    this.bytes = bytes;
    // Calls hold the address as a number.
    this.heap.generation++;
  }
}

/** Multiplications below which asking another thread takes longer than the work. */
const worthSharing = 2 ** 18;

function matmulKernel(threads: Workforce): FastKernel {
  return (at, p) => {
    const a = at.a + 4 * p.aOffset;
    const b = at.b + 4 * p.bOffset;
    const c = at.c + 4 * p.cOffset;
    const bias = p.useBias ? at.bias : 0;
    const { M, N, K, batch, aBatch, aRow, aColumn, bBatch, bRow, bColumn, cBatch, cRow, accumulate } = p;
    // Parts of 16 rows: a cache line of a transposed A, and enough that bits do not depend on their number.
    const least = batch === 1 && M * N * K >= worthSharing ? 16 : M;
    return threads.parallel(M, least, (first, end) => [{
      name: "matmul",
      args: [a + 4 * first * aRow, b, bias, c + 4 * first * cRow, end - first, N, K, batch, aBatch, aRow, aColumn, bBatch, bRow, bColumn, cBatch, cRow, accumulate],
    }]);
  };
}

/** In the order of the numbers in `wasm/cells.ts`. */
const cells = [{ name: "lstm", gates: 4 }, { name: "gru", gates: 3 }, { name: "rnn-tanh", gates: 1 }, { name: "rnn-relu", gates: 1 }];

/** A is dYᵀ: its rows are the columns of a matrix that lies whole. */
function matmulWithSums(exports: WasmExports, product: FastKernel): FastKernel {
  return (at, p) => {
    if (p.aRow !== 1 || p.aColumn !== p.M) throw new RnnError("shape", "CpuBackend", "row sums need A = dYᵀ with dY whole");
    const call = product(at, p);
    const x = at.a + 4 * p.aOffset;
    const { M, K, accumulate } = p;
    return () => {
      call();
      exports.columnSum(x, at.sums, K, M, accumulate);
    };
  };
}

/** Byte addresses of one lane's numbers, such that the kernels find the segment's gates by the step's own number. */
function laneOf(at: Addresses, p: Params, lane: number, G: number) {
  const { B, H } = p;
  const segment = p as Segment;
  const gates = 4 * G * (laneStart(lane, p.steps * B * H) - firstInTime(lane, segment) * B * H);
  return {
    gates: at.gates + gates, dRecurrent: at.dRecurrent + gates,
    h: at.h + 4 * hStart(lane, segment), c: at.c + 4 * cStart(lane, segment), dy: at.dy + 4 * laneStart(lane, p.T * B * H),
    carry: at.carry + 8 * laneStart(lane, B * H), lengths: at.lengths,
    forwardWeights: at.weights + 4 * G * laneStart(lane, (H + 1) * H), backwardWeights: at.weights + 4 * G * laneStart(lane, H * H),
  };
}

/** Where a step finds its states, and the step whose gates' gradients reach it. */
function slotsOf(p: Params, lane: number) {
  const segment = p as Segment;
  const { t } = stepAt(segment, lane, p.i);
  const reversed = isReversed(p.reverse, lane);
  return {
    t, previousSlot: reversed ? t + 1 : t, currentSlot: reversed ? t : t + 1,
    nextT: stepAt(segment, lane, p.tail ? p.i : p.i + 1).t, hasNext: p.tail || p.i + 1 < p.steps ? 1 : 0,
  };
}

/** The calls of a step for the rows from `first` up to `end`. */
type StepCalls = (at: Addresses, p: Params, first: number, end: number) => Call[];

/** The calls of all lanes, one after the other. */
const everyLane = (lanes: number, call: (lane: number) => Call): Call[] => Array.from({ length: lanes }, (_, lane) => call(lane));

function stepCalls(work: WorkSpace): [string, StepCalls][] {
  return cells.flatMap(({ name, gates: G }, cell): [string, StepCalls][] => {
    const forward: StepCalls = (at, p, first, end) => everyLane(p.lanes, (lane) => {
      const { B, H } = p;
      work.reserve(4 * B * H * G);
      const { gates, forwardWeights, h, c, lengths } = laneOf(at, p, lane, G);
      const { t, previousSlot, currentSlot } = slotsOf(p, lane);
      const bias = forwardWeights + 4 * H * H * G;
      return { name: "stepForward", args: [cell, gates, forwardWeights, bias, h, c, lengths, work.address, B, H, t, previousSlot, currentSlot, first, end] };
    });
    const backward: StepCalls = (at, p, first, end) => everyLane(p.lanes, (lane) => {
      const { B, H, tail } = p;
      work.reserve(4 * B * H);
      const { gates, backwardWeights, h, c, dy, carry, dRecurrent, lengths } = laneOf(at, p, lane, G);
      const { t, previousSlot, currentSlot, nextT, hasNext } = slotsOf(p, lane);
      const args = [cell, gates, backwardWeights, h, c, dy, carry, dRecurrent, lengths, work.address, B, H, t, previousSlot, currentSlot, nextT, hasNext, tail, first, end];
      return { name: "stepBackward", args };
    });
    return [[`step-forward:${name}`, forward], [`step-backward:${name}`, backward]];
  });
}

/** The calls of a whole time loop are those of its steps one after the other, as in the twin. */
function loopOf(phases: readonly StepCalls[], backward: boolean): StepCalls {
  return (at, { tail, ...segment }, first, end) => {
    const steps = backward ? stepsBack(segment.steps, tail === 1) : Array.from({ length: segment.steps }, (_, i) => ({ i, tail: 0 }));
    // A tail has no second phase.
    return steps.flatMap((step) => phases.slice(0, step.tail ? 1 : 2).flatMap((phase) => phase(at, { ...segment, ...step }, first, end)));
  };
}

function loopCalls(steps: ReadonlyMap<string, StepCalls>): [string, StepCalls][] {
  return ["forward", "backward"].flatMap((pass): [string, StepCalls][] => {
    const backward = pass === "backward";
    const twoPhase = ["first", "second"].map((phase) => steps.get(`two-phase-${pass}:gru-reset-before:${phase}`)!);
    return [
      ...cells.map(({ name }): [string, StepCalls] => [`loop-${pass}:${name}`, loopOf([steps.get(`step-${pass}:${name}`)!], backward)]),
      [`loop-two-phase-${pass}:gru-reset-before`, loopOf(twoPhase, backward)],
    ];
  });
}

function twoPhaseCalls(work: WorkSpace): [string, StepCalls][] {
  const G = 3;
  return ["first", "second"].flatMap((name, phase): [string, StepCalls][] => {
    const forward: StepCalls = (at, p) => everyLane(p.lanes, (lane) => {
      const { B, H } = p;
      work.reserve(4 * B * H * G);
      const { gates, forwardWeights, h, c, lengths } = laneOf(at, p, lane, G);
      const { t, previousSlot, currentSlot } = slotsOf(p, lane);
      const bias = forwardWeights + 4 * H * H * G;
      return { name: "twoPhaseForward", args: [phase, gates, forwardWeights, bias, h, c, lengths, work.address, B, H, t, previousSlot, currentSlot] };
    });
    const backward: StepCalls = (at, p) => everyLane(p.lanes, (lane) => {
      const { B, H, tail } = p;
      work.reserve(4 * B * H);
      const { gates, backwardWeights, h, dy, carry, lengths } = laneOf(at, p, lane, G);
      const { t, previousSlot, nextT, hasNext } = slotsOf(p, lane);
      return { name: "twoPhaseBackward", args: [phase, gates, backwardWeights, h, dy, carry, lengths, work.address, B, H, t, previousSlot, nextT, hasNext, tail] };
    });
    return [[`two-phase-forward:gru-reset-before:${name}`, forward], [`two-phase-backward:gru-reset-before:${name}`, backward]];
  });
}

/** Addresses of some bindings, then some params, in the order of the export's arguments. */
function direct(call: (...args: number[]) => void, bindings: readonly string[], params: readonly string[]): FastKernel {
  return (at, p) => {
    const args = [...bindings.map((name) => at[name]), ...params.map((name) => p[name])];
    return () => call(...args);
  };
}

/**
 * Puts the index along which the output is contiguous last, and the one along which the input is contiguous before it:
 * that is what `wasm/copies.ts` copies by rows or in blocks.
 */
function stridedCopyKernel({ stridedCopy }: WasmExports): FastKernel {
  return (at, p) => {
    const indices = [0, 1, 2].map((i) => ({ size: p[`size${i}`], from: 4 * p[`from${i}`], to: 4 * p[`to${i}`] }));
    // An index of size 1 has no say, whatever its strides.
    const rank = ({ size, from, to }: (typeof indices)[number]): number => (size === 1 ? 0 : to === 4 ? 2 : from === 4 ? 1 : 0);
    const [i, j, k] = indices.sort((a, b) => rank(a) - rank(b));
    const from = at.input + 4 * p.fromOffset;
    const to = at.output + 4 * p.toOffset;
    return () => stridedCopy(from, to, i.size, j.size, k.size, i.from, j.from, k.from, i.to, j.to, k.to, p.accumulate);
  };
}

/** Copies and a gather that have WebAssembly kernels of their own. */
function prepareLayerKernel(exports: WasmExports): FastKernel {
  const copy = stridedCopyKernel(exports);
  return (at, { H, G, useBias, backward, rows, columns, firstId }) => {
    const packed = { size0: H, fromOffset: 0, toOffset: 0, to0: H * G, accumulate: 0 };
    const forward = copy({ input: at.weight, output: at.forwardWeights }, { ...packed, size1: H * G, size2: 1, from0: 1, from1: H, from2: 0, to1: 1, to2: 0 });
    const back = copy({ input: at.weight, output: at.backwardWeights }, { ...packed, size1: H, size2: G, from0: G * H, from1: 1, from2: H, to1: G, to2: 1 });
    const last = at.forwardWeights + 4 * H * H * G;
    return () => {
      forward();
      // The sum of one row, or of none.
      exports.columnSum(at.bias, last, useBias, H * G, 0);
      if (backward) back();
      if (rows) exports.embeddingGather(at.table, at.ids + 4 * firstId, at.gathered, rows, columns);
    };
  };
}

function optimizerKernels({ sgd, rmsprop, adam }: WasmExports): [string, FastKernel][] {
  return [
    ["sgd", (at, p) => {
      const { length, momentum, dampening, nesterov, weightDecay, clipValue } = p;
      return () => sgd(at.parameters, at.gradients, at.lastGood, at.velocity, at.norm, at.control, length, momentum, 1 - dampening, nesterov, weightDecay, clipValue);
    }],
    ["rmsprop", (at, p) => {
      const { length, alpha, eps, momentum, centered, weightDecay, clipValue } = p;
      return () => rmsprop(
        at.parameters, at.gradients, at.lastGood, at.squareAverage, at.gradientAverage, at.velocity, at.norm, at.control,
        length, alpha, 1 - alpha, eps, momentum, centered, weightDecay, clipValue,
      );
    }],
    ["adam", (at, p) => {
      const { length, beta1, beta2, eps, weightDecay, decoupled, clipValue } = p;
      return () => adam(
        at.parameters, at.gradients, at.lastGood, at.firstMoment, at.secondMoment, at.norm, at.control,
        length, beta1, 1 - beta1, beta2, 1 - beta2, eps, weightDecay, decoupled, clipValue,
      );
    }],
  ];
}

/** Steps and loops, a thread owning rows of the batch. */
function recurrentKernels(threads: Workforce, work: WorkSpace): [string, FastKernel][] {
  const steps = new Map([...stepCalls(work), ...twoPhaseCalls(work)]);
  return [...steps, ...loopCalls(steps)].map(([name, callsOf]): [string, FastKernel] => [name, (at, p) => {
    const { B, H } = p;
    const steps = name.startsWith("loop") ? p.steps : 1;
    const shared = !name.includes("two-phase") && steps * B * H * H >= worthSharing;
    // Four rows are what bits do not depend on; a tile has them too.
    return threads.parallel(B, shared ? 4 : B, (first, end) => callsOf(at, p, first, end));
  }]);
}

export function fastKernels({ exports, heap }: WasmKernels, threads: Workforce): ReadonlyMap<string, FastKernel> {
  const product = matmulKernel(threads);
  return new Map<string, FastKernel>([
    ...[matmulNaive, matmulSmallM, ...matmulBlocks].map(({ name }) => [name, product] as const),
    ...matmulBlocksWithSums.map(({ name }) => [name, matmulWithSums(exports, product)] as const),
    ...recurrentKernels(threads, new WorkSpace(heap)),
    ["strided-copy", stridedCopyKernel(exports)],
    ["prepare-layer", prepareLayerKernel(exports)],
    ["column-sum", direct(exports.columnSum, ["x", "sums"], ["rows", "columns", "accumulate"])],
    ["softmax-forward", direct(exports.softmaxForward, ["x", "y"], ["rows", "columns", "log"])],
    ["softmax-backward", direct(exports.softmaxBackward, ["y", "dy", "dx"], ["rows", "columns", "log", "accumulate"])],
    ["cross-entropy", direct(exports.crossEntropy, ["logits", "targets", "weights", "normalizer", "losses", "dLogits"], ["rows", "columns", "ignoreIndex"])],
    ["activation-forward", direct(exports.activationForward, ["x", "y"], ["length", "kind"])],
    ["activation-backward", direct(exports.activationBackward, ["y", "dy", "dx"], ["length", "kind", "accumulate"])],
    ["dropout", (at, { length, stream, p, accumulate }) => () => exports.dropout(at.x, at.random, at.y, length, stream, p, 1 - p, accumulate)],
    ["mask-steps", direct(exports.maskSteps, ["x", "lengths", "y"], ["T", "B", "H", "accumulate"])],
    ["embedding-gather", (at, { rows, columns, firstId }) => () => exports.embeddingGather(at.weight, at.ids + 4 * firstId, at.y, rows, columns)],
    ["embedding-scatter", (at, p) => () => exports.embeddingScatter(at.dy, at.ids + 4 * p.firstId, at.dWeight, p.rows, p.columns, p.vocabulary, p.accumulate)],
    ["gradient-norm-partial", direct(exports.gradientNormPartial, ["gradients", "partial"], ["length", "groups"])],
    ...optimizerKernels(exports),
  ]);
}
