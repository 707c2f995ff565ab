/**
 * Steps and time loops of a cell that WebAssembly does not know: the products run in WebAssembly, the rest in the
 * twin's functions.
 */
import { phasesOf, type Cell } from "../../recurrent/cells/cell.ts";
import { memoryNumbers } from "../../recurrent/cells/memory.ts";
import type { Arrays } from "../../kernels/kernel.ts";
import { fanIn, matrixRows, type KernelForm, type RecurrentParts } from "../../recurrent/kernels/recurrent-kernel.ts";
import type { Segment } from "../../recurrent/kernels/lanes.ts";
import { backwardMatrix, forwardMatrix } from "../../recurrent/kernels/packed-places.ts";
import { stepAt } from "../../recurrent/kernels/step-places.ts";
import type { forwardBindings } from "../../recurrent/kernels/step.ts";
import type { backwardBindings } from "../../recurrent/kernels/step.backward.ts";
import { addToCarry, backwardUnits, forwardUnits } from "../../recurrent/kernels/step.twin.ts";
import { needing, worthSharing, type Addresses, type Call, type FastKernel, type Pieces } from "./calls.ts";
import { stepsOf, type LaneStep } from "./fast-recurrent.ts";
import type { Means } from "./work-space.ts";

/** Splits products by rows among the threads. */
type Share = (calls: (first: number, end: number) => Call[]) => Pieces;

/** The blocks of the recurrent matrix, one for each head: the first unit of each, and the number of units that each reads. */
function blocksOf(cell: Cell, H: number, form: KernelForm): { firsts: number[]; read: number } {
  const read = fanIn(cell, H, form);
  return { firsts: read === 0 ? [] : Array.from({ length: H / read }, (_, head) => head * read), read };
}

/** A step: the product into `work`, then the units. */
function forwardStep(
  { cell, form }: RecurrentParts,
  at: Addresses,
  arrays: Arrays<typeof forwardBindings>,
  segment: Segment,
  { lane, i }: LaneStep,
  work: Means["work"],
  share: Share,
): () => void {
  const { B, H } = segment;
  const G = cell.gateNames.length;
  const step = stepAt(segment, lane, i, memoryNumbers(cell));
  const weights = at.weights + 4 * G * forwardMatrix(cell, lane, H, form);
  const width = H * G;
  const recurrent = work.array(B * width);
  const input = arrays.gates.subarray(step.gates * G);
  const { firsts, read } = blocksOf(cell, H, form);
  const bias = weights + 4 * matrixRows(cell, H, form) * width;
  const multiply = share((first, end) =>
    firsts.map((unit) => ({
      name: "matmul",
      args: [
        at.h + 4 * (step.hPrevious + first * H + unit),
        weights + 4 * unit * G,
        bias + 4 * unit * G,
        work.address + 4 * (first * width + unit * G),
        end - first,
        read * G,
        read,
        1,
        0,
        H,
        1,
        0,
        width,
        1,
        0,
        width,
        0,
      ],
    })),
  );
  return () => {
    if (firsts.length === 0) recurrent.fill(0);
    for (const piece of multiply) piece();
    forwardUnits(cell, arrays, segment, lane, step, recurrent, input, form);
  };
}

function backwardStep(
  { cell, form }: RecurrentParts,
  at: Addresses,
  arrays: Arrays<typeof backwardBindings>,
  segment: Segment,
  { lane, i, tail }: LaneStep,
  work: Means["work"],
  share: Share,
): () => void {
  const { B, H, steps } = segment;
  const G = cell.gateNames.length;
  const step = stepAt(segment, lane, i, memoryNumbers(cell));
  const from = tail ? step.gates : i + 1 < steps ? stepAt(segment, lane, i + 1).gates : undefined;
  const following = cell.splitsRecurrentGradient ? at.dRecurrent : at.gates;
  const weights = at.weights + 4 * G * backwardMatrix(cell, lane, H, form);
  const product = work.array(B * H);
  const dy = arrays.dy.subarray(step.dy);
  const { firsts, read } = blocksOf(cell, H, form);
  const ofBlock = (unit: number, first: number, end: number): Call[] => {
    const [dGates, of, to] = [
      following + 4 * G * (from! + first * H + unit),
      weights + 4 * unit * G,
      work.address + 4 * (first * H + unit),
    ];
    const rows = end - first;
    if (read === H) return [{ name: "gateProduct", args: [dGates, of, 0, to, rows, H, G] }];
    return cell.gateNames.map((_, g) => ({
      name: "matmul",
      args: [dGates + 4 * g, of + 4 * g, 0, to, rows, read, read, 1, 0, H * G, G, 0, H * G, G, 0, H, g > 0 ? 1 : 0],
    }));
  };
  const multiply =
    from === undefined || firsts.length === 0
      ? [() => void product.fill(0)]
      : share((first, end) => firsts.flatMap((unit) => ofBlock(unit, first, end)));
  return () => {
    for (const piece of multiply) piece();
    if (tail) addToCarry(cell, arrays.carry, segment, lane, product);
    else backwardUnits(cell, arrays, segment, lane, step, product, dy, form);
  };
}

/** The kernel with its products in WebAssembly; undefined if that is not possible for it. */
export function customKernel(parts: RecurrentParts, { threads, work }: Means): FastKernel | undefined {
  const { cell, strategy, pass, form } = parts;
  if (strategy === "regularized" || strategy === "scan" || phasesOf(cell) === 2 || form.stacked || form.shared || form.half)
    return undefined;
  const G = cell.gateNames.length;
  const stepOf = pass === "backward" ? backwardStep : forwardStep;
  return needing(pass === "backward" ? ["training"] : [], (at, p, arraysOf) => {
    const { B, H } = p;
    work.reserve(B * H * G);
    const arrays = arraysOf() as Arrays<typeof forwardBindings & typeof backwardBindings>;
    const shared = B * H * fanIn(cell, H, form) >= worthSharing;
    const share: Share = (calls) => threads.parallel(B, shared ? 4 : B, calls, 1);
    return stepsOf(parts, p).map((step) => stepOf(parts, at, arrays, p as Segment, step, work, share));
  });
}
