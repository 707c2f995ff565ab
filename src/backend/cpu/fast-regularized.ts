/**
 * Steps of a layer with normalisation, zoneout or recurrent dropout in WebAssembly, for the cells that are known there:
 * `wasm/regularized-forward.ts` and `-backward.ts`, and with a fused kernel the products between them.
 */
import { runningRows } from "../../recurrent/cells/memory.ts";
import type { Cell } from "../../recurrent/cells/cell.ts";
import { align } from "../../kernels/kernel.ts";
import { laneStart } from "../../recurrent/kernels/lanes.ts";
import { stepAt } from "../../recurrent/kernels/step-places.ts";
import {
  carryParts,
  extraRows,
  gateBits,
  normalizes,
  normalizesMemory,
  regularizedLayout,
  type RegularizedForm,
  type RegularizedParams,
} from "../../recurrent/kernels/regularized-layout.ts";
import { callsTogether, worthSharing, type Addresses, type Call, type FastKernel } from "./calls.ts";
import type { LaneStep } from "./fast-recurrent.ts";
import type { KnownCell } from "./known-cells.ts";
import type { Means } from "./work-space.ts";

/** The fields of `Step` in `wasm/regularized-step.ts`, 32 bits each; those named here are floats. */
const floats: ReadonlySet<string> = new Set(["zoneH", "zoneC", "dropP", "epsilon", "momentum"]);
type Fields = Readonly<Record<string, number>>;

function wordsOf(fields: Fields): Uint32Array {
  const entries = Object.entries(fields);
  const words = Uint32Array.from(entries, ([, value]) => value);
  const asFloats = new Float32Array(words.buffer);
  entries.forEach(([name, value], i) => {
    if (floats.has(name)) asFloats[i] = value;
  });
  return words;
}

/** Numbers of a row of sums over the batch. */
const sumsOf = ({ H }: RegularizedParams, G: number): number => align(H * G);
/** Numbers in `work` that a step needs: eight arrays [B, H] and eight rows of sums. */
const workOf = (p: RegularizedParams, G: number): number => 8 * (p.B * p.H + sumsOf(p, G));

/** The steps of a kernel in the order in which they are computed. */
function stepsOf(backward: boolean, { i, count, tail, lanes }: RegularizedParams): LaneStep[] {
  const steps = Array.from({ length: count }, (_, n) => ({ i: backward ? i + count - 1 - n : i + n, tail: 0 }));
  return [...steps, ...(backward && tail ? [{ i: 0, tail: 1 }] : [])].flatMap((step) =>
    Array.from({ length: lanes }, (_, lane) => ({ ...step, lane })),
  );
}

/** Byte addresses of a step's numbers. */
function placesOf(cell: Cell, form: RegularizedForm, at: Addresses, p: RegularizedParams, { lane, i }: LaneStep) {
  const { B, H } = p;
  const G = cell.gateNames.length;
  const step = stepAt(p, lane, i);
  const layout = regularizedLayout(p, G, form);
  const local = step.gates - laneStart(lane, p.steps * B * H);
  const extra = extraRows(cell, form);
  const matrix = at.weights + 4 * G * laneStart(lane, (H + extra) * H);
  const row = (n: number): number => matrix + 4 * G * (H + n) * H;
  const side = at.recurrent + 4 * lane * layout.size;
  const part = 4 * align(B * H);
  return {
    matrix,
    t: step.t,
    gates: at.gates + 4 * G * step.gates,
    x: side + 4 * G * local,
    r: side + 4 * (layout.r + G * local),
    saved: side + 4 * (layout.statistics + (local / (B * H)) * layout.groups * 12),
    bias: row(0),
    peepholes: row(1),
    gains: row(extra - 4),
    hPrevious: at.h + 4 * step.hPrevious,
    hCurrent: at.h + 4 * step.hCurrent,
    cPrevious: at.c + 4 * step.cPrevious,
    cCurrent: at.c + 4 * step.cCurrent,
    maskedPrevious: at.masked + 4 * step.hPrevious,
    masked: at.masked + 4 * step.hCurrent,
    dy: at.dy + 4 * step.dy,
    carry: at.carry + lane * carryParts(G, form).count * part,
    part,
    running: at.running + 4 * Math.min(p.first + i, p.keptSteps - 1) * runningRows(cell) * H,
  };
}

type Places = ReturnType<typeof placesOf>;

/** The fields of `Step` in `wasm/regularized-step.ts`, in their order. */
function messageOf(
  cell: Cell,
  form: RegularizedForm,
  { number, variant }: KnownCell,
  at: Addresses,
  p: RegularizedParams,
  { lane, tail }: LaneStep,
  places: Places,
  work: number,
): Uint32Array {
  const { normalization, zones, drops } = form;
  const [firstGates, secondGates] = gateBits(cell);
  const { t, gates, x, r, saved, bias, peepholes, gains, hPrevious, hCurrent, cPrevious, cCurrent, masked, dy, carry, part, running } =
    places;
  const { B, H, draws, statistics, zoneH, zoneC, dropP, epsilon, momentum } = p;
  const overBatch = normalization === "batch";
  const unitBytes = 4 * B * H;
  return wordsOf({
    cell: number,
    variant,
    normalizes: normalizes[normalization],
    normalizesMemory: Number(normalizesMemory(cell, form)),
    firstGates,
    secondGates,
    zones: Number(zones),
    drops: Number(drops),
    B,
    H,
    t,
    tail,
    draws,
    statistics,
    stream: p.stream + 2 * lane,
    zoneH,
    zoneC,
    dropP,
    epsilon,
    momentum,
    gates,
    x,
    r,
    saved,
    bias,
    peepholes,
    gains,
    hPrevious,
    hCurrent,
    cPrevious,
    cCurrent,
    masked,
    dy,
    carry,
    part,
    lengths: at.lengths,
    random: at.random,
    running,
    work,
    unitBytes,
    // Over a row, the twelve sums that repeat are in the scratch memory of each thread.
    sums: overBatch ? work + 8 * unitBytes : 0,
    wrap: overBatch ? 4 * sumsOf(p, cell.gateNames.length) : 48,
  });
}

/**
 * The product of a fused kernel before a step, for the rows from `first` up to `end`. In the backward pass, `following`
 * is the time step whose gradients of gates it multiplies.
 */
function productOf(
  drops: boolean,
  G: number,
  { H }: RegularizedParams,
  places: Places,
  following: Places | undefined,
  first: number,
  end: number,
): Call {
  const units = 4 * first * H;
  const width = H * G;
  if (following)
    return {
      name: "gateProduct",
      args: [following.r + G * units, places.matrix, 0, places.carry + 2 * places.part + units, end - first, H, G],
    };
  const operand = drops ? places.maskedPrevious : places.hPrevious;
  return {
    name: "matmul",
    args: [operand + units, places.matrix, 0, places.r + G * units, end - first, width, H, 1, 0, H, 1, 0, width, 1, 0, width, 0],
  };
}

/** A thread owns rows of the batch, whatever the number of steps. With batch normalization, the caller's thread has all. */
export function regularizedKernel(
  cell: Cell,
  pass: "forward" | "backward",
  form: RegularizedForm,
  known: KnownCell,
  { threads, work }: Means,
): FastKernel {
  const G = cell.gateNames.length;
  const backward = pass === "backward";
  const { fused, drops } = form;
  return (at, params) => {
    const p = params as RegularizedParams;
    const { B, H } = p;
    const steps = stepsOf(backward, p);
    const words = 64;
    const first = workOf(p, G);
    work.reserve(first + steps.length * words);
    const messages = new Uint32Array(steps.length * words);
    const places = steps.map((step) => placesOf(cell, form, at, p, step));
    steps.forEach((step, n) => messages.set(messageOf(cell, form, known, at, p, step, places[n], work.address), n * words));
    const products = (n: number, from: number, end: number): Call[] => {
      if (!fused) return [];
      if (!backward) return [productOf(drops, G, p, places[n], undefined, from, end)];
      const { i, lane, tail } = steps[n];
      if (!tail && i + 1 >= p.steps) return [];
      return [productOf(drops, G, p, places[n], placesOf(cell, form, at, p, { lane, i: tail ? i : i + 1, tail }), from, end)];
    };
    const shared = form.normalization !== "batch" && (fused ? p.steps : 1) * B * H * H >= worthSharing;
    const pieces = threads.parallel(
      B,
      shared ? 4 : B,
      (from, end) =>
        steps.flatMap((_, n) => [
          ...products(n, from, end),
          { name: backward ? "regularizedBackward" : "regularizedForward", args: [work.address + 4 * (first + n * words), from, end] },
        ]),
      callsTogether(B * H * H * G),
    );
    const inbox = work.words(first, messages.length);
    // Between two pieces, another program may have used the work space.
    return pieces.map((piece) => () => {
      inbox.set(messages);
      piece();
    });
  };
}
