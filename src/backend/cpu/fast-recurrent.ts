/** Steps and time loops in WebAssembly, for the package's own cells and their variants. */
import { Part } from "../../part.ts";
import { phasesOf } from "../../recurrent/cells/cell.ts";
import { backwardMatrix, forwardMatrix } from "../../recurrent/kernels/packed-places.ts";
import type { RecurrentParts } from "../../recurrent/kernels/recurrent-kernel.ts";
import { cStart, firstInTime, hStart, isReversed, laneStart, type Segment } from "../../recurrent/kernels/lanes.ts";
import { stepAt } from "../../recurrent/kernels/step-places.ts";
import { stepsBack } from "../../recurrent/kernels/loop.ts";
import { callsTogether, needing, worthSharing, type Addresses, type Call, type FastKernel, type Keep, type Params } from "./calls.ts";
import { knownCell, type KnownCell } from "./known-cells.ts";
import { keptPanels } from "./panels.ts";
import type { Means } from "./work-space.ts";

const regularizedCalls = new Part("normalization, zoneout or recurrentDropout", () => import("./fast-regularized.ts"));
const furtherCalls = new Part("the CPU backend", () => import("./fast-steps.ts"));
const scanCalls = new Part("MinGRU and MinLSTM", () => import("./fast-scan.ts"));
/** Shaders whose cells are in `wasm/scan.ts`, in the order of the numbers there. */
const scanned = ["min-gru", "min-lstm"];

/** From this many steps on, packing the weights saves more time than it takes. */
const manySteps = 8;

/** One step of a lane; with `tail` 1, only the product that carries the gradient past the first step. */
export interface LaneStep {
  readonly lane: number;
  readonly i: number;
  readonly tail: number;
}

/** The steps of a kernel in the order in which they are computed. */
export function stepsOf({ strategy, pass }: RecurrentParts, { i, tail = 0, steps, lanes }: Params): LaneStep[] {
  const whole = (): { i: number; tail: number }[] =>
    pass === "backward" ? stepsBack(steps, tail === 1) : Array.from({ length: steps }, (_, n) => ({ i: n, tail: 0 }));
  const all = strategy === "step" ? [{ i, tail }] : whole();
  return all.flatMap((step) => Array.from({ length: lanes }, (_, lane) => ({ ...step, lane })));
}

/** Byte addresses of one lane's numbers. That of the gates is where those of t = 0 would be, also if the segment begins later. */
export function laneOf(at: Addresses, p: Params, lane: number, { cell, form }: RecurrentParts) {
  const { B, H } = p;
  const segment = p as Segment;
  const G = cell.gateNames.length;
  const gates = 4 * G * (laneStart(lane, p.steps * B * H) - firstInTime(lane, segment) * B * H);
  return {
    gates: at.gates + gates,
    dRecurrent: at.dRecurrent + gates,
    h: at.h + 4 * hStart(lane, segment),
    c: at.c + 4 * cStart(lane, segment),
    dy: at.dy + 4 * laneStart(lane, p.T * B * H),
    carry: at.carry + 8 * laneStart(lane, B * H),
    lengths: at.lengths,
    forwardWeights: at.weights + 4 * G * forwardMatrix(cell, lane, H, form),
    backwardWeights: at.weights + 4 * G * backwardMatrix(cell, lane, H, form),
  };
}

/** Where a step finds its states, and the step whose gates' gradients reach it. */
export function slotsOf(p: Params, { lane, i, tail }: LaneStep) {
  const segment = p as Segment;
  const { t } = stepAt(segment, lane, i);
  const reversed = isReversed(p.reverse, lane);
  return {
    t,
    previousSlot: reversed ? t + 1 : t,
    currentSlot: reversed ? t : t + 1,
    nextT: stepAt(segment, lane, tail ? i : i + 1).t,
    hasNext: tail || i + 1 < p.steps ? 1 : 0,
  };
}

/** The call for some rows of a step; `panels` is the address of the weights in the order of products, or 0. */
export type CallOfStep = (at: Addresses, p: Params, panels: number, step: LaneStep, phase: number, first: number, end: number) => Call;

/** The forward step of a cell with one phase. */
function forwardCall(parts: RecurrentParts, { number, variant }: KnownCell, { work }: Means): CallOfStep {
  return (at, p, panels, step, _, first, end) => {
    const { gates, forwardWeights, h, c, lengths } = laneOf(at, p, step.lane, parts);
    const { t, previousSlot, currentSlot } = slotsOf(p, step);
    const { B, H } = p;
    return {
      name: "stepForward",
      args: [number, variant, gates, forwardWeights, panels, h, c, lengths, work.address, B, H, t, previousSlot, currentSlot, first, end],
    };
  };
}

/** A kernel of a cell that WebAssembly knows: a thread owns rows of the batch, whatever the number of steps. */
export function knownKernel(parts: RecurrentParts, callOf: CallOfStep, { exports, threads, work }: Means): FastKernel {
  const { cell, strategy, pass, phase: given } = parts;
  const [isBackward, isLoop, isTwoPhase] = [pass === "backward", strategy === "loop", phasesOf(cell) === 2];
  const G = cell.gateNames.length;
  const phases = given !== undefined ? [given] : isTwoPhase ? [0, 1] : [0];
  /** The panels of the lanes' matrices, if the weights change between runs only, or if enough steps read them. */
  const panelsOf = (keep: Keep, at: Addresses, { B, H, lanes, steps }: Params): (number | undefined)[] => {
    // In the backward pass, fewer than four rows are multiplied without panels, see `gateProduct`.
    if (isTwoPhase || (isBackward && B < 4)) return [];
    const often = isLoop && steps >= manySteps;
    const [N, K] = isBackward ? [H, H * G] : [H * G, H];
    const matrixOf = isBackward ? backwardMatrix : forwardMatrix;
    return Array.from({ length: lanes }, (_, lane) => {
      const matrix = { binding: "weights", address: at.weights, offset: G * matrixOf(cell, lane, H, parts.form), N, K };
      return keptPanels(keep, exports, matrix, isBackward ? ["packGatePanels", H, G] : ["packPanels", N, K, N, 1], often);
    });
  };
  return (at, p, _, keep) => {
    const { B, H } = p;
    work.reserve(B * H * (isBackward ? 1 : G));
    const steps = stepsOf(parts, p);
    const panels = panelsOf(keep, at, p);
    const shared = !isTwoPhase && (isLoop ? p.steps : 1) * B * H * H >= worthSharing;
    // A thread has at least four rows, as a tile has: results are then the same bit for bit. A tail has no second phase.
    return threads.parallel(
      B,
      shared ? 4 : B,
      (first, end) =>
        steps.flatMap((step) =>
          phases.slice(0, step.tail ? 1 : 2).map((phase) => callOf(at, p, panels[step.lane] ?? 0, step, phase, first, end)),
        ),
      callsTogether(B * H * H * G),
    );
  };
}

/**
 * The WebAssembly version of a recurrent kernel, if there is one for its cell. Kernels for stacked layers and for sums
 * that threads share have none, because they are chosen on a GPU only.
 */
export function recurrentKernel(parts: RecurrentParts, means: Means): FastKernel | undefined {
  const { cell, strategy, form, regularized } = parts;
  const known = knownCell(cell);
  if (form.stacked || form.shared) return undefined;
  if (cell.recurrence === "none") {
    const number = scanned.indexOf(cell.shader);
    if (number < 0) return undefined;
    return needing(["scan"], (...given) => scanCalls.now.scanKernel(parts, number, means)(...given), scanCalls);
  }
  if (form.half || !known) return undefined;
  if (strategy !== "regularized") {
    const isTwoPhase = phasesOf(cell) === 2;
    if (!isTwoPhase && parts.pass === "forward") return knownKernel(parts, forwardCall(parts, known, means), means);
    return needing(
      [isTwoPhase ? "two-phase" : "training"],
      (...given) => knownKernel(parts, furtherCalls.now.furtherCall(parts, known, means), means)(...given),
      furtherCalls,
    );
  }
  return needing(
    // A fused kernel makes the products between its steps, those of a backward pass by a function for training.
    parts.pass === "backward" && regularized!.fused ? ["regularized", "training"] : ["regularized"],
    (...given) => regularizedCalls.now.regularizedKernel(cell, parts.pass, regularized!, known, means)(...given),
    regularizedCalls,
  );
}
